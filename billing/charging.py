"""Booking charges: rate a period's whole total, and book the difference to what is booked.

Done again it books nothing; done later it books what came since; usage that arrives late for an hour already charged
comes out as an addition, a correction as a negative charge. The order and number of runs never change the sum.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from billing.bases import Grain, read_bases, read_basis, window_of
from billing.basis import PeriodBasis, rate
from billing.cuts import ensure_all_cuts
from billing.models import BillingPeriod, Charge, Contract, ContractState, PeriodState, Term, UnpricedUsage
from billing.money import exact_sum
from billing.periods import Period, PeriodKind, PeriodSpec, next_period, period_containing
from billing.rating.cumulative import Booked, ChargeDelta, difference
from billing.rating.kinds import KINDS
from billing.rating.price_rules import price_row
from billing.rating.rated import Rated, RatedLine, Unpriced

logger = logging.getLogger(__name__)

CHARGE_BATCH_ROWS = 2_000
TOGETHER = 32
"""Periods charged in one transaction: what they are rated from is read and booked by the same statements."""
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Charged:
    """What a run booked: how many charges, and the whole rating behind them; None for a closed period."""

    charges: int
    rated: Rated | None


@transaction.atomic
def ensure_periods(*, contract: Contract, now: datetime) -> list[BillingPeriod]:
    """Store the billing periods of a contract that have begun by `now` and are not stored; return those.

    A stored period is never computed again: the next one begins where the latest ends.
    """
    contract = Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    return ensure_all_periods([contract], now=now)


def ensure_all_periods(
    contracts: Sequence[Contract], *, now: datetime, terms: Sequence[Term] | None = None
) -> list[BillingPeriod]:
    """Do `ensure_periods` for contracts that the caller has locked; few queries. `terms` are theirs, if read."""
    of_contract = BillingPeriod.objects.filter(contract__in=contracts).values_list("contract_id")
    latest = dict(of_contract.annotate(last=Max("to_at")).order_by())
    missing = {
        contract.pk: _missing(contract, latest.get(contract.pk) or contract.from_at, now) for contract in contracts
    }
    stored = BillingPeriod.objects.bulk_create([row for rows in missing.values() for row in rows])
    grown = [contract for contract in contracts if missing[contract.pk]]
    if grown:
        ensure_all_cuts(grown, terms=terms)
    return stored


def _missing(contract: Contract, begin: datetime, now: datetime) -> list[BillingPeriod]:
    if begin > now or (contract.to_at is not None and begin >= contract.to_at):
        return []
    spec, found = _spec(contract), []
    period: Period | None = period_containing(spec, begin)
    while period is not None and period.from_at <= now:
        found.append(_stored_period(contract, period, max(period.from_at, begin)))
        period = next_period(spec, period)
    return found


def without_period(*, now: datetime) -> list[Contract]:
    """Return the contracts that have begun and whose current or last billing period is not stored yet."""
    reaching = BillingPeriod.objects.filter(Q(to_at__gt=now) | Q(to_at__gte=OuterRef("to_at")), contract=OuterRef("pk"))
    return list(
        Contract.objects.filter(
            ~Exists(reaching),
            from_at__lte=now,
            state__in=(ContractState.ACTIVE, ContractState.TERMINATED, ContractState.ENDED),
        ).order_by("pk")
    )


def needed_from(*, now: datetime) -> datetime:
    """Return the instant from which usage and what it was made from may still be asked for: the start of the oldest
    period that is not closed, or that is not stored yet."""
    unclosed = BillingPeriod.objects.exclude(state=PeriodState.CLOSED).aggregate(at=Min("from_at"))["at"]
    waiting = Contract.objects.filter(pk__in=[contract.pk for contract in without_period(now=now)])
    begins = waiting.annotate(at=Coalesce(Max("periods__to_at"), F("from_at"))).aggregate(first=Min("at"))["first"]
    return min(at for at in (now, unclosed, begins) if at is not None)


def due_for_charging(*, now: datetime) -> list[tuple[UUID, datetime]]:
    """Return (period id, up to) of the open periods that have a full hour which was never charged.

    What was not charged for more than a day is charged day by day, in the contract's days, so that each charge of a
    line of the whole period stands on the day of its usage. The sum does not depend on it.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    due = BillingPeriod.objects.filter(
        Q(rated_at__isnull=True) | (Q(rated_at__lt=F("to_at")) & Q(rated_at__lt=hour)),
        state=PeriodState.OPEN,
        from_at__lt=hour,
    )
    rows = due.order_by("pk").values_list("pk", "from_at", "to_at", "rated_at", "contract__time_zone")
    return [
        (key, up_to)
        for key, from_at, to_at, rated_at, zone in rows
        for up_to in (*_days_over(rated_at or from_at, min(hour, to_at), zone), hour)
    ]


def _days_over(from_at: datetime, to_at: datetime, zone_name: str) -> list[datetime]:
    """Return the ends of the local days that end within `(from_at, to_at)`; none in a zone that nobody knows."""
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError):
        # Charging itself fails on it, and by itself: other contracts are not held up.
        return []
    ends: list[datetime] = []
    day = from_at.astimezone(zone).date() + DAY
    while (end := datetime.combine(day, time.min, zone).astimezone(UTC)) < to_at:
        if end > from_at:
            ends.append(end)
        day += DAY
    return ends


@transaction.atomic
def charge_period(*, period_id: UUID, up_to: datetime, now: datetime, wait: bool = True) -> Charged:
    """Book what an open period is worth up to an instant and is not booked yet.

    Never looks at less of the period than was charged before. A closed period is left as it is, and without `wait`
    one that somebody is at.
    """
    locked = BillingPeriod.objects.select_for_update(of=("self",), skip_locked=not wait)
    period = locked.select_related("contract").filter(pk=period_id).first()
    if period is None or period.state != PeriodState.OPEN:
        return Charged(0, None)
    return charge_locked(period=period, up_to=up_to, now=now)


def charge_due(*, now: datetime) -> int:
    """Book every full hour that was never charged, some periods together; return how many were due.

    One that fails holds up no other; what it was due for is due in the next sweep.
    """
    due: dict[datetime, list[UUID]] = defaultdict(list)
    for period_id, up_to in due_for_charging(now=now):
        due[up_to].append(period_id)
    for up_to, ids in sorted(due.items()):
        for begin in range(0, len(ids), TOGETHER):
            charge_batch(period_ids=ids[begin : begin + TOGETHER], up_to=up_to, now=now)
    return sum(map(len, due.values()))


def charge_batch(*, period_ids: Sequence[UUID], up_to: datetime, now: datetime) -> int:
    """Do `charge_together`; where that fails, charge each by itself, and log those that fail. Return the charges."""
    try:
        return charge_together(period_ids=period_ids, up_to=up_to, now=now)
    except Exception:
        if len(period_ids) == 1:
            logger.exception("charging period %s", period_ids[0])
            return 0
        logger.warning("charging %s periods together; each is tried by itself", len(period_ids), exc_info=True)
    return sum(charge_batch(period_ids=[period_id], up_to=up_to, now=now) for period_id in period_ids)


@transaction.atomic
def charge_together(*, period_ids: Sequence[UUID], up_to: datetime, now: datetime) -> int:
    """Do `charge_period` for several in one transaction, all or none, without those that somebody is at.

    What they are rated from is read at once. Returns how many charges were booked.
    """
    locked = BillingPeriod.objects.select_for_update(of=("self",), skip_locked=True).select_related("contract")
    periods = list(locked.filter(pk__in=period_ids, state=PeriodState.OPEN).order_by("pk"))
    if not periods:
        return 0
    windows = [window_of(period, to_at=_until(period, up_to)) for period in periods]
    bases = read_bases(windows, grain=Grain.PERIOD)
    return sum(charged.charges for charged in charge_all(list(zip(periods, bases, strict=True)), now=now))


def _until(period: BillingPeriod, up_to: datetime) -> datetime:
    """Never less of the period than was charged before."""
    return min(period.to_at, max(up_to, period.rated_at or period.from_at))


def charge_locked(*, period: BillingPeriod, up_to: datetime, now: datetime) -> Charged:
    """Do `charge_period` on a row that the caller has locked and found open."""
    basis = read_basis(window_of(period, to_at=_until(period, up_to)), grain=Grain.PERIOD)
    [charged] = charge_all([(period, basis)], now=now)
    return charged


def charge_all(read: Sequence[tuple[BillingPeriod, PeriodBasis]], *, now: datetime) -> list[Charged]:
    """Book what periods are worth by what was read of them and is not booked yet, in their order; few queries.

    The caller has locked them, found them open, and read each for as far as it was rated before, or further, but no
    further than it goes: one that was cut short after it was rated is rated to its new end.
    """
    periods = [period for period, _ in read]
    rated = [rate(basis) for _, basis in read]
    booked = _booked(periods)
    deltas = [difference(each.lines, booked[period.pk]) for period, each in zip(periods, rated, strict=True)]
    _book(list(zip(periods, deltas, strict=True)), now)
    _keep_unpriced([(period, each.unpriced) for period, each in zip(periods, rated, strict=True)], now)
    further: dict[datetime, list[UUID]] = defaultdict(list)
    for period, basis in read:
        assert basis.from_at == period.from_at
        assert basis.to_at >= min(period.rated_at or period.from_at, period.to_at)
        if period.rated_at != basis.to_at:
            period.rated_at = basis.to_at
            further[basis.to_at].append(period.pk)
    for until, ids in further.items():
        BillingPeriod.objects.filter(pk__in=ids).update(rated_at=until)
    return [Charged(len(found), each) for found, each in zip(deltas, rated, strict=True)]


def _stored_period(contract: Contract, period: Period, from_at: datetime) -> BillingPeriod:
    whole = (from_at, period.to_at) == (period.whole_from_at, period.whole_to_at)
    return BillingPeriod(
        contract=contract,
        from_at=from_at,
        to_at=period.to_at,
        whole_seconds=None if whole else period.whole_seconds,
    )


def _spec(contract: Contract) -> PeriodSpec:
    return PeriodSpec(
        kind=PeriodKind(contract.period_kind),
        zone=contract.time_zone,
        starts_at=contract.from_at,
        ends_at=contract.to_at,
        length_s=contract.period_length_s,
    )


def _booked(periods: Sequence[BillingPeriod]) -> Mapping[UUID, dict[str, Booked]]:
    found: dict[UUID, dict[str, Booked]] = defaultdict(dict)
    sums = Charge.objects.filter(period__in=periods).values_list("period_id", "line_key").order_by()
    rows = sums.annotate(quantities=Sum("quantity"), bases=Sum("base_amount"), amounts=Sum("amount"))
    for period_id, key, *sums_of in rows:
        found[period_id][key] = Booked(*sums_of)
    return found


def _book(found: Sequence[tuple[BillingPeriod, Sequence[ChargeDelta]]], now: datetime) -> None:
    moved = [(period, deltas) for period, deltas in found if deltas]
    if not moved:
        return
    keys = {delta.line_key for _, deltas in moved for delta in deltas}
    # The latest charge of a line says its number in the line, and what a withdrawn line was about.
    latest = {
        (charge.period_id, charge.line_key): charge
        for charge in Charge.objects.filter(period__in=[period for period, _ in moved], line_key__in=keys)
        .order_by("period_id", "line_key", "-seq")
        .distinct("period_id", "line_key")
    }
    charges: list[Charge] = []
    for period, deltas in moved:
        zone = ZoneInfo(period.contract.time_zone)
        charges += [_charge(period, each, latest.get((period.pk, each.line_key)), zone, now) for each in deltas]
    Charge.objects.bulk_create(charges, batch_size=CHARGE_BATCH_ROWS)


def _charge(period: BillingPeriod, delta: ChargeDelta, latest: Charge | None, zone: ZoneInfo, now: datetime) -> Charge:
    charge = Charge(
        period=period,
        line_key=delta.line_key,
        seq=latest.seq + 1 if latest else 1,
        quantity=delta.quantity,
        base_amount=delta.base_amount,
        amount=delta.amount,
        created_at=now,
    )
    line = delta.rated
    if line is None:
        assert latest is not None, delta.line_key
        for name in _DESCRIPTION:
            setattr(charge, name, getattr(latest, name))
        charge.quality = {}
        return charge
    charge.contract_version = line.contract_version
    charge.term_kind = line.term_kind
    charge.term_ref = line.term_ref
    charge.rule = line.rule
    charge.price_version_id = price_row(line.price_version_id)
    charge.model = line.model
    charge.token_class = line.token_class
    charge.context_over = line.context_over
    charge.day = _day_of(line).astimezone(zone).date()
    charge.from_at = line.from_at
    charge.to_at = line.to_at
    charge.unit = line.unit
    charge.unit_price = line.price.amount
    charge.unit_price_unit = line.price.unit
    charge.quality = {quality: str(quantity) for quality, quantity in sorted(line.quality_mix.items())}
    return charge


def _day_of(line: RatedLine) -> datetime:
    """Return an instant of the day that a charge belongs to: of a line of the whole period, of its latest use."""
    kind = KINDS[line.term_kind]
    return line.from_at if kind.by_day or kind.takes_slices else max(line.from_at, line.to_at - INSTANT)


_DESCRIPTION = (
    "contract_version",
    "term_kind",
    "term_ref",
    "rule",
    "price_version_id",
    "model",
    "token_class",
    "context_over",
    "day",
    "from_at",
    "to_at",
    "unit",
    "unit_price",
    "unit_price_unit",
)
"""What a charge says of its line beside the difference."""


def _keep_unpriced(found: Sequence[tuple[BillingPeriod, Iterable[Unpriced]]], now: datetime) -> None:
    """Show what has no price, and mark what has one by now as resolved."""
    waiting: dict[tuple[UUID, str, str, str], list[Unpriced]] = defaultdict(list)
    periods = {period.pk: period for period, _ in found}
    for period, unpriced in found:
        for usage in unpriced:
            waiting[period.pk, usage.term_ref, usage.model, usage.token_class].append(usage)
    rows = UnpricedUsage.objects.filter(period__in=list(periods))
    stored = {(row.period_id, row.term_ref, row.model, row.token_class): row for row in rows}
    for key, usages in waiting.items():
        _show_unpriced(periods[key[0]], stored.get(key), usages, now)
    priced = [row.pk for key, row in stored.items() if key not in waiting and row.resolved_at is None]
    if priced:
        UnpricedUsage.objects.filter(pk__in=priced).update(resolved_at=now)


def _show_unpriced(period: BillingPeriod, row: UnpricedUsage | None, usages: Sequence[Unpriced], now: datetime) -> None:
    quantity = exact_sum(usage.quantity for usage in usages)
    if row is None:
        first = usages[0]
        UnpricedUsage.objects.create(
            period=period,
            term_ref=first.term_ref,
            model=first.model,
            token_class=first.token_class,
            quantity=quantity,
            unit=first.unit,
            first_seen_at=now,
            last_seen_at=now,
        )
    elif (row.quantity, row.resolved_at) != (quantity, None):
        UnpricedUsage.objects.filter(pk=row.pk).update(quantity=quantity, last_seen_at=now, resolved_at=None)


def unresolved(*, period: BillingPeriod) -> Mapping[str, Decimal]:
    """Return the usage of a period that has no price, by a name for people."""
    return unresolved_by_period([period.pk]).get(period.pk, {})


def unresolved_by_period(period_ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Decimal]]:
    """Do `unresolved` for many; one query. A period in which everything has a price has no entry."""
    found: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    rows = UnpricedUsage.objects.filter(period__in=period_ids, resolved_at__isnull=True)
    for row in rows.order_by("term_ref", "model", "token_class"):
        name = " ".join(filter(None, (row.term_ref, row.model, row.token_class, row.unit)))
        found[row.period_id][name] = row.quantity
    return found
