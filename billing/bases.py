"""Reads what billing periods are rated from; the number of queries does not grow with contracts, terms or usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    DateField,
    Expression,
    F,
    Func,
    IntegerField,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)

from billing.basis import BILLED_QUALITIES, LeaseBasis, PeriodBasis, ShareBasis, Usage
from billing.models import Contract, Lease, LeaseAllocation, TokenShare, TokenShareDeployment
from billing.price_versions import load_versions
from billing.rating.book import PriceVersion, TokenClass
from clusters.occupancy import Hold
from metering.models import UsageHour, Witness

TOKEN_CLASSES = tuple(TokenClass)


@dataclass(frozen=True, slots=True)
class Window:
    """The time `[from_at, to_at)` in which a contract is looked at."""

    contract: Contract
    from_at: datetime
    to_at: datetime


class _DayIn(Func):
    """The day of an instant in an IANA time zone given by an expression."""

    arity = 2
    template = "((%(expressions)s)::date)"
    arg_joiner = " AT TIME ZONE "
    output_field = DateField()


def read_basis(*, contract: Contract, from_at: datetime, to_at: datetime, by_hour: bool = False) -> PeriodBasis:
    """Return what one contract is rated from over `[from_at, to_at)`."""
    return read_bases([Window(contract, from_at, to_at)], by_hour=by_hour)[contract.id]


def read_bases(windows: Sequence[Window], *, zone: str | None = None, by_hour: bool = False) -> dict[UUID, PeriodBasis]:
    """Return what contracts are rated from, by contract id, each over its own window.

    Usage is summed per day (of the contract's time zone, or of `zone`) and stretch between price changes; with
    `by_hour` it is left in its hours. An hour that begins before a window's end counts whole: hours are cut at the
    ends of periods.
    """
    by_contract = {window.contract.id: window for window in windows}
    versions = _versions(windows)
    leases = _leases(by_contract)
    shares = _shares(by_contract, versions, zone=zone, by_hour=by_hour)
    return {
        key: PeriodBasis(
            contract=window.contract.number,
            contract_version=window.contract.version,
            currency=window.contract.currency,
            zone=zone or window.contract.time_zone,
            from_at=window.from_at,
            to_at=window.to_at,
            versions=_in_window(versions.get(window.contract.price_book_id, ()), window),
            leases=tuple(leases[key]),
            shares=tuple(shares[key]),
        )
        for key, window in by_contract.items()
    }


def billed_usage(terms: Iterable[tuple[TokenShare, Window]]) -> QuerySet[UsageHour]:
    """Return the usage hours that bill under share terms within windows: billing witness, tokens, sure qualities."""
    chosen: dict[tuple[str, datetime, datetime], list[UUID]] = defaultdict(list)
    for term, window in terms:
        from_at = max(term.from_at, window.from_at)
        to_at = window.to_at if term.to_at is None else min(term.to_at, window.to_at)
        chosen[term.witness, from_at, to_at].append(term.id)
    which = Q(pk__in=[])
    for (witness, from_at, to_at), term_ids in sorted(chosen.items(), key=lambda item: item[0]):
        deployments = TokenShareDeployment.objects.filter(term_id__in=term_ids).values("deployment_id")
        which |= Q(deployment_id__in=deployments, witness=witness, from_at__gte=from_at, from_at__lt=to_at)
    return UsageHour.objects.filter(which, quantity__in=TOKEN_CLASSES, quality__in=BILLED_QUALITIES)


def usage_records(usage: QuerySet[UsageHour]) -> int:
    """Return how many events and readings stand behind usage hours.

    An event counts once though its hours are kept per class: every event has input.
    """
    behind = usage.filter(~Q(witness=Witness.GATEWAY) | Q(quantity=TokenClass.INPUT))
    return int(behind.aggregate(records=Sum("records"))["records"] or 0)


def _versions(windows: Sequence[Window]) -> Mapping[UUID | None, tuple[PriceVersion, ...]]:
    books = {window.contract.price_book_id for window in windows if window.contract.price_book_id is not None}
    if not books:
        return {}
    return load_versions(
        book_ids=books,
        from_at=min(window.from_at for window in windows),
        to_at=max(window.to_at for window in windows),
    )


def _in_window(versions: Sequence[PriceVersion], window: Window) -> tuple[PriceVersion, ...]:
    """Keep the version in force at the window's start and those that start inside it."""
    started = [version for version in versions if version.effective_at <= window.from_at]
    later = [version for version in versions if window.from_at < version.effective_at < window.to_at]
    return (*started[-1:], *later)


def _leases(windows: Mapping[UUID, Window]) -> dict[UUID, list[LeaseBasis]]:
    holds: dict[UUID, list[Hold]] = defaultdict(list)
    for row in _held(windows).order_by("allocation__from_at", "allocation_id").iterator():
        slice_id, from_at, to_at, permille, card, model, lease_id = row
        holds[lease_id].append(Hold(str(slice_id), permille, from_at, to_at, str(card), model))
    found: dict[UUID, list[LeaseBasis]] = defaultdict(list)
    for lease in Lease.objects.filter(contract__in=list(windows), id__in=list(holds)).order_by("ref"):
        held = tuple(holds[lease.id])
        basis = LeaseBasis(lease.ref, lease.title, lease.price_per_gpu_hour, held)
        found[lease.contract_id].append(basis)
    return found


def _held(windows: Mapping[UUID, Window]) -> QuerySet[LeaseAllocation, tuple[Any, ...]]:
    which = Q(pk__in=[])
    for span, contracts in _by_span(windows).items():
        which |= Q(
            Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=span[0]),
            allocation__from_at__lt=span[1],
            lease__contract__in=contracts,
        )
    return LeaseAllocation.objects.filter(which).values_list(
        "allocation__slice_id",
        "allocation__from_at",
        "allocation__to_at",
        "allocation__slice__share_permille",
        "allocation__slice__accelerator_id",
        "allocation__slice__accelerator__model",
        "lease_id",
    )


def _shares(
    windows: Mapping[UUID, Window],
    versions: Mapping[UUID | None, tuple[PriceVersion, ...]],
    *,
    zone: str | None,
    by_hour: bool,
) -> dict[UUID, list[ShareBasis]]:
    terms = list(TokenShare.objects.filter(contract__in=list(windows)).order_by("ref"))
    terms = [term for term in terms if _touches(term, windows[term.contract_id])]
    usage: dict[UUID, list[Usage]] = defaultdict(list)
    if terms:
        # Hours in which nothing flowed would widen the span of a line, by day and by hour differently.
        rows = billed_usage((term, windows[term.contract_id]) for term in terms).exclude(value=0)
        rows = rows.annotate(term_id=F("deployment__token_share__term_id"))
        grouped = _grouped_by_hour(rows) if by_hour else _grouped_by_day(rows, _changes(windows, versions), zone)
        for row in grouped:
            usage[row["term_id"]].append(_usage(row))
    found: dict[UUID, list[ShareBasis]] = defaultdict(list)
    for term in terms:
        found[term.contract_id].append(
            ShareBasis(
                ref=term.ref,
                title=term.title,
                share_percent=term.share_percent,
                collected_by=term.collected_by,
                witness=term.witness,
                usage=tuple(usage[term.id]),
            )
        )
    return found


_ABOUT = ("term_id", "deployment_id", "model", "quantity", "quality", "context_over")


def _grouped_by_hour(rows: QuerySet[UsageHour]) -> Iterable[dict[str, Any]]:
    grouped: Iterable[dict[str, Any]] = (
        rows.values(*_ABOUT, "from_at")
        .annotate(tokens=Sum("value"), start=F("from_at"), end=Max("to_at"))
        .order_by(*_ABOUT, "from_at")
    )
    return grouped


def _grouped_by_day(
    rows: QuerySet[UsageHour], changes: Sequence[datetime], zone: str | None
) -> Iterable[dict[str, Any]]:
    where: Expression | F = Value(zone) if zone else F("deployment__token_share__term__contract__time_zone")
    stretch = Case(
        *(When(from_at__gte=at, then=Value(index)) for index, at in sorted(enumerate(changes, 1), reverse=True)),
        default=Value(0),
        output_field=IntegerField(),
    )
    grouped: Iterable[dict[str, Any]] = (
        rows.annotate(day=_DayIn("from_at", where), stretch=stretch)
        .values(*_ABOUT, "day", "stretch")
        .annotate(tokens=Sum("value"), start=Min("from_at"), end=Max("to_at"))
        .order_by(*_ABOUT, "day", "stretch")
    )
    return grouped


def _usage(row: Mapping[str, Any]) -> Usage:
    return Usage(
        deployment=str(row["deployment_id"]),
        model=row["model"],
        token_class=TokenClass(row["quantity"]),
        quality=row["quality"],
        from_at=row["start"],
        to_at=row["end"],
        tokens=int(row["tokens"]),
        context_over=row["context_over"],
    )


def _changes(
    windows: Mapping[UUID, Window], versions: Mapping[UUID | None, tuple[PriceVersion, ...]]
) -> list[datetime]:
    """Return every instant inside a window at which prices of its book change; all usage is cut at all of them."""
    return sorted(
        {
            version.effective_at
            for window in windows.values()
            for version in versions.get(window.contract.price_book_id, ())
            if window.from_at < version.effective_at < window.to_at
        }
    )


def _by_span(windows: Mapping[UUID, Window]) -> Mapping[tuple[datetime, datetime], Collection[UUID]]:
    spans: dict[tuple[datetime, datetime], list[UUID]] = defaultdict(list)
    for key, window in windows.items():
        spans[window.from_at, window.to_at].append(key)
    return spans


def _touches(term: TokenShare, window: Window) -> bool:
    return term.from_at < window.to_at and (term.to_at is None or term.to_at > window.from_at)
