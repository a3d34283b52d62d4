"""Rating of leases: slices held over time, at a rate per GPU-hour or a flat amount per period.

Rule of time: instants are rounded down to whole seconds (`clusters.occupancy`), so time is prorated by the
second and adjoining stretches add up exactly. Rule of money: an amount is GPU-seconds * rate / 3,600 as an
exact fraction.

The holds of a lease are first laid over each other: a stretch in which the same share of the same accelerator
model is held is one row, however many slices and allocations make it up. Four cards for half an hour and then
one for twenty minutes are two rows; so are 0.1 and then 0.2 of a card. Each row is cut where the price
version changes (unless the contract fixes the rate) and at the instants in `cut_at`, such as the starts of
days.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from billing.money import to_decimals
from billing.periods import Period
from billing.rating.book import PriceVersion
from billing.rating.rated import (
    Price,
    Rated,
    RatedLine,
    TermKind,
    Unit,
    Unpriced,
    UnpricedReason,
    line_key,
    per_gpu_hour,
    per_period,
)
from billing.rating.versions import version_in_force
from clusters.occupancy import WHOLE_PERMILLE, Hold, clip, instant_of_second, unix_second

RULE_FIXED_RATE = "lease_fixed_rate"
RULE_BOOK_RATE = "lease_book_rate"
RULE_FLAT = "lease_flat_per_period"

QUALITY_ACTUAL = "A"
"""Time held follows from allocations, which are facts and not readings."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """What a contract says of a lease: a fixed rate per GPU-hour, or None and the versions of the price book."""

    term_ref: str
    contract_version: int
    rate_per_gpu_hour: Decimal | None = None
    price_versions: Sequence[PriceVersion] = ()

    def __post_init__(self) -> None:
        assert self.term_ref
        assert self.rate_per_gpu_hour is None or self.rate_per_gpu_hour >= 0


@dataclass(frozen=True, slots=True)
class FlatTerms:
    """What a contract says of a lease at a flat amount per whole period, whatever is held."""

    term_ref: str
    contract_version: int
    amount_per_period: Decimal

    def __post_init__(self) -> None:
        assert self.term_ref
        assert self.amount_per_period >= 0


@dataclass(frozen=True, slots=True)
class Shape:
    """`share_permille` thousandths of cards of one model, held over the Unix seconds `[from_s, to_s)`."""

    accelerator_model: str
    share_permille: int
    from_s: int
    to_s: int

    @property
    def gpu_seconds(self) -> Decimal:
        """What was held, in GPU-seconds with three decimals."""
        return to_decimals(Fraction(self.share_permille * (self.to_s - self.from_s), WHOLE_PERMILLE), 3)


def rate_lease(
    terms: LeaseTerms,
    holds: Iterable[Hold],
    from_at: datetime,
    to_at: datetime,
    *,
    cut_at: Iterable[datetime] = (),
) -> Rated:
    """Rate what a lease held inside `[from_at, to_at)`: one line per shape, price version and cut."""
    assert from_at <= to_at
    lines: list[RatedLine] = []
    unpriced: list[Unpriced] = []
    edges = {unix_second(at) for at in cut_at}
    if terms.rate_per_gpu_hour is None:
        edges.update(unix_second(version.effective_at) for version in terms.price_versions)
    for shape in _cut(shapes(holds, from_at, to_at), edges):
        rated = _rate_shape(terms, shape)
        if isinstance(rated, RatedLine):
            lines.append(rated)
        else:
            unpriced.append(rated)
    return Rated(tuple(lines), tuple(unpriced))


def rate_flat(terms: FlatTerms, periods: Iterable[Period], from_at: datetime, to_at: datetime) -> Rated:
    """Rate a flat amount over the lease's own `[from_at, to_at)`: one line per period it touches.

    A period held throughout is one amount, whatever hours it has; a part is prorated by the second of that
    period.
    """
    assert from_at <= to_at
    lines: list[RatedLine] = []
    for period in periods:
        start, end = max(period.from_at, from_at), min(period.to_at, to_at)
        seconds = unix_second(end) - unix_second(start)
        if seconds <= 0:
            continue
        quantity = Decimal(seconds)
        price = per_period(terms.amount_per_period, period.whole_seconds)
        key = line_key(TermKind.LEASE, terms.term_ref, terms.contract_version, "flat", unix_second(start))
        lines.append(
            RatedLine(
                line_key=key,
                term_kind=TermKind.LEASE,
                term_ref=terms.term_ref,
                contract_version=terms.contract_version,
                price_version_id=None,
                rule=RULE_FLAT,
                model="",
                token_class="",
                quantity=quantity,
                unit=Unit.SECONDS,
                price=price,
                quality_mix={QUALITY_ACTUAL: quantity},
                from_at=start,
                to_at=end,
            )
        )
    return Rated(tuple(lines))


def shapes(holds: Iterable[Hold], from_at: datetime, to_at: datetime) -> tuple[Shape, ...]:
    """Lay holds over each other inside a window: stretches of constant share per accelerator model.

    The result is the same for a hold given in one piece or in adjoining pieces, and in any order.
    """
    changes: dict[str, dict[int, int]] = {}
    for hold in holds:
        span = clip(hold, from_at, to_at)
        if span is not None:
            by_second = changes.setdefault(hold.accelerator_model, {})
            by_second[span[0]] = by_second.get(span[0], 0) + hold.share_permille
            by_second[span[1]] = by_second.get(span[1], 0) - hold.share_permille
    found: list[Shape] = []
    for model in sorted(changes):
        # A second at which as much ends as begins is no edge.
        edges = sorted(second for second, change in changes[model].items() if change)
        share = 0
        for start, end in pairwise(edges):
            share += changes[model][start]
            if share:
                found.append(Shape(model, share, start, end))
    assert all(shape.share_permille > 0 for shape in found)
    return tuple(found)


def _cut(whole: Iterable[Shape], edges: set[int]) -> Iterator[Shape]:
    for shape in whole:
        inner = sorted(edge for edge in edges if shape.from_s < edge < shape.to_s)
        for start, end in pairwise([shape.from_s, *inner, shape.to_s]):
            yield Shape(shape.accelerator_model, shape.share_permille, start, end)


def _rate_shape(terms: LeaseTerms, shape: Shape) -> RatedLine | Unpriced:
    from_at, to_at = instant_of_second(shape.from_s), instant_of_second(shape.to_s)
    found = _rate_in_force(terms, shape.accelerator_model, from_at)
    if isinstance(found, UnpricedReason):
        return Unpriced(
            term_kind=TermKind.LEASE,
            term_ref=terms.term_ref,
            contract_version=terms.contract_version,
            model=shape.accelerator_model,
            token_class="",
            quantity=shape.gpu_seconds,
            unit=Unit.GPU_SECONDS,
            reason=found,
            from_at=from_at,
            to_at=to_at,
        )
    price, version_id = found
    parts = (TermKind.LEASE, terms.term_ref, terms.contract_version, shape.accelerator_model)
    return RatedLine(
        line_key=line_key(*parts, version_id or "fixed", shape.from_s),
        term_kind=TermKind.LEASE,
        term_ref=terms.term_ref,
        contract_version=terms.contract_version,
        price_version_id=version_id,
        rule=RULE_FIXED_RATE if version_id is None else RULE_BOOK_RATE,
        model=shape.accelerator_model,
        token_class="",
        quantity=shape.gpu_seconds,
        unit=Unit.GPU_SECONDS,
        price=price,
        quality_mix={QUALITY_ACTUAL: shape.gpu_seconds},
        from_at=from_at,
        to_at=to_at,
    )


def _rate_in_force(
    terms: LeaseTerms, accelerator_model: str, at: datetime
) -> tuple[Price, str | None] | UnpricedReason:
    if terms.rate_per_gpu_hour is not None:
        return per_gpu_hour(terms.rate_per_gpu_hour), None
    version = version_in_force(terms.price_versions, at)
    if version is None:
        return UnpricedReason.NO_VERSION
    rate = version.price_per_gpu_hour(accelerator_model)
    return UnpricedReason.NO_PRICE if rate is None else (per_gpu_hour(rate), version.version_id)
