"""An invoice's lines as they are pushed to Stripe: integer amounts, at most 250, each with its own taxes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.money import largest_remainder
from billing.stripe_amounts import minor_units
from billing.stripe_answers import StripeLine, StripeLineTax

LINES_MAX = 250
"""Lines that Stripe takes on one invoice."""

CHUNK_LINES_MAX = 100
"""Lines pushed in one call."""

METADATA_LINES = "forecourt_lines"


@dataclass(frozen=True, slots=True)
class FrozenTax:
    """A line's part of the tax of one rate of its invoice, on so much of the line."""

    rate: int
    name: str
    percent: Decimal
    taxable: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class FrozenLine:
    """A line of an issued invoice, or several, as far as Stripe is told of it; `[from_at, to_at)`."""

    position: int
    model: str
    description: str
    amount: Decimal
    from_at: datetime
    to_at: datetime
    taxes: tuple[FrozenTax, ...] = ()


def push_lines(
    lines: Sequence[FrozenLine], *, currency: str, beside: Sequence[StripeLine] = ()
) -> tuple[StripeLine, ...]:
    """Return what to push; its amounts and taxes sum to those of `lines`, rate by rate; `beside` follows as it is.

    Each line has its own taxes. Only where lines take tax of a rate back is what is left of it shared out over those
    that add to it: a collector's line bears no tax below zero.

    More lines than Stripe takes are summed up by model, in the order in which models first appear; should there be
    more models than that, the last line holds the rest. Raises AmountNotRepresentable where Stripe has no integer
    for an amount.
    """
    most = LINES_MAX - len(beside)
    pushed = lines if len(lines) <= most else _by_model(lines, most)
    taxes = _not_below_zero([line.taxes for line in pushed], currency)
    own = tuple(
        StripeLine(
            amount_minor=minor_units(line.amount, currency),
            description=line.description,
            period_from=line.from_at,
            period_to=line.to_at,
            metadata={METADATA_LINES: str(line.position)},
            taxes=tuple(_tax(tax, currency) for tax in of_line if tax.tax),
        )
        for line, of_line in zip(pushed, taxes, strict=True)
    )
    return (*own, *beside)


def chunk_bounds(line_count: int) -> tuple[tuple[int, int], ...]:
    """Return the half-open positions of the lines of each call."""
    assert line_count >= 0
    return tuple((start, min(start + CHUNK_LINES_MAX, line_count)) for start in range(0, line_count, CHUNK_LINES_MAX))


def _by_model(lines: Sequence[FrozenLine], most: int) -> list[FrozenLine]:
    groups: dict[str, list[FrozenLine]] = {}
    for line in lines:
        groups.setdefault(line.model, []).append(line)
    parts = list(groups.items())
    if len(parts) > most:
        rest = [line for _, group in parts[most - 1 :] for line in group]
        parts = [*parts[: most - 1], ("Other models", rest)]
    return [_summed(name, group, position) for position, (name, group) in enumerate(parts, start=1)]


def _summed(name: str, group: Sequence[FrozenLine], position: int) -> FrozenLine:
    return FrozenLine(
        position=position,
        model=name,
        description=f"{name}: {len(group)} lines, see the invoice's detail",
        amount=sum((line.amount for line in group), Decimal(0)),
        from_at=min(line.from_at for line in group),
        to_at=max(line.to_at for line in group),
        taxes=_added_up(tax for line in group for tax in line.taxes),
    )


def _added_up(taxes: Iterable[FrozenTax]) -> tuple[FrozenTax, ...]:
    """The taxes of several lines as those of one, rate by rate."""
    found: dict[int, FrozenTax] = {}
    for tax in taxes:
        before = found.get(tax.rate)
        found[tax.rate] = (
            tax if before is None else replace(tax, taxable=before.taxable + tax.taxable, tax=before.tax + tax.tax)
        )
    return tuple(found[rate] for rate in sorted(found))


def _not_below_zero(lines: Sequence[tuple[FrozenTax, ...]], currency: str) -> list[tuple[FrozenTax, ...]]:
    """The same taxes, each rate's shared out over the lines that add to it where others take of it."""
    found = [list(taxes) for taxes in lines]
    places: dict[int, list[tuple[int, int]]] = {}
    for line, taxes in enumerate(lines):
        for place, tax in enumerate(taxes):
            places.setdefault(tax.rate, []).append((line, place))
    for of_rate in places.values():
        parts = [lines[line][place].tax for line, place in of_rate]
        if min(parts) >= 0 or sum(parts) < 0 or max(parts) <= 0:
            continue
        shares = largest_remainder(sum(parts, Decimal(0)), [max(part, Decimal(0)) for part in parts], currency)
        for (line, place), share in zip(of_rate, shares, strict=True):
            found[line][place] = replace(found[line][place], tax=share)
    return [tuple(taxes) for taxes in found]


def _tax(tax: FrozenTax, currency: str) -> StripeLineTax:
    return StripeLineTax(
        amount_minor=minor_units(tax.tax, currency),
        taxable_minor=minor_units(tax.taxable, currency),
        display_name=tax.name,
        percentage=tax.percent,
    )
