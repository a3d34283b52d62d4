"""Discounts and coupons: a percentage or an amount off what other terms charge.

Each discount is taken off what those before it left, so that together they never take more than there is. A coupon is
a discount that holds once its code was redeemed, in as many billing periods as it says.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from urllib.parse import unquote

import msgspec

from billing.money import to_charge
from billing.rating.adjusting import About, Scope, amount_line, net_by_about
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, facts_of
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import WHOLE_PERCENT, Carry, Rated, RatedLine, TermKind, line_key
from billing.rating.token_price_wording import check_decimal
from billing.rating.wording import Stretch, Wording, WrongWording, plain
from clusters.occupancy import unix_second
from tenants.sentences import sentence

RULE_PERCENT = "discount_percent"
RULE_AMOUNT = "discount_amount"
PERIODS_USED = "periods_used"
CODE_CHARS_MAX = 32


class CouponWording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that a discount hangs on, and in how many billing periods it holds; in all where None."""

    code: str
    periods_most: int | None = None


class DiscountWording(Wording, frozen=True, kw_only=True, tag="discount"):
    """A percentage, or an amount of each billing period, off what is in scope: all of it where nothing is named."""

    percent: Decimal | None = None
    amount_per_period: Decimal | None = None
    terms: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    coupon: CouponWording | None = None

    @property
    def scope(self) -> Scope:
        """What it is taken off."""
        return Scope(self.terms, self.models, self.quantities)

    def check(self) -> None:
        """Raise `WrongWording` where it is neither, both or too much, or names what there is not."""
        if (self.percent is None) == (self.amount_per_period is None):
            raise WrongWording("percent", sentence("A discount is a percentage or an amount."), '"10"')
        if self.percent is not None:
            check_decimal("percent", self.percent, decimals_max=6, example='"10"')
            if not 0 < self.percent <= WHOLE_PERCENT:
                raise WrongWording(
                    "percent", sentence("%(percent)s lies outside 0 and 100.", percent=plain(self.percent)), '"10"'
                )
        if self.amount_per_period is not None:
            check_decimal("amount_per_period", self.amount_per_period, example='"250.00"')
        for place, quantity in enumerate(self.quantities):
            if quantity not in QUANTITIES:
                raise WrongWording(
                    f"quantities[{place}]",
                    sentence("%(quantity)s is no quantity.", quantity=repr(quantity)),
                    '"output"',
                )
        if self.coupon is not None:
            _check_coupon(self.coupon)


class Redeemed(Fact, frozen=True, kw_only=True, tag="coupon_redeemed"):
    """The tenant redeemed a coupon's code."""

    code: str
    at: datetime


def adjust_discount(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> Rated:
    """Take a discount off the lines before it: one line per wording and term, model and quantity in scope.

    A coupon's periods count by its code: an amendment that names another code must be redeemed anew.
    """
    redeemed = {fact.code for fact in facts_of(term.facts, Redeemed)}
    used = _periods_used(term)
    found: list[RatedLine] = []
    held: set[str] = set()
    for stretch in term.stretches:
        wording: DiscountWording = stretch.wording
        coupon = wording.coupon
        if coupon is not None:
            # That it was redeemed is a fact of the period in which that was; later ones know by what was handed on.
            if coupon.code not in redeemed and coupon.code not in used:
                continue
            held.add(coupon.code)
            if coupon.periods_most is not None and used.get(coupon.code, Decimal(0)) >= coupon.periods_most:
                continue
        found += list(_lines(term, stretch, window, (*lines, *found)))
    counted = {code: used.get(code, Decimal(0)) + (code in held) for code in sorted({*used, *held})}
    carries = [Carry(term.ref, line_key(PERIODS_USED, code), count) for code, count in counted.items()]
    return Rated(tuple(found), carries=tuple(carries) if window.is_whole else ())


def _periods_used(term: TermInput) -> dict[str, Decimal]:
    """Return in how many periods each code was used before; what was handed on without a code is of the first one."""
    codes = [stretch.wording.coupon.code for stretch in term.stretches if stretch.wording.coupon is not None]
    found: dict[str, Decimal] = {}
    for fact in facts_of(term.facts, Carried):
        name, *code = fact.name.split("|")
        if name == PERIODS_USED and (code or codes):
            found[unquote(code[0]) if code else codes[0]] = fact.value
    return found


def _lines(
    term: TermInput, stretch: Stretch[DiscountWording], window: RatingWindow, lines: Sequence[RatedLine]
) -> Iterator[RatedLine]:
    wording = stretch.wording
    # Amended inside a period, an amount goes on to be taken off what began before the amendment: it is of the period.
    begins_at = term.stretches[0].from_at if wording.percent is None else stretch.from_at
    net = net_by_about(lines, wording.scope, begins_at, stretch.to_at)
    if wording.percent is not None:
        rule = RULE_PERCENT
        parts = {about: to_charge(amount * Fraction(wording.percent) / 100) for about, amount in net.items()}
    else:
        assert wording.amount_per_period is not None
        rule = RULE_AMOUNT
        seconds = unix_second(stretch.to_at) - unix_second(stretch.from_at)
        agreed = Fraction(wording.amount_per_period) * seconds / window.seconds_per_period
        parts = _shared_out(min(agreed, sum(net.values(), Fraction(0))), net)
    for (ref, model, quantity), amount in parts.items():
        if amount:
            yield amount_line(
                TermKind.DISCOUNT,
                term.ref,
                stretch.contract_version,
                about=(ref, model, quantity) if model or quantity else (ref,),
                rule=rule,
                amount=-amount,
                from_at=max(begins_at, window.from_at),
                to_at=min(stretch.to_at, window.period_to_at),
                about_ref=ref,
                model=model,
                token_class=quantity,
            )


def _shared_out(amount: Fraction, over: dict[About, Fraction]) -> dict[About, Decimal]:
    """Share an amount out in proportion; the last takes what rounding to 18 decimals left, so that the sum is exact."""
    whole = sum(over.values(), Fraction(0))
    if not whole:
        return {}
    parts: dict[About, Decimal] = {}
    left = Fraction(to_charge(amount))
    for place, (about, weight) in enumerate(over.items(), 1):
        part = left if place == len(over) else min(left, Fraction(to_charge(amount * weight / whole)))
        parts[about] = to_charge(part)
        left -= part
    return parts


def _check_coupon(coupon: CouponWording) -> None:
    if not 0 < len(coupon.code) <= CODE_CHARS_MAX:
        raise WrongWording(
            "coupon.code", sentence("A code has 1 to %(most)s characters.", most=CODE_CHARS_MAX), '"WELCOME"'
        )
    if coupon.periods_most is not None and coupon.periods_most <= 0:
        raise WrongWording("coupon.periods_most", sentence("It holds in at least one period."), "3")
