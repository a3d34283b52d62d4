"""Keeps bills at or above zero: credits that outweigh what is owed go to the next period.

What the period before handed over is taken off as one line. Where the bill would then come out below zero, one line
gives back what is too much, as an amount in minor units so that the rounded bill is exactly 0.00, and the same amount
is handed on.

Each line is rounded by itself: two lines of 0.4 yen are 0 each, and the 0.8 taken off them are 1. Such a bill is below
zero by its rounding alone. Nobody owes that to anybody: it is evened out by a line of its own, and not handed on.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from billing.money import from_minor, round_to_minor
from billing.rating.inputs import RatingWindow
from billing.rating.lines import make_bill
from billing.rating.rated import Carry, Rated, RatedLine, TermKind, Unit, line_key, whole_amount

RULE_BROUGHT = "credit_brought_forward"
RULE_CARRIED = "credit_carried_forward"
RULE_ROUNDED = "rounded_below_zero"
CREDIT_AMOUNT = "credit_amount"
"""Name of the `Carry` of a contract: what the next bill is smaller by, in the contract's currency."""


def settle_below_zero(
    contract: str, contract_version: int, window: RatingWindow, lines: Sequence[RatedLine], brought: Decimal
) -> Rated:
    """Return the lines that take off what was brought forward and that carry forward what is too much, if any.

    What is handed on is what the exact amounts come to below zero, rounded, and never more than the bill gives back.
    """
    assert brought >= 0
    added: list[RatedLine] = []
    if brought:
        added.append(_line(contract, contract_version, window, RULE_BROUGHT, -brought))
    if not added and all(line.amount >= 0 for line in lines):
        return Rated()
    total = make_bill([*lines, *added], window.currency).total
    if total >= 0:
        return Rated(tuple(added))
    exact = sum((line.exact for line in (*lines, *added)), Fraction(0))
    carried = min(-total, max(from_minor(0, window.currency), -round_to_minor(exact, window.currency)))
    for rule, amount in ((RULE_CARRIED, carried), (RULE_ROUNDED, -total - carried)):
        if amount:
            added.append(_line(contract, contract_version, window, rule, amount))
    return Rated(tuple(added), carries=(Carry(contract, CREDIT_AMOUNT, carried),) if carried else ())


def _line(contract: str, contract_version: int, window: RatingWindow, rule: str, amount: Decimal) -> RatedLine:
    quantity = Decimal(1 if amount > 0 else -1)
    return RatedLine(
        line_key=line_key(TermKind.CREDIT, contract, rule),
        term_kind=TermKind.CREDIT,
        term_ref=contract,
        contract_version=contract_version,
        price_version_id=None,
        rule=rule,
        model="",
        token_class="",
        quantity=quantity,
        unit=Unit.AMOUNT,
        price=whole_amount(abs(amount)),
        quality_mix={"A": quantity},
        from_at=window.from_at,
        to_at=window.to_at,
    )
