"""Numbers of worked cases as people write them."""

from decimal import Decimal
from fractions import Fraction


def plain(amount: Fraction | Decimal | int) -> str:
    """Return a number as a decimal without exponent or trailing zeros, or as a fraction where it has no end."""
    exact = Fraction(amount)
    rest = exact.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{exact.numerator}/{exact.denominator}"
    decimals = len(str(exact.denominator)) * 4
    digits = str(abs(exact) * 10**decimals).rjust(decimals + 1, "0")
    text = f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
    return f"-{text}" if exact < 0 else text
