"""Contracts of an organization with their terms and open period, and the prices in force."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Prefetch, Q

from billing.models import (
    BillingPeriod,
    Contract,
    GpuPrice,
    PeriodState,
    PriceVersion,
    Term,
    TokenPrice,
)
from billing.rating.wording import Stretch, Wording
from billing.terms import with_wordings
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class TermRow:
    """A term as agreed by now: its wordings in order of time; `slices` counts the slices ever held under it."""

    ref: str
    kind: str
    title: str
    slices: int
    stretches: tuple[Stretch[Wording], ...]
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """An open billing period; `rated_at` says up to when it is charged."""

    from_at: datetime
    to_at: datetime
    rated_at: datetime | None


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract as both parties read it."""

    id: UUID
    number: str
    provider: str
    tenant: str
    currency: str
    time_zone: str
    version: int
    state: str
    from_at: datetime
    to_at: datetime | None
    period_kind: str
    price_book: str
    collection: str
    due_days: int
    operator_fee_percent: Decimal
    terms: tuple[TermRow, ...]
    open_periods: tuple[PeriodRow, ...]


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A model's prices in a version: per 1M tokens by class, or per GPU-hour for an accelerator model.

    `tiers` are the prices per 1M tokens of long requests, by the input tokens that a request must exceed.
    """

    book_id: UUID
    book: str
    currency: str
    version: int
    announced_at: datetime
    effective_at: datetime
    in_force: bool
    model: str
    per_mtok: Mapping[str, Decimal]
    tiers: Mapping[int, Mapping[str, Decimal]]
    per_gpu_hour: Decimal | None


def contract_rows(organization: Organization) -> tuple[ContractRow, ...]:
    """Return every contract an organization is a party of; four queries, whatever their number."""
    terms = Term.objects.annotate(slices=Count("allocations__allocation__slice", distinct=True))
    found = (
        Contract.objects.for_org(organization)
        .select_related("provider", "tenant", "price_book")
        .prefetch_related(
            Prefetch("terms", with_wordings(terms)),
            Prefetch("periods", BillingPeriod.objects.filter(state=PeriodState.OPEN).order_by("from_at")),
        )
        .order_by("number")
    )
    return tuple(_contract_row(contract) for contract in found)


def price_rows(organization: Organization, now: datetime) -> tuple[PriceRow, ...]:
    """Return the prices of the organization's contracts and books that are in force or announced; four queries."""
    versions = list(
        PriceVersion.objects.filter(Q(book__contracts__tenant=organization) | Q(book__provider=organization))
        .select_related("book")
        .distinct()
        .order_by("book__name", "effective_at")
    )
    latest = {version.book_id: version.id for version in versions if version.effective_at <= now}
    shown = [each for each in versions if each.effective_at > now or latest.get(each.book_id) == each.id]
    tokens: dict[tuple[UUID, str], dict[int, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    for price in TokenPrice.objects.filter(version__in=shown).order_by("model", "context_over", "token_class"):
        tokens[price.version_id, price.model][price.context_over][price.token_class] = price.price_per_mtok
    gpus: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    for gpu in GpuPrice.objects.filter(version__in=shown).order_by("accelerator_model"):
        gpus[gpu.version_id][gpu.accelerator_model] = gpu.price_per_gpu_hour
    rows: list[PriceRow] = []
    for version in shown:
        in_force = latest.get(version.book_id) == version.id
        for (version_id, model), prices in tokens.items():
            if version_id == version.id:
                rows.append(_price_row(version, in_force, model, prices, None))
        for model, rate in gpus[version.id].items():
            rows.append(_price_row(version, in_force, model, {}, rate))
    return tuple(rows)


def _price_row(
    version: PriceVersion, in_force: bool, model: str, prices: Mapping[int, Mapping[str, Decimal]], rate: Decimal | None
) -> PriceRow:
    return PriceRow(
        book_id=version.book_id,
        book=version.book.name,
        currency=version.book.currency,
        version=version.number,
        announced_at=version.announced_at,
        effective_at=version.effective_at,
        in_force=in_force,
        model=model,
        per_mtok=prices.get(0, {}),
        tiers={over: dict(of_tier) for over, of_tier in prices.items() if over},
        per_gpu_hour=rate,
    )


def _contract_row(contract: Contract) -> ContractRow:
    return ContractRow(
        id=contract.id,
        number=contract.number,
        provider=contract.provider.name,
        tenant=contract.tenant.name,
        currency=contract.currency,
        time_zone=contract.time_zone,
        version=contract.version,
        state=contract.state,
        from_at=contract.from_at,
        to_at=contract.to_at,
        period_kind=contract.period_kind,
        price_book=contract.price_book.name if contract.price_book else "",
        collection=contract.collection,
        due_days=contract.due_days,
        operator_fee_percent=contract.operator_fee_percent,
        terms=tuple(
            TermRow(
                term.ref,
                term.kind,
                term.title,
                getattr(term, "slices"),  # noqa: B009  an annotation, which the type does not know
                term.stretches(),
                term.from_at,
                term.to_at,
            )
            for term in contract.terms.all()
        ),
        open_periods=tuple(
            PeriodRow(period.from_at, period.to_at, period.rated_at) for period in contract.periods.all()
        ),
    )
