"""Money and exact arithmetic.

Amounts are `Decimal`. They are rounded at one place only: once per invoice line, half-even, to the minor unit
of the currency (`round_to_minor`). Until then:

* An amount of tokens, `tokens * price per 1M / 1,000,000`, is exact as a decimal: with prices of at most
  `PRICE_DECIMALS_MAX` decimals it needs at most `CHARGE_DECIMALS`.
* An amount of GPU time, `GPU-milliseconds * price per GPU-hour / 3,600,000`, is not (3,600,000 holds a 9),
and nor is
  a share of an odd percentage. Such an amount is kept as an exact fraction while it is computed
  (`exact_amount`), stored rounded half-even to `CHARGE_DECIMALS` decimals (`to_charge`), and an invoice line
  is computed anew as an exact fraction from its total quantity and rounded once (`round_to_minor`), never
  from stored, rounded parts.

Source of the minor digits: ISO 4217, list one (active codes).
"""

import math
from collections.abc import Iterable, Sequence
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction

from tenants.sentences import sentence

TOKENS_PER_PRICE_UNIT = 1_000_000
"""Token prices are per this many tokens."""

SECONDS_PER_HOUR = 3_600
"""Prices of GPU time are per GPU-hour, its quantities are GPU-seconds with three decimals (a share in 1/1000)."""

PRICE_DECIMALS_MAX = 12
"""Decimals a unit price may have."""

CHARGE_DECIMALS = 18
"""Decimals to which a stored charge is rounded."""

EXACT_DIGITS = 100
"""Digits of the exact context: far above 1e18 tokens at a price of 18 digits and 12 decimals."""

_ZERO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD "
    "HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
    "MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
    "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS "
    "UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

MINOR_DIGITS = {
    code: digits
    for digits, codes in ((0, _ZERO_DIGITS), (2, _TWO_DIGITS), (3, _THREE_DIGITS), (4, _FOUR_DIGITS))
    for code in codes.split()
}
"""Digits after the point of each currency's minor unit, by ISO 4217 alphabetic code."""


class UnknownCurrency(ValueError):
    """The code is no active ISO 4217 currency."""


def minor_digits(currency: str) -> int:
    """Return how many decimals amounts of `currency` have; raise `UnknownCurrency`."""
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise UnknownCurrency(sentence("%(currency)s is no active ISO 4217 currency code.", currency=repr(currency)))
    return digits


def half_a_unit(currency: str) -> Decimal:
    """Return by how much one rounding to a currency's minor unit may be off."""
    return Decimal(1).scaleb(-minor_digits(currency)) / 2


def exact_context() -> Context:
    """Return a new decimal context that raises where a digit would be lost or a float is met."""
    traps = [FloatOperation, Inexact, InvalidOperation, DivisionByZero, Overflow]
    return Context(prec=EXACT_DIGITS, rounding=ROUND_HALF_EVEN, traps=traps)


_EXACT = exact_context()


def exact_amount(*, quantity: int | Decimal, unit_price: Decimal, units_per_price: int) -> Fraction:
    """Return `quantity * unit_price / units_per_price` exactly; a correction's quantity may be negative."""
    assert unit_price.is_finite()
    assert units_per_price > 0
    count, parts = quantity.as_integer_ratio()
    numerator, denominator = unit_price.as_integer_ratio()
    return Fraction(count * numerator, parts * denominator * units_per_price)


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum without losing a digit, which the ambient decimal context of 28 digits might."""
    add, total = _EXACT.add, Decimal(0)
    for amount in amounts:
        total = add(total, amount)
    return total


def sum_of_fractions(amounts: Iterable[Fraction]) -> Fraction:
    """Return the sum exactly: those of one denominator are added first, and all brought over one once."""
    numerators: dict[int, int] = {}
    for amount in amounts:
        denominator = amount.denominator
        numerators[denominator] = numerators.get(denominator, 0) + amount.numerator
    if not numerators:
        return Fraction(0)
    common = math.lcm(*numerators)
    return Fraction(sum(found * (common // denominator) for denominator, found in numerators.items()), common)


def less(whole: Decimal, *parts: Decimal) -> Decimal:
    """Return what is left of a whole, exactly."""
    return exact_sum((whole, *(part.copy_negate() for part in parts)))


def token_amount(tokens: int, price_per_mtok: Decimal) -> Decimal:
    """Return what `tokens` cost at a price per 1M tokens, exactly."""
    assert price_per_mtok.is_finite()
    product = _EXACT.multiply(Decimal(tokens), price_per_mtok)
    return _EXACT.scaleb(product, -6)


def to_decimals(amount: Fraction | Decimal, decimals: int) -> Decimal:
    """Return `amount` rounded once, half-even, to exactly `decimals` decimals."""
    assert decimals >= 0
    numerator, denominator = amount.as_integer_ratio()
    scaled, rest = divmod(numerator * 10**decimals, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and scaled % 2):
        scaled += 1
    return _EXACT.scaleb(Decimal(scaled), -decimals)


def to_charge(amount: Fraction | Decimal) -> Decimal:
    """Return `amount` as a charge stores it: half-even at `CHARGE_DECIMALS` decimals."""
    return to_decimals(amount, CHARGE_DECIMALS)


def charge_of(units: int) -> Decimal:
    """Return a count of the smallest units that a charge is stored in as an amount: so many 10**-18."""
    return _EXACT.scaleb(Decimal(units), -CHARGE_DECIMALS)


def round_to_minor(amount: Fraction | Decimal, currency: str) -> Decimal:
    """Return `amount` rounded once, half-even, to the minor unit, as a line of a bill is."""
    rounded = to_decimals(amount, minor_digits(currency))
    if rounded != amount:
        assert abs(Fraction(rounded) - Fraction(amount)) * 2 * 10 ** minor_digits(currency) <= 1
    return rounded


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount that lies on the minor unit as a count of minor units; raise ValueError if it does not."""
    numerator, denominator = amount.as_integer_ratio()
    scale: int = 10 ** minor_digits(currency)
    minor, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"{amount} is no whole number of minor units of {currency}")
    return minor


def from_minor(amount_minor: int, currency: str) -> Decimal:
    """Return a count of minor units as an amount with the decimals of its currency."""
    return _EXACT.scaleb(Decimal(amount_minor), -minor_digits(currency))


def largest_remainder_units(total: int, weights: Sequence[Fraction | Decimal | int]) -> tuple[int, ...]:
    """Share `total` whole units out in proportion to `weights` so that the parts sum to it exactly.

    Each part is its exact proportion rounded down or up; the units left over go to the largest remainders,
    the earlier of equals first. A negative total is shared out like a positive one. Raises ValueError where
    the weights are negative or sum to zero.
    """
    exact = _over_one_denominator(weights)
    whole = sum(exact)
    if whole <= 0 or any(weight < 0 for weight in exact):
        raise ValueError("weights must be non-negative and must not all be zero")
    sign = -1 if total < 0 else 1
    shared = [divmod(abs(total) * weight, whole) for weight in exact]
    parts = [part for part, _ in shared]
    left = abs(total) - sum(parts)
    if left:
        for index in sorted(range(len(parts)), key=lambda index: (-shared[index][1], index))[:left]:
            parts[index] += 1
    assert sum(parts) == abs(total)
    return tuple(sign * part for part in parts)


def _over_one_denominator(weights: Sequence[Fraction | Decimal | int]) -> list[int]:
    """Return whole numbers in the proportion of weights: their numerators over one denominator."""
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = math.lcm(*(denominator for _, denominator in ratios))
    return [numerator * (common // denominator) for numerator, denominator in ratios]


def largest_remainder(
    total: Decimal, weights: Sequence[Fraction | Decimal | int], currency: str
) -> tuple[Decimal, ...]:
    """Share an amount on the minor unit out by `largest_remainder_units`; the parts sum to it exactly."""
    parts = largest_remainder_units(to_minor(total, currency), weights)
    return tuple(from_minor(part, currency) for part in parts)
