"""Lists of the API that a test can fill row by row: how a row of each arrives, and who reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from billing.budgets.rules import Measure, Per, Rule
from billing.budgets.rules import Scope as BudgetScope
from billing.budgets.setting import make_budget
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.models import Coupon, CreditReason, Payment
from billing.models.tax import TaxRate
from billing.queries.usage import Side
from clusters.models import Accelerator, Cluster, Node, Slice
from metering.key_models import Project
from tenants.hook_models import WebhookEndpoint
from tenants.invitation_models import Invitation
from tenants.models import AuditEntry
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.factories import (
    EPOCH,
    make_accelerator,
    make_allocation,
    make_cluster,
    make_contract,
    make_deployment,
    make_endpoint,
    make_node,
    make_price_book,
    make_slice,
    make_user,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

    from tests.factories import Cast

_numbers = count(1)


@dataclass(frozen=True)
class Filling:
    """A list, who reads it, and how one more row of it comes to be at a random place of its order."""

    path: str
    add: Callable[[Cast, Random], object]
    party: str = "provider"

    @property
    def rows(self) -> str:
        """The member of the answer that holds the rows."""
        return self.path.replace("-", "_")

    def __str__(self) -> str:
        return self.path


def some_time(random: Random) -> datetime:
    """Some hour of March: rows share instants, and arrive before and after those that are there."""
    return EPOCH + timedelta(hours=random.randrange(6))


def cluster_of(cast: Cast) -> Cluster:
    return Cluster.objects.filter(provider=cast.provider).first() or make_cluster(cast.provider)


def node_of(cast: Cast) -> Node:
    return Node.objects.filter(cluster__provider=cast.provider).first() or make_node(cluster_of(cast))


def card_of(cast: Cast) -> Accelerator:
    return Accelerator.objects.filter(node__cluster__provider=cast.provider).first() or make_accelerator(node_of(cast))


def add_cluster(cast: Cast, random: Random) -> None:
    made = make_cluster(cast.provider, f"site-{next(_numbers)}")
    Cluster.objects.filter(pk=made.pk).update(created_at=some_time(random))


def add_node(cast: Cast, random: Random) -> None:
    made = make_node(cluster_of(cast))
    Node.objects.filter(pk=made.pk).update(created_at=some_time(random))


def add_card(cast: Cast, random: Random) -> None:
    make_accelerator(make_node(cluster_of(cast)), random.randrange(8))


def add_slice(cast: Cast, random: Random) -> Slice:
    made = make_slice(card_of(cast), 1)
    Slice.objects.filter(pk=made.pk).update(created_at=some_time(random))
    return made


def add_allocation(cast: Cast, random: Random) -> None:
    make_allocation(add_slice(cast, random), cast.tenant, some_time(random))


def add_budget(cast: Cast, random: Random) -> None:
    rule = Rule(BudgetScope.ORGANIZATION, "", Measure.COST, "USD", Per.MONTH, "UTC", Decimal(5), (100,))
    make_budget(
        organization=cast.tenant,
        side=Side.TENANT,
        name=f"{random.choice('abc')} {next(_numbers)}",
        rule=rule,
        by="tests",
        now=some_time(random),
    )


def add_audit_entry(cast: Cast, random: Random) -> None:
    AuditEntry.objects.create(
        organization=cast.provider,
        actor=random.choice(("petra@example.com", "=1+1")),
        action="key.made",
        subject=f"s-{next(_numbers)}",
        after={"name": 'a, "b"'},
        at=some_time(random),
    )


def add_invitation(cast: Cast, random: Random) -> None:
    number = next(_numbers)
    at = some_time(random)
    Invitation.objects.create(
        organization=cast.provider,
        email=f"p{number}@example.com",
        role="viewer",
        language="en",
        invited_by="petra@example.com",
        token_sha256=number.to_bytes(32, "big"),
        created_at=at,
        expires_at=at + timedelta(days=7),
    )


def add_member(cast: Cast, random: Random) -> None:
    make_user(f"{random.choice('abc')}{next(_numbers)}@example.com", cast.provider)


def add_project(cast: Cast, random: Random) -> None:
    number = next(_numbers)
    Project.objects.create(
        tenant=cast.tenant, slug=f"p-{number}", name=f"Project {number}", created_at=some_time(random)
    )


def add_webhook(cast: Cast, random: Random) -> None:
    WebhookEndpoint.objects.create(
        organization=cast.tenant,
        url=f"https://hooks.example.com/{next(_numbers)}",
        kinds=random.choice(([], ["invoice.*"])),
        secret="whsec_sample",
        created_at=some_time(random),
    )


def add_coupon(cast: Cast, random: Random) -> None:
    number = next(_numbers)
    Coupon.objects.create(
        provider=cast.provider,
        code=f"CODE-{number}",
        title=random.choice(("Spring", "-5 %", "a; b")),
        document={"kind": "discount", "percent": "5", "coupon": {"code": f"CODE-{number}"}},
        created_at=some_time(random),
    )


def add_tax_rate(cast: Cast, random: Random) -> None:
    TaxRate.objects.create(
        provider=cast.provider,
        country=random.choice(("DE", "FR")),
        buyers="all",
        category="S",
        percent=random.randrange(20),
        from_on=some_time(random).date(),
        created_at=EPOCH,
        created_by="tests",
    )


def add_contract(cast: Cast, random: Random) -> None:
    made = make_contract(cast.provider, cast.tenant, from_at=EPOCH)
    type(made).objects.filter(pk=made.pk).update(created_at=some_time(random))


def add_payment(cast: Cast, random: Random) -> None:
    invoice = make_issued((Line("5.00"),), parties=(cast.provider, cast.tenant))
    number = next(_numbers)
    Payment.objects.create(
        invoice=invoice,
        amount=Decimal("5.00"),
        method="bank_transfer",
        reference=f"ref-{number}",
        currency="USD",
        received_at=some_time(random),
    )


def add_credit_note(cast: Cast, random: Random) -> None:
    invoice = make_issued((Line("5.00"),), parties=(cast.provider, cast.tenant))
    issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope((), Decimal("1.00")),
        reason=CreditReason.GOODWILL,
        note="Sorry.",
        by="tests",
        now=ISSUED_AT + timedelta(hours=random.randrange(6)),
    )


FILLINGS = [
    Filling("accelerators", add_card),
    Filling("allocations", add_allocation),
    Filling("audit", add_audit_entry),
    Filling("budgets", add_budget, party="tenant"),
    Filling("clusters", add_cluster),
    Filling("contracts", add_contract),
    Filling("coupons", add_coupon),
    Filling("credit-notes", add_credit_note),
    Filling("deployments", lambda cast, _random: make_deployment(cast.provider, cast.tenant)),
    Filling("endpoints", lambda cast, _random: make_endpoint(node_of(cast))),
    Filling("invitations", add_invitation),
    Filling("members", add_member),
    Filling("nodes", add_node),
    Filling("payments", add_payment),
    Filling("price-books", lambda cast, _random: make_price_book(cast.provider)),
    Filling("projects", add_project, party="tenant"),
    Filling("slices", add_slice),
    Filling("tax-rates", add_tax_rate),
    Filling("webhook-endpoints", add_webhook, party="tenant"),
]
