"""A filled world for tests that walk every page and address: one provider, one tenant, a closed and invoiced March."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils import timezone

from billing.budgets.rules import Measure, Per, Rule, Scope
from billing.budgets.setting import make_budget
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.documents.making import make_documents
from billing.margins import sum_day
from billing.models import AccountKind, Invoice, LedgerEntry, PriceNotice, Quote, RevenueStatement, TermFact
from billing.price_drafts import start_draft
from billing.pricing import publish_prices
from billing.queries.usage import Side
from billing.rating.kinds import write_fact
from billing.rating.price_rows import read_rows
from billing.rating.share_facts import CertifiedRevenue
from billing.sessions import stop_session
from billing.statements.stating import make_statement
from clusters.models import Accelerator
from metering.finding_models import UsageFinding
from metering.models import Meter, UsageGap, UsageHour, Witness
from metering.substituting import decide_substitution, propose_substitution
from tenants.api_keys import SCOPES, issue_key
from tenants.models import Role
from tests.billing.banking.statements import Movement, make_account, take_one
from tests.billing.taken import ON_DEMAND, agree, start
from tests.billing.world import APRIL, H100, MARCH, make_world
from tests.factories import make_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.models import BankLine, Contract, PriceDraft, ProviderStatement, Session, Term
    from clusters.models import Cluster, Deployment, Node
    from metering.adjustment_models import Substitution
    from tenants.models import Organization
    from tests.billing.world import World
    from tests.factories import Cast

MODEL = "quartz-70b"
REASON = "The quartz log shows it otherwise."
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Filled:
    """What the tenant and the provider of the cast have between them."""

    cluster: Cluster
    node: Node
    deployment: Deployment
    lease: Term
    card: Accelerator
    """One that the tenant held."""
    invoice: Invoice
    number: str
    substitution: Substitution
    draft: PriceDraft
    notice: PriceNotice
    quote: Quote
    session: Session
    statement: RevenueStatement
    stated: ProviderStatement
    books: dict[str, str]
    """The tenant's account and a posting on it, by their ids."""
    movement: BankLine
    budgets: dict[str, str]
    """The tenant's budget and the provider's limit, by their ids."""
    words: tuple[str, ...]
    """What only the two of them may read, as it stands in pages and answers."""

    @cached_property
    def places(self) -> dict[str, str]:
        """What of this world an address can name, read once: the tables of addresses ask for it with each call."""
        return {
            "cluster": self.cluster.slug,
            "node": self.node.name,
            "node id": str(self.node.id),
            "card": str(self.card.id),
            "card node": self.card.node.name,
            "card cluster": self.card.node.cluster.slug,
            "deployment": self.deployment.slug,
            "deployment id": str(self.deployment.id),
            "lease": self.lease.ref,
            "on demand": self.session.term.ref,
            "session": str(self.session.id),
            "model": MODEL,
            "contract id": str(self.lease.contract_id),
            "number": self.number,
            "invoice": str(self.invoice.id),
            "statement": str(self.statement.id),
            "stated": str(self.stated.id),
            "stated number": self.stated.number,
            "meter": str(self.substitution.meter_id),
            "part": f"{self.substitution.from_at:%Y%m%dT%H%M%S.%f}",
            "substitution": str(self.substitution.id),
            "book": str(self.draft.book_id),
            "draft": str(self.draft.id),
            "notice": str(self.notice.id),
            "version": str(self.notice.version_id),
            "contract": self.invoice.period.contract.number,
            "quote": str(self.quote.id),
            **self.books,
            **self.budgets,
            "open period": str(self.invoice.contract.periods.get(state="open").id),
            "movement": str(self.movement.id),
            "bank file": str(self.movement.imported_id),
        }


def fill(cast: Cast) -> Filled:
    """Twenty days of tokens under a share and two leased cards, metered with a gap, closed and invoiced."""
    world = make_world(
        tokens={(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}, parties=(cast.provider, cast.tenant)
    )
    shared = world.share(model=MODEL, rolled_to_at=APRIL)
    for index in range(20):
        at = MARCH + index * DAY + timedelta(hours=9)
        shared.use({"input": 2_000_000, "output": 400_000}, at=at, model=MODEL)
    node = world.nodes[0]
    _name(node, shared.deployment)
    UsageGap.objects.create(
        node=node,
        subject="node",
        reason="node_silent",
        from_at=MARCH + DAY,
        to_at=MARCH + 2 * DAY,
    )
    substitution = _corrected(cast, node, shared.deployment)
    lease = world.lease(2, from_at=MARCH + 9 * DAY, to_at=APRIL, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL + DAY).invoice
    sum_day(provider_id=cast.provider.id, day=MARCH.date(), now=APRIL + DAY)
    assert invoice is not None
    assert make_documents(subject_id=invoice.pk, public_url="https://bills.example", now=APRIL + DAY)
    assert invoice.number is not None
    words = (
        MODEL,
        node.cluster.slug,
        node.name,
        shared.deployment.slug,
        invoice.number,
        str(invoice.id),
        world.contract.number,
        cast.alice.email,
        cast.petra.email,
        REASON,
    )
    return Filled(
        node.cluster,
        node,
        shared.deployment,
        lease,
        Accelerator.objects.select_related("node__cluster")
        .filter(slices__allocations__tenant=cast.tenant)
        .earliest("id"),
        invoice,
        invoice.number,
        substitution,
        *_announced(world),
        _quoted(world.contract, cast),
        _session(world),
        _statement(world, shared.term),
        _stated(cast.provider),
        _booked(invoice),
        _came_in(cast.provider),
        _limited(cast),
        words,
    )


def _booked(invoice: Invoice) -> dict[str, str]:
    """Where the invoice stands in the books."""
    entry = LedgerEntry.objects.get(posting__cause_id=invoice.id, account__kind=AccountKind.TENANT_RECEIVABLE)
    return {"account": str(entry.account_id), "posting": str(entry.posting_id)}


def _statement(world: World, term: Term) -> RevenueStatement:
    """A file of certified revenue, as it is kept."""
    fact = CertifiedRevenue(statement="sample", from_at=MARCH, to_at=APRIL, net_revenue_amount=Decimal(5))
    stated = TermFact.objects.create(
        term=term, at=MARCH, document=write_fact(fact), recorded_by="alice@example.com", recorded_at=APRIL
    )
    return RevenueStatement.objects.create(
        term=term,
        period=world.period(),
        fact=stated,
        currency="USD",
        net_revenue_amount=5,
        document=b"item,amount,currency\nsample,5,USD\n",
        sha256="0" * 64,
        certified_by="Alice",
        uploaded_by="alice@example.com",
        created_at=APRIL,
    )


def _stated(provider: Organization) -> ProviderStatement:
    """What the provider earned in March."""
    made = make_statement(provider_id=provider.id, currency="USD", month=MARCH.date(), now=APRIL + 31 * DAY)
    assert made is not None
    return made


def _came_in(provider: Organization) -> BankLine:
    """A movement on the provider's account that nobody knows yet."""
    make_account(provider)
    return take_one(provider, Movement("9.00", "quartz"))


def _limited(cast: Cast) -> dict[str, str]:
    """A budget that the tenant keeps to itself, and a limit of the provider."""
    rule = Rule(Scope.MODEL, MODEL, Measure.COST, "USD", Per.MONTH, "UTC", Decimal(5), (100,))
    return {
        name: str(
            make_budget(
                organization=party, side=side, name=f"quartz {name}", rule=rule, by="tests", now=timezone.now()
            ).pk
        )
        for name, party, side in (("budget", cast.tenant, Side.TENANT), ("limit", cast.provider, Side.PROVIDER))
    }


def _announced(world: World) -> tuple[PriceDraft, PriceNotice]:
    """A draft of prices, and another list that is announced."""
    now, book = timezone.now(), world.book
    assert book is not None
    draft = start_draft(book=book, effective_at=now + 60 * DAY, by="petra@example.com", now=now)
    prices = {key: 2 * price for key, price in read_rows(draft.prices, where="prices").items()}
    version = publish_prices(book=book, effective_at=now + 30 * DAY, prices=prices, now=now)
    return draft, PriceNotice.objects.get(version=version)


def _quoted(contract: Contract, cast: Cast) -> Quote:
    """A price that stood until April."""
    return Quote.objects.create(
        contract=contract, number="Q-quartz", asked_by=cast.tenant, accelerator_model=H100, count=1, from_at=APRIL,
        to_at=APRIL + DAY, price_per_gpu_hour=2, amount=48, wording={"kind": "lease"}, created_at=MARCH,
        expires_at=APRIL,
    )  # fmt: skip


def _session(world: World) -> Session:
    """A card taken on demand for an hour of April."""
    session = start(agree(world, ON_DEMAND, ref="D-quartz"), at=APRIL)
    stop_session(session=session, at=APRIL + timedelta(hours=1), by="alice", now=APRIL + timedelta(hours=1))
    return session


def _name(node: Node, deployment: Deployment) -> None:
    """Names that stand nowhere else, so that finding one on a page means something."""
    node.name = "quartz-node"
    node.save(update_fields=["name"])
    node.cluster.slug, node.cluster.name = "quartz-site", "Quartz site"
    node.cluster.save(update_fields=["slug", "name"])
    deployment.slug, deployment.name = "quartz-service", "Quartz service"
    deployment.save(update_fields=["slug", "name"])


def _corrected(cast: Cast, node: Node, deployment: Deployment) -> Substitution:
    """A finding in an hour of the node, a value that took its place, and one that waits: who decides is not petra."""
    paul = make_user("paul@example.com", cast.provider, Role.ADMIN)
    meter = Meter.objects.create(witness=Witness.ENGINE, node=node, model=MODEL, quantity="output")
    made = []
    for hour in (9, 10):
        at = MARCH + 4 * DAY + timedelta(hours=hour)
        UsageHour.objects.create(
            meter=meter, witness=Witness.ENGINE, quantity="output", model=MODEL, hour_at=at, from_at=at,
            to_at=at + timedelta(hours=1), deployment=deployment, tenant=cast.tenant, quality="A",
            rule="same_epoch_rise", value=1_000, records=1, updated_at=at,
        )  # fmt: skip
        UsageFinding.objects.create(
            node=node, meter=meter, hour_at=at, rule="high", severity="info", observed=1_000, expected=10,
            found_at=at, updated_at=at,
        )  # fmt: skip
        made.append(
            propose_substitution(
                provider=cast.provider, by=paul, meter_id=meter.id, from_at=at, value=900, reason=REASON, now=at
            )
        )
    decided, waits = made
    decide_substitution(
        provider=cast.provider, by=cast.petra, substitution_id=decided.id, approve=True, now=decided.proposed_at
    )
    return waits


def api_key(organization: Organization, scopes: Sequence[str] = tuple(SCOPES)) -> str:
    """The secret of a new key."""
    now = timezone.now()
    return issue_key(organization=organization, name="sample", scopes=scopes, actor="tests", now=now).secret
