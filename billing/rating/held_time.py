"""Pricing of time held, for every term that bills by the GPU-hour: leases, on demand, spot.

The holds are laid over each other into stretches of constant share (`billing.rating.shapes`), cut at local days
and where the book's price changes, and each is priced. What is not to be billed, because it is the provider's fault,
is a row of its own that takes it off at the same price: the time held stays as it was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from billing.money import to_decimals
from billing.periods import day_edges
from billing.rating.book import PriceVersion
from billing.rating.inputs import Fact, RatingWindow, TermInput, facts_of
from billing.rating.rated import (
    WHOLE_PERCENT,
    Rated,
    RatedLine,
    TermKind,
    Unit,
    Unpriced,
    UnpricedReason,
    line_key,
    per_gpu_hour,
    whole_amount,
)
from billing.rating.shapes import QUALITY_ACTUAL, Shape, shapes
from billing.rating.spans import Span, common, parts_of, span_of
from billing.rating.versions import version_in_force
from billing.rating.wording import Stretch
from billing.rating.wording_fields import PRICE_DECIMALS_MAX
from clusters.occupancy import Hold, instant_of_second, unix_second


class Outage(Fact, frozen=True, kw_only=True, tag="outage"):
    """A card or slice that could not be used over `[from_at, to_at)`, by the meter's record: whose, and why.

    `subject` is a slice or a card as holds name them; `cause` is what happened: `node_silent`, `card_lost`,
    `card_faulty`, `maintenance`. Whose fault a cause is says the term.
    """

    subject: str
    cause: str
    from_at: datetime
    to_at: datetime


class StatedOutage(Outage, frozen=True, kw_only=True, tag="stated_outage"):
    """An outage by its provider's word, of a card that a lease held, within one billing period.

    What was stated after that period closed counts as well: on the next bill, as what the closed one came to less.
    """


@dataclass(frozen=True, slots=True)
class About:
    """Which term a line belongs to, and by which version of the contract."""

    kind: TermKind
    ref: str
    contract_version: int


@dataclass(frozen=True, slots=True)
class Rates:
    """How time is priced: at `fixed` per GPU-hour, else at the book's price in force; then `percent` of it."""

    fixed: Decimal | None
    versions: Sequence[PriceVersion]
    percent: Decimal = WHOLE_PERCENT

    def at(self, model: str, at: datetime) -> tuple[Decimal, str | None] | UnpricedReason:
        """Return the price per GPU-hour of a model at an instant and the version it is of, or why there is none."""
        if self.fixed is not None:
            return self._part(self.fixed), None
        version = version_in_force(self.versions, at)
        if version is None:
            return UnpricedReason.NO_VERSION
        price = version.price_per_gpu_hour(model)
        return UnpricedReason.NO_PRICE if price is None else (self._part(price), version.version_id)

    def _part(self, price: Decimal) -> Decimal:
        """A price has at most 12 decimals, its part too."""
        if self.percent == WHOLE_PERCENT:
            return price
        return to_decimals(Fraction(price) * Fraction(self.percent) / 100, PRICE_DECIMALS_MAX)


@dataclass(frozen=True, slots=True)
class Row:
    """What rows are called: their rule by a fixed rate and by the book, a word in their keys, and 1 or -1."""

    fixed_rule: str
    book_rule: str
    word: str = ""
    sign: int = 1

    @classmethod
    def of_rule(cls, rule: str, *, sign: int = 1) -> "Row":
        """Name rows that go by one rule whatever the price is."""
        return cls(rule, rule, rule, sign)


def bounds(stretch: Stretch[Any], window: RatingWindow) -> Span | None:
    """Return the Unix seconds that a stretch has in what is rated, None where it has none."""
    start, end = max(stretch.from_at, window.from_at), min(stretch.to_at, window.to_at)
    span = (unix_second(start), unix_second(end))
    return span if span[0] < span[1] else None


def rate_time(
    about: About,
    rates: Rates,
    holds: Iterable[Hold],
    within: Span,
    *,
    row: Row,
    zone: str | None = None,
    divide_at: Iterable[int] = (),
) -> Rated:
    """Price what is held inside a span of seconds: a row per share held, price and, with a zone, local day.

    No row reaches over a second of `divide_at`.
    """
    held = tuple(holds)
    if not held:
        return Rated()
    from_at, to_at = instant_of_second(within[0]), instant_of_second(within[1])
    edges = {*divide_at, *(map(unix_second, day_edges(zone, from_at, to_at)) if zone else ())}
    if rates.fixed is None:
        edges.update(unix_second(version.effective_at) for version in rates.versions)
    rated = [_row(about, rates, part, row) for shape in shapes(held, from_at, to_at) for part in cut(shape, edges)]
    return Rated(
        tuple(line for line in rated if isinstance(line, RatedLine)),
        tuple(line for line in rated if isinstance(line, Unpriced)) if row.sign > 0 else (),
    )


def cut(shape: Shape, edges: Iterable[int]) -> list[Shape]:
    """Cut a shape at every edge inside it."""
    inner = sorted({edge for edge in edges if shape.from_s < edge < shape.to_s})
    ends = [shape.from_s, *inner, shape.to_s]
    return [Shape(shape.accelerator_model, shape.share_permille, start, end) for start, end in pairwise(ends)]


def at_fault(term: TermInput, holds: Iterable[Hold], causes: Sequence[str], until_s: int) -> list[Hold]:
    """Return the parts of holds in which the slice or its card was out for one of the causes."""
    spans = outage_spans(term.facts, causes)
    if not spans:
        return []
    found: list[Hold] = []
    for hold in holds:
        hit = (*spans.get(hold.slice_ref, ()), *(spans.get(hold.card_ref, ()) if hold.card_ref else ()))
        if hit:
            found.extend(parts_of(hold, common([span_of(hold, until_s)], hit)))
    return found


def outage_spans(facts: Iterable[Fact], causes: Sequence[str]) -> dict[str, list[Span]]:
    """Return the spans of outages for one of the causes, by slice or card."""
    found: dict[str, list[Span]] = {}
    for outage in facts_of(facts, Outage):
        if outage.cause in causes:
            span = (unix_second(outage.from_at), unix_second(outage.to_at))
            found.setdefault(outage.subject, []).append(span)
    return found


def amount_line(
    about: About,
    rule: str,
    amount: Decimal | Fraction,
    span: tuple[datetime, datetime],
    *,
    sign: int = 1,
    key: str = "",
) -> RatedLine:
    """Return an amount over `[from_at, to_at)` as a row: owed, or taken off where `sign` is -1."""
    quantity = Decimal(sign)
    return RatedLine(
        line_key=line_key(about.kind, about.ref, about.contract_version, rule, *filter(None, [key])),
        term_kind=about.kind,
        term_ref=about.ref,
        contract_version=about.contract_version,
        price_version_id=None,
        rule=rule,
        model="",
        token_class="",
        quantity=quantity,
        unit=Unit.AMOUNT,
        price=whole_amount(amount),
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=span[0],
        to_at=span[1],
    )


def _row(about: About, rates: Rates, shape: Shape, row: Row) -> RatedLine | Unpriced:
    from_at, to_at = instant_of_second(shape.from_s), instant_of_second(shape.to_s)
    found = rates.at(shape.accelerator_model, from_at)
    if isinstance(found, UnpricedReason):
        return Unpriced(
            term_kind=about.kind,
            term_ref=about.ref,
            contract_version=about.contract_version,
            model=shape.accelerator_model,
            token_class="",
            quantity=shape.gpu_seconds,
            unit=Unit.GPU_SECONDS,
            reason=found,
            from_at=from_at,
            to_at=to_at,
        )
    price, version_id = found
    parts = (about.kind, about.ref, about.contract_version, shape.accelerator_model, version_id or "fixed")
    quantity = shape.gpu_seconds if row.sign > 0 else shape.gpu_seconds.copy_negate()
    return RatedLine(
        line_key=line_key(*parts, *filter(None, [row.word]), shape.from_s),
        term_kind=about.kind,
        term_ref=about.ref,
        contract_version=about.contract_version,
        price_version_id=version_id,
        rule=row.fixed_rule if version_id is None else row.book_rule,
        model=shape.accelerator_model,
        token_class="",
        quantity=quantity,
        unit=Unit.GPU_SECONDS,
        price=per_gpu_hour(price),
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=from_at,
        to_at=to_at,
    )


def together(parts: Iterable[Rated]) -> Rated:
    """Join ratings in order."""
    lines: list[RatedLine] = []
    unpriced: list[Unpriced] = []
    for part in parts:
        lines.extend(part.lines)
        unpriced.extend(part.unpriced)
    return Rated(tuple(lines), tuple(unpriced))
