"""From rated lines to invoice lines: the one place where an amount is rounded.

An invoice line gathers rated lines as its sublines, which stay unrounded. The line's amount is computed as an
exact fraction from the quantities and prices of all its sublines and rounded once, half-even, to the minor
unit; the total is the sum of the lines.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import exact_sum, from_minor, round_to_minor, sum_of_fractions
from billing.rating.rated import Price, RatedLine, Unit


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of a bill.

    `quantity`, `price` and `share_percent` are those of all sublines, or None where the sublines differ in
    unit, price or share. `base_amount` and `exact_amount` are the unrounded sums of the sublines as charges
    store them, `amount` is the line's amount rounded once.
    """

    term_ref: str
    model: str
    unit: Unit | None
    quantity: Decimal | None
    price: Price | None
    share_percent: Decimal | None
    quality_mix: dict[str, Decimal]
    base_amount: Decimal
    exact_amount: Decimal
    amount: Decimal
    from_at: datetime
    to_at: datetime
    sublines: tuple[RatedLine, ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """The lines of a bill in one currency, and their sum."""

    currency: str
    lines: tuple[InvoiceLine, ...]
    total: Decimal


DRAWN_APART = "credit_drawn"
"""The rule whose lines stand apart by the grant they are drawn from: bought and given credit are not taxed alike."""


def by_term_model_and_grant(line: RatedLine) -> tuple[Hashable, ...]:
    """Gather as by term and model, but what is drawn from each grant into a line of its own."""
    return (*by_term_and_model(line), line.line_key if line.rule == DRAWN_APART else "")


def by_term_and_model(line: RatedLine) -> tuple[Hashable, ...]:
    """Gather the classes, days and price versions of one model under one term and rule into one line.

    Tokens and images do not add up, and what is taken off one term is told apart from what is taken off another.
    """
    return (line.term_ref, line.model, line.rule, line.unit, line.about_ref)


def by_rate(line: RatedLine) -> tuple[Hashable, ...]:
    """Gather only what has the same term, model, class, tier, price version, price and share into one line."""
    about = (line.term_ref, line.model, line.token_class, line.context_over, line.price_version_id or "")
    return (*about, line.price, line.share_percent)


def make_bill(
    rated: Iterable[RatedLine],
    currency: str,
    gather: Callable[[RatedLine], Hashable] = by_term_model_and_grant,
) -> Bill:
    """Gather rated lines into invoice lines, in the order of their first subline, and round each once."""
    gathered: dict[Hashable, list[RatedLine]] = {}
    for line in sorted(rated, key=lambda each: (each.term_ref, each.model, each.from_at, each.line_key)):
        gathered.setdefault(gather(line), []).append(line)
    lines = tuple(_invoice_line(sublines, currency) for sublines in gathered.values())
    return Bill(currency, lines, exact_sum((from_minor(0, currency), *(line.amount for line in lines))))


def _invoice_line(sublines: list[RatedLine], currency: str) -> InvoiceLine:
    first = sublines[0]
    units = {line.unit for line in sublines}
    prices = {line.price for line in sublines}
    shares = {line.share_percent for line in sublines}
    mixes: dict[str, list[Decimal]] = {}
    for line in sublines:
        for quality, number in line.quality_mix.items():
            mixes.setdefault(quality, []).append(number)
    return InvoiceLine(
        term_ref=first.term_ref,
        model=first.model,
        unit=first.unit if len(units) == 1 else None,
        quantity=exact_sum(line.quantity for line in sublines) if len(units) == 1 else None,
        price=first.price if len(prices) == 1 else None,
        share_percent=first.share_percent if len(shares) == 1 else None,
        quality_mix={quality: exact_sum(mixes[quality]) for quality in sorted(mixes)},
        base_amount=exact_sum(line.base_amount for line in sublines),
        exact_amount=exact_sum(line.amount for line in sublines),
        amount=round_to_minor(sum_of_fractions(line.exact for line in sublines), currency),
        from_at=min(line.from_at for line in sublines),
        to_at=max(line.to_at for line in sublines),
        sublines=tuple(sublines),
    )
