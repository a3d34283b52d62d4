"""Rating of a lease of fixed duration as its wording says, with all that can happen to one.

* Time held is priced per GPU-hour by the second, or as a flat amount per period or day, part periods by the second.
* Past the agreed end it is held over, at a rate of its own.
* Time lost by the provider's fault is taken off at the price it was billed at.
* Ended early, what the rule says is owed as if it were still held.
* A deposit is asked for as the lease begins, follows its amendments, and goes back as it ends.
* In advance, the next period is billed as it is known at this one's end, and what was paid so is taken off in that
  one, whatever happened meanwhile: the two always sum to what was held.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import msgspec

from billing.money import to_charge
from billing.periods import Period, PeriodKind, PeriodSpec, next_period, period_containing
from billing.rating.held_time import About, Rates, Row, amount_line, at_fault, bounds, rate_time, together
from billing.rating.inputs import RatingWindow, TermInput, facts_of
from billing.rating.lease_wording import (
    Billed,
    EarlyEnd,
    LeaseAgreed,
    LeaseEnded,
    LeaseExtended,
    LeaseWording,
    NextPeriod,
)
from billing.rating.rated import Carry, Rated, RatedLine, TermKind, Unit, line_key, per_period
from billing.rating.shapes import QUALITY_ACTUAL
from billing.rating.spans import Span
from billing.rating.wording import Stretch
from clusters.occupancy import Hold, clip, instant_of_second, unix_second

RULE_FIXED_RATE = "lease_fixed_rate"
RULE_BOOK_RATE = "lease_book_rate"
RULE_FLAT = "lease_flat_per_period"
RULE_FLAT_DAY = "lease_flat_per_day"
RULE_HOLDOVER = "lease_holdover"
RULE_PROVIDER_FAULT = "lease_provider_fault"
RULE_DEPOSIT_TAKEN = "lease_deposit_taken"
RULE_DEPOSIT_RETURNED = "lease_deposit_returned"
DEPOSIT_RULES = (RULE_DEPOSIT_TAKEN, RULE_DEPOSIT_RETURNED)
"""Lines of money that is held for the tenant, and earned by nobody."""
RULE_IN_ADVANCE = "lease_in_advance"
RULE_PAID_IN_ADVANCE = "lease_paid_in_advance"
RULE_EARLY_END = {
    EarlyEnd.NOTICE: "lease_early_end_notice",
    EarlyEnd.SHARE_OF_REMAINDER: "lease_early_end_share_of_remainder",
    EarlyEnd.MINIMUM_TERM: "lease_early_end_minimum_term",
}
CARRY_DEPOSIT = "deposit_amount"
CARRY_ADVANCE = "paid_in_advance_amount"
"""What a period hands to the next: the deposit that is held, and what of the next period is billed already."""

_HELD = Row(RULE_FIXED_RATE, RULE_BOOK_RATE)


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a lease inside what is rated: its wording, time, and how its GPU-hours are priced."""

    about: About
    wording: LeaseWording
    span: Span
    rates: Rates
    held_over: bool


def rate_lease_term(term: TermInput, window: RatingWindow) -> Rated:
    """Rate a lease over a window; `term.holds` may reach into the next period, which only an advance looks at."""
    if not term.stretches:
        return Rated()
    rated = [_time(term, window), _early_end(term, window), _deposit(term, window), _advance(term, window)]
    joined = together(rated)
    return replace(joined, carries=tuple(carry for part in rated for carry in part.carries))


def agreed_end(term: TermInput) -> datetime | None:
    """Return the instant from which what is held is held over, None where the lease has no end."""
    agreed = [fact.to_at for fact in facts_of(term.facts, LeaseAgreed)]
    assert len(agreed) <= 1, agreed
    return agreed[0] if agreed else term.to_at


def _time(term: TermInput, window: RatingWindow) -> Rated:
    """What is owed for the time that a lease has in a window, in whichever way it is priced."""
    return together(_part_time(term, window, part) for part in _parts(term, window))


def _part_time(term: TermInput, window: RatingWindow, part: _Part) -> Rated:
    if part.wording.is_flat:
        return together([_flat(term, window, part), _flat_fault(term, window, part)])
    holds = [hold for hold in term.holds if clip(hold, *_instants(part.span))]
    lost = at_fault(term, holds, part.wording.provider_fault, part.span[1])
    row = Row.of_rule(RULE_HOLDOVER) if part.held_over else _HELD
    fault = Row.of_rule(RULE_PROVIDER_FAULT, sign=-1)
    return together(
        rate_time(part.about, part.rates, held, part.span, row=as_row, zone=window.zone)
        for held, as_row in ((holds, row), (lost, fault))
    )


def _parts(term: TermInput, window: RatingWindow) -> Iterator[_Part]:
    """Cut a lease's stretches where it was extended at another price, and where its agreed end lies."""
    end = agreed_end(term)
    extensions = sorted(facts_of(term.facts, LeaseExtended), key=lambda fact: fact.from_at)
    for stretch in term.stretches:
        inside = bounds(stretch, window)
        if inside is None:
            continue
        about = About(TermKind.LEASE, term.ref, stretch.contract_version)
        edges = [unix_second(fact.from_at) for fact in extensions] + ([unix_second(end)] if end else [])
        inner = sorted({edge for edge in edges if inside[0] < edge < inside[1]})
        for start, stop in zip([inside[0], *inner], [*inner, inside[1]], strict=True):
            held_over = end is not None and start >= unix_second(end)
            rates = _rates(stretch.wording, extensions, start, window, held_over=held_over)
            yield _Part(about, stretch.wording, (start, stop), rates, held_over)


def _rates(
    wording: LeaseWording, extensions: Iterable[LeaseExtended], start: int, window: RatingWindow, *, held_over: bool
) -> Rates:
    fixed = wording.price_per_gpu_hour
    for fact in extensions:
        if unix_second(fact.from_at) <= start:
            fixed = fact.price_per_gpu_hour
    if not held_over:
        return Rates(fixed, window.versions)
    if wording.holdover_price_per_gpu_hour is not None:
        return Rates(wording.holdover_price_per_gpu_hour, window.versions)
    return Rates(fixed, window.versions, wording.holdover_percent)


def _flat(term: TermInput, window: RatingWindow, part: _Part) -> Rated:
    """A flat amount for the time of the lease itself; past its agreed end only while something is held."""
    spans = _flat_spans(term, part)
    rated = []
    for start, stop in spans:
        for low, high, price_seconds, amount in _flat_pieces(window, term, part, (start, stop)):
            rated.append(_flat_line(part, (low, high), amount, price_seconds))
    return Rated(tuple(rated))


def _flat_spans(term: TermInput, part: _Part) -> list[Span]:
    if part.held_over:
        held = [clip(hold, *_instants(part.span)) for hold in term.holds]
        ends = [span for span in held if span is not None]
        return [(min(start for start, _ in ends), max(end for _, end in ends))] if ends else []
    start, stop = part.span
    start = max(start, unix_second(term.from_at))
    if term.to_at is not None:
        stop = min(stop, unix_second(term.to_at))
    return [(start, stop)] if start < stop else []


def _flat_pieces(
    window: RatingWindow, term: TermInput, part: _Part, span: Span
) -> Iterator[tuple[int, int, int, Decimal]]:
    """Yield (from, to, seconds of the whole, amount of the whole): the billing period, or each day of the lease."""
    percent = part.wording.holdover_percent if part.held_over else Decimal(100)
    if part.wording.flat_amount_per_period is not None:
        amount = _part_of(part.wording.flat_amount_per_period, percent)
        yield (*span, window.seconds_per_period, amount)
        return
    assert part.wording.flat_amount_per_day is not None
    amount = _part_of(part.wording.flat_amount_per_day, percent)
    for day in _days(term, window.zone, span):
        yield (
            max(span[0], unix_second(day.from_at)),
            min(span[1], unix_second(day.to_at)),
            day.whole_seconds,
            amount,
        )


def _days(term: TermInput, zone: str, span: Span) -> Iterator[Period]:
    """The lease's own days, which begin at the time of day at which it began, that share a second with a span."""
    spec = PeriodSpec(PeriodKind.DAY, zone, term.from_at, None)
    day: Period | None = period_containing(spec, max(term.from_at, instant_of_second(span[0])))
    while day is not None and unix_second(day.from_at) < span[1]:
        yield day
        day = next_period(spec, day)


def _flat_line(part: _Part, span: Span, amount: Decimal, whole_seconds: int) -> RatedLine:
    rule = RULE_HOLDOVER if part.held_over else RULE_FLAT
    if part.wording.flat_amount_per_day is not None and not part.held_over:
        rule = RULE_FLAT_DAY
    quantity = Decimal(span[1] - span[0])
    about = part.about
    return RatedLine(
        line_key=line_key(about.kind, about.ref, about.contract_version, rule, span[0]),
        term_kind=about.kind,
        term_ref=about.ref,
        contract_version=about.contract_version,
        price_version_id=None,
        rule=rule,
        model=part.wording.accelerator_model,
        token_class="",
        quantity=quantity,
        unit=Unit.SECONDS,
        price=per_period(amount, whole_seconds),
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=instant_of_second(span[0]),
        to_at=instant_of_second(span[1]),
    )


def _flat_fault(term: TermInput, window: RatingWindow, part: _Part) -> Rated:
    """Of a flat amount, the part that at every instant the lost cards are of those held is taken off."""
    lost = at_fault(term, term.holds, part.wording.provider_fault, part.span[1])
    if not lost:
        return Rated()
    amount = sum(
        (
            Fraction(whole) * _lost_seconds(term.holds, lost, (low, high)) / whole_seconds
            for span in _flat_spans(term, part)
            for low, high, whole_seconds, whole in _flat_pieces(window, term, part, span)
        ),
        Fraction(0),
    )
    if not amount:
        return Rated()
    line = amount_line(part.about, RULE_PROVIDER_FAULT, amount, _instants(part.span), sign=-1, key=str(part.span[0]))
    return Rated((line,))


def _lost_seconds(held: Iterable[Hold], lost: Iterable[Hold], span: Span) -> Fraction:
    """Return the seconds of a span weighed by what part of the share held at each was lost."""
    changes: dict[int, list[int]] = {}
    for column, holds in enumerate((held, lost)):
        for hold in holds:
            inside = clip(hold, *_instants(span))
            for second, sign in zip(inside or (), (1, -1), strict=False):
                changes.setdefault(second, [0, 0])[column] += sign * hold.share_permille
    seconds, shares = Fraction(0), [0, 0]
    for start, end in pairwise(sorted(changes)):
        shares = [share + change for share, change in zip(shares, changes[start], strict=True)]
        if shares[0]:
            seconds += Fraction((end - start) * shares[1], shares[0])
    return seconds


def _early_end(term: TermInput, window: RatingWindow) -> Rated:
    """What the rule of an early end says is owed, in the period in which the lease ended."""
    rated = Rated()
    for ended in facts_of(term.facts, LeaseEnded):
        if not window.from_at < ended.ended_at <= window.to_at:
            continue
        stretch = _stretch_at(term, ended.ended_at)
        until = _paid_until(stretch.wording, ended, term.from_at)
        if until is None or until <= ended.ended_at:
            continue
        span = (unix_second(ended.ended_at), unix_second(until))
        rated += _fee(term, window, stretch, span)
    return rated


def _paid_until(wording: LeaseWording, ended: LeaseEnded, from_at: datetime) -> datetime | None:
    """Return the instant up to which a lease that ended early counts, None where nothing is owed of it."""
    until = {
        EarlyEnd.NONE: None,
        EarlyEnd.NOTICE: ended.asked_at + timedelta(days=wording.early_end_notice_days),
        EarlyEnd.SHARE_OF_REMAINDER: ended.agreed_to_at,
        EarlyEnd.MINIMUM_TERM: from_at + wording.minimum_term,
    }[wording.early_end]
    if until is None or ended.agreed_to_at is None:
        return until
    return min(until, ended.agreed_to_at)


def _fee(term: TermInput, window: RatingWindow, stretch: Stretch[LeaseWording], span: Span) -> Rated:
    """Price what was held as the lease ended, as if it were held on over `span`, at what it cost then."""
    wording = stretch.wording
    rule = RULE_EARLY_END[wording.early_end]
    about = About(TermKind.LEASE, term.ref, stretch.contract_version)
    percent = (
        wording.early_end_percent_of_remainder if wording.early_end is EarlyEnd.SHARE_OF_REMAINDER else Decimal(100)
    )
    if wording.is_flat:
        part = _Part(about, wording, span, Rates(None, ()), held_over=False)
        whole = replace(term, to_at=None)
        exact = _flat(whole, window, part).exact_total * Fraction(percent) / 100
        return Rated((amount_line(about, rule, exact, _instants(span), key=str(span[0])),)) if exact else Rated()
    last = instant_of_second(span[0] - 1)
    extensions = sorted(facts_of(term.facts, LeaseExtended), key=lambda fact: fact.from_at)
    found = _rates(wording, extensions, span[0] - 1, window, held_over=False)
    held = [hold for hold in term.holds if clip(hold, last, instant_of_second(span[0]))]
    # What it costs from here on is what it cost as it ended: the book's later prices are not known yet.
    frozen = [replace(hold, from_at=instant_of_second(span[0]), to_at=instant_of_second(span[1])) for hold in held]
    rated = Rated()
    for model in sorted({hold.accelerator_model for hold in frozen}):
        price = found.at(model, last)
        if not isinstance(price, tuple):
            # The last second held has no price either, and waits for one.
            continue
        fixed = Rates(price[0], ())
        of_model = [hold for hold in frozen if hold.accelerator_model == model]
        rated += rate_time(about, fixed, of_model, span, row=Row.of_rule(rule))
    lines = tuple(msgspec.structs.replace(line, share_percent=percent) for line in rated.lines)
    return Rated(lines, rated.unpriced)


def _deposit(term: TermInput, window: RatingWindow) -> Rated:
    """Ask for what the deposit is short of, or give back what is too much; nothing is held once the lease is over."""
    held = term.carried(CARRY_DEPOSIT)
    due = Decimal(0) if _is_over(term, window) else _wording_before(term, window).deposit_amount
    change = due - held
    carries = (Carry(term.ref, CARRY_DEPOSIT, due),) if due or held else ()
    if not change:
        return Rated(carries=carries)
    stretch = term.stretches[-1]
    about = About(TermKind.LEASE, term.ref, stretch.contract_version)
    start = max(window.from_at, min(term.from_at, window.to_at))
    sign = 1 if change > 0 else -1
    rule = RULE_DEPOSIT_TAKEN if change > 0 else RULE_DEPOSIT_RETURNED
    return Rated((amount_line(about, rule, abs(change), (start, window.to_at), sign=sign),), carries=carries)


def _is_over(term: TermInput, window: RatingWindow) -> bool:
    if term.from_at >= window.to_at:
        return True
    if term.to_at is None or term.to_at > window.to_at:
        return False
    return all(hold.to_at is not None and hold.to_at <= window.to_at for hold in term.holds)


def _advance(term: TermInput, window: RatingWindow) -> Rated:
    """Bill the next period as it is known at this one's end, and take off what of this one was billed so."""
    paid = term.carried(CARRY_ADVANCE)
    stretch = term.stretches[-1]
    about = About(TermKind.LEASE, term.ref, stretch.contract_version)
    lines = []
    if paid:
        span = (window.from_at, window.to_at)
        lines.append(amount_line(about, RULE_PAID_IN_ADVANCE, abs(paid), span, sign=-1 if paid > 0 else 1))
    due = Decimal(0)
    following = facts_of(term.facts, NextPeriod)
    if window.is_whole and following and stretch.wording.billed is Billed.ADVANCE:
        due = to_charge(_next_amount(term, window, stretch, following[0]))
    if due:
        span = (following[0].from_at, following[0].to_at)
        lines.append(amount_line(about, RULE_IN_ADVANCE, due, span))
    return Rated(tuple(lines), carries=(Carry(term.ref, CARRY_ADVANCE, due),) if due or paid else ())


def _next_amount(
    term: TermInput, window: RatingWindow, stretch: Stretch[LeaseWording], following: NextPeriod
) -> Fraction:
    """Price the next period by the last wording, the book's last price and the holds booked into it."""
    end = following.to_at if term.to_at is None else min(following.to_at, term.to_at)
    if end <= following.from_at:
        return Fraction(0)
    ahead = Stretch(stretch.contract_version, following.from_at, end, stretch.wording)
    known = replace(term, stretches=(ahead,))
    next_window = replace(
        window,
        from_at=following.from_at,
        to_at=following.to_at,
        period_to_at=following.to_at,
        whole_seconds=following.whole_seconds,
    )
    return _time(known, next_window).exact_total


def _wording_before(term: TermInput, window: RatingWindow) -> LeaseWording:
    begun = [stretch for stretch in term.stretches if stretch.from_at < window.to_at]
    wording: LeaseWording = (begun or list(term.stretches))[-1].wording
    return wording


def _stretch_at(term: TermInput, at: datetime) -> Stretch[LeaseWording]:
    begun = [stretch for stretch in term.stretches if stretch.from_at < at]
    return (begun or list(term.stretches))[-1]


def _part_of(amount: Decimal, percent: Decimal) -> Decimal:
    return amount if percent == Decimal(100) else to_charge(Fraction(amount) * Fraction(percent) / 100)


def _instants(span: Span) -> tuple[datetime, datetime]:
    return instant_of_second(span[0]), instant_of_second(span[1])
