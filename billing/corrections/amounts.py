"""How much a credit note gives back: by line, by quantity or in all, and never more than what is left.

Every amount lies on the currency's minor unit. What a line gives back by quantity is its exact amount in proportion,
rounded once half-even; the last of a line is what is left of it, so that parts always sum to the line. Tax and fee
follow what was given back in all so far, each rounded on the running sum, so that they end at the whole as well.

An invoice has lines below zero too, and its parts go back in any order. No credit note takes more of the net, of the
tax or of the total than is left of each, so that one more can always give back exactly what is left of all three.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.money import from_minor, largest_remainder, minor_digits, round_to_minor
from tenants.problems import Problem
from tenants.sentences import sentence


class MoreThanLeft(Problem):
    """More was to be given back than is left of the line or the invoice."""

    status = 409
    code = "more_than_left"
    title = "That is more than what is left to credit"


class WrongCredit(Problem):
    """The credit note cannot be of this invoice: a line, amount or quantity that does not fit it."""

    status = 422
    code = "wrong_credit"
    title = "This cannot be credited"


@dataclass(frozen=True, slots=True)
class Creditable:
    """A line of an invoice with what was given back of it so far; the amounts have the line's sign."""

    position: int
    amount: Decimal
    exact_amount: Decimal
    quantity: Decimal
    unit: str
    credited: Decimal
    credited_quantity: Decimal
    tax: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        """What can still be given back of it."""
        return self.amount - self.credited


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be given back of a line: a quantity, a net amount, or with neither all that is left."""

    position: int
    quantity: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What is given back of a line, net."""

    position: int
    amount: Decimal
    quantity: Decimal | None = None


def of_lines(lines: Sequence[Creditable], wanted: Iterable[Wanted], currency: str) -> tuple[Given, ...]:
    """Return what is given back of the named lines; raises `WrongCredit` and `MoreThanLeft` with what is left."""
    by_position = {line.position: line for line in lines}
    given: dict[int, Given] = {}
    for wish in wanted:
        line = by_position.get(wish.position)
        if line is None or wish.position in given:
            raise WrongCredit(
                sentence(
                    "line %(position)s: expected lines of the invoice, each once (%(positions)s).",
                    position=wish.position,
                    positions=_positions(lines),
                ),
                field="lines",
            )
        given[wish.position] = _of_line(line, wish, currency)
    if not given:
        raise WrongCredit(sentence("lines: expected at least one."), field="lines")
    return tuple(given[position] for position in sorted(given))


def of_amount(lines: Sequence[Creditable], amount: Decimal, currency: str) -> tuple[Given, ...]:
    """Return a net amount shared out over the lines in proportion to what is left of each.

    All that is left takes every line whole; less is taken of the lines above zero. Raises as `of_lines`.
    """
    _require_amount(amount, currency, "amount")
    left = sum((line.left for line in lines), from_minor(0, currency))
    if amount > left:
        raise MoreThanLeft(
            sentence(
                "%(left)s %(currency)s are left of the invoice's lines; %(amount)s is more.",
                left=left,
                currency=currency,
                amount=amount,
            ),
            left=str(left),
        )
    if amount == left:
        return all_left(lines)
    taken = [line for line in lines if line.left > 0]
    parts = largest_remainder(amount, [line.left for line in taken], currency)
    return tuple(Given(line.position, part) for line, part in zip(taken, parts, strict=True) if part)


def all_left(lines: Sequence[Creditable]) -> tuple[Given, ...]:
    """Return every line with all that is left of it; raises `MoreThanLeft` where nothing is."""
    given = tuple(Given(line.position, line.left) for line in lines if line.left)
    if not given:
        raise MoreThanLeft(sentence("Everything was credited before: 0 is left."), left="0")
    return given


def running_share(whole: Decimal | Fraction, of: Decimal, before: Decimal, after: Decimal, currency: str) -> Decimal:
    """Return the part of `whole` (a tax, a fee on `of`) that belongs to what is given back from `before` to `after`."""
    if not of:
        return from_minor(0, currency)
    shares = [round_to_minor(Fraction(whole) * Fraction(part) / Fraction(of), currency) for part in (before, after)]
    return shares[1] - shares[0]


def line_taxes(lines: Iterable[Creditable], given: Iterable[Given], currency: str) -> Mapping[int, Decimal]:
    """Return the tax that goes back with what is given back of each line: its part of that line's own tax."""
    by_position = {line.position: line for line in lines}
    taxes = {}
    for back in given:
        line = by_position[back.position]
        taxes[back.position] = running_share(
            line.tax, line.amount, line.credited, line.credited + back.amount, currency
        )
    return taxes


def require_left(
    lines: Iterable[Creditable], given: Iterable[Given], *, total_left: Decimal, number: str, currency: str
) -> None:
    """Raise `MoreThanLeft` where a credit note is nothing, or more than what is left of an invoice: of its total before
    deposits and bought credit, its net or its tax.

    Lines below zero count, so not every line can go back without them. Within all three, what is left stays at or above
    zero, and so can go back: net beyond its rest would be made good by tax. No credit note is below zero net, but one
    of everything that is left, where notes before this rule left it so.
    """
    lines, given = tuple(lines), tuple(given)
    zero = from_minor(0, currency)
    net = sum((back.amount for back in given), zero)
    tax = sum(line_taxes(lines, given, currency).values(), zero)
    rest = [Given(line.position, line.left) for line in lines]
    net_left = sum((back.amount for back in rest), zero)
    tax_left = sum(line_taxes(lines, rest, currency).values(), zero)
    said = {"number": number, "currency": currency}
    is_rest = (net, tax) == (net_left, tax_left)
    # Nothing net with its tax is what may be left where lines have different rates.
    if (net < 0 and not is_rest) or not 0 < net + tax <= total_left:
        raise MoreThanLeft(
            sentence(
                "%(left)s %(currency)s of invoice %(number)s are left to credit; the credit note would be "
                "%(subtotal)s, and must be above 0.",
                left=total_left,
                subtotal=net + tax,
                **said,
            ),
            left=str(total_left),
        )
    if net > net_left:
        raise MoreThanLeft(
            sentence(
                "%(net_left)s %(currency)s of invoice %(number)s before tax are left to credit; the lines named come "
                "to %(net)s: name those below zero with them.",
                net_left=net_left,
                net=net,
                **said,
            ),
            left=str(total_left),
            net_left=str(net_left),
        )
    if tax > tax_left:
        raise MoreThanLeft(
            sentence(
                "%(tax_left)s %(currency)s of the tax of invoice %(number)s are left to credit; the lines named bear "
                "%(tax)s: name those below zero with them.",
                tax_left=tax_left,
                tax=tax,
                **said,
            ),
            left=str(total_left),
            tax_left=str(tax_left),
        )


def _of_line(line: Creditable, wish: Wanted, currency: str) -> Given:
    if wish.quantity is not None and wish.amount is not None:
        raise WrongCredit(
            sentence("line %(position)s: expected a quantity or an amount, not both.", position=line.position),
            field="lines",
        )
    if wish.quantity is not None:
        return _of_quantity(line, wish.quantity, currency)
    amount = line.left if wish.amount is None else wish.amount
    if wish.amount is not None:
        _require_amount(abs(amount), currency, f"line {line.position}")
    if line.left and amount * line.left < 0:
        raise WrongCredit(
            sentence(
                "line %(position)s: expected an amount of its sign, found %(amount)s.",
                position=line.position,
                amount=amount,
            ),
            field="amount",
        )
    if not line.left or abs(amount) > abs(line.left):
        raise _more(line, f"{line.left} {currency}", str(amount), left=str(line.left))
    return Given(line.position, amount)


def _of_quantity(line: Creditable, quantity: Decimal, currency: str) -> Given:
    if not quantity.is_finite() or quantity <= 0:
        raise WrongCredit(
            sentence(
                "line %(position)s: expected a quantity above 0, found %(quantity)s.",
                position=line.position,
                quantity=quantity,
            ),
            field="lines",
        )
    quantity_left = line.quantity - line.credited_quantity
    if quantity > quantity_left:
        shown = f"{quantity_left.normalize():f}"
        raise _more(line, f"{shown} {line.unit}", str(quantity), left=str(line.left), quantity_left=shown)
    if quantity == quantity_left:
        amount = line.left
    else:
        amount = round_to_minor(Fraction(line.exact_amount) * Fraction(quantity) / Fraction(line.quantity), currency)
    if not amount:
        raise WrongCredit(
            sentence(
                "line %(position)s: %(quantity)s %(unit)s come to 0 %(currency)s.",
                position=line.position,
                quantity=quantity,
                unit=line.unit,
                currency=currency,
            ),
            field="lines",
        )
    if abs(amount) > abs(line.left):
        raise _more(line, f"{line.left} {currency}", str(amount), left=str(line.left))
    return Given(line.position, amount, quantity)


def _more(line: Creditable, has: str, asked: str, **left: str) -> MoreThanLeft:
    return MoreThanLeft(
        sentence(
            "line %(position)s has %(has)s left to credit; %(asked)s is more.",
            position=line.position,
            has=has,
            asked=asked,
        ),
        position=line.position,
        **left,
    )


def _require_amount(amount: Decimal, currency: str, where: str) -> None:
    if not amount.is_finite() or amount <= 0 or amount != round(amount, minor_digits(currency)):
        raise WrongCredit(
            sentence(
                "%(where)s: expected an amount above 0 in whole minor units of %(currency)s, found %(amount)s.",
                where=where,
                currency=currency,
                amount=amount,
            ),
            field="amount",
        )


def _positions(lines: Sequence[Creditable]) -> str:
    positions = [line.position for line in lines]
    return f"{positions[0]} to {positions[-1]}" if positions else "it has none"
