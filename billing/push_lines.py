"""An invoice's lines as they are pushed to Stripe: integer amounts, at most 250, and the tax shared out over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import largest_remainder, to_decimals
from billing.stripe_amounts import minor_units
from billing.stripe_answers import StripeLine, StripeLineTax

LINES_MAX = 250
"""Lines that Stripe takes on one invoice."""

CHUNK_LINES_MAX = 100
"""Lines pushed in one call."""

PERCENT_DECIMALS = 4
METADATA_LINES = "forecourt_lines"


@dataclass(frozen=True, slots=True)
class FrozenLine:
    """A line of an issued invoice, as far as Stripe is told of it; `[from_at, to_at)`."""

    position: int
    model: str
    description: str
    amount: Decimal
    from_at: datetime
    to_at: datetime


def push_lines(
    lines: Sequence[FrozenLine], *, tax: Decimal, currency: str, beside: Sequence[StripeLine] = ()
) -> tuple[StripeLine, ...]:
    """Return what to push; its amounts and taxes sum to those of `lines` and `tax`, and `beside` follows as it is.

    More lines than Stripe takes are summed up by model, in the order in which models first appear; should there be
    more models than that, the last line holds the rest. Raises AmountNotRepresentable where Stripe has no integer
    for an amount.
    """
    most = LINES_MAX - len(beside)
    pushed = lines if len(lines) <= most else _by_model(lines, most)
    taxes = _tax_shares(pushed, tax=tax, currency=currency)
    own = tuple(
        StripeLine(
            amount_minor=minor_units(line.amount, currency),
            description=line.description,
            period_from=line.from_at,
            period_to=line.to_at,
            metadata={METADATA_LINES: str(line.position)},
            taxes=_taxes(line, share, tax=tax, whole=pushed, currency=currency),
        )
        for line, share in zip(pushed, taxes, strict=True)
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
    )


def _tax_shares(lines: Sequence[FrozenLine], *, tax: Decimal, currency: str) -> tuple[Decimal, ...]:
    """The tax shared out in proportion to what lines add; lines that take away carry none."""
    weights = [max(line.amount, Decimal(0)) for line in lines]
    if not tax or not any(weights):
        return tuple(tax if position == 0 else Decimal(0) for position in range(len(lines)))
    return largest_remainder(tax, weights, currency)


def _taxes(
    line: FrozenLine, share: Decimal, *, tax: Decimal, whole: Sequence[FrozenLine], currency: str
) -> tuple[StripeLineTax, ...]:
    if not share:
        return ()
    subtotal = sum((each.amount for each in whole), Decimal(0))
    percentage = to_decimals(tax * 100 / subtotal, PERCENT_DECIMALS) if subtotal else Decimal(0)
    return (
        StripeLineTax(
            amount_minor=minor_units(share, currency),
            taxable_minor=minor_units(line.amount, currency),
            display_name="Tax",
            percentage=percentage,
        ),
    )
