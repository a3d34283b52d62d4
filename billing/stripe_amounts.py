"""Amounts in the integers that Stripe takes, which are not always a currency's own minor units.

Source: docs.stripe.com/currencies as read in several stored copies; not checked against the live service.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO_DECIMAL: Final = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
# Without minor units in ISO 4217, yet sent to Stripe in hundredths that must be whole units: 5 UGX is 500.
HUNDREDTHS_OF_WHOLE_UNITS: Final = frozenset({"ISK", "UGX"})
# Sent in thousandths whose last digit must be 0: 5.120 KWD is 5120, 5.124 KWD cannot be charged.
THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

# The smallest charge in Stripe's integers. A finalized invoice below it is marked paid by Stripe and the debt moves
# to the customer's balance, so such an invoice is not pushed at all.
MINIMUM_CHARGE_MINOR: Final = {
    "AED": 200,
    "AUD": 50,
    "BRL": 50,
    "CAD": 50,
    "CHF": 50,
    "CZK": 1500,
    "DKK": 250,
    "EUR": 50,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17_500,
    "INR": 50,
    "JPY": 50,
    "MXN": 1000,
    "MYR": 200,
    "NOK": 300,
    "NZD": 50,
    "PLN": 200,
    "RON": 200,
    "SEK": 300,
    "SGD": 50,
    "THB": 1000,
    "USD": 50,
}


class AmountNotRepresentable(Exception):
    """Stripe has no integer for this amount; nothing here rounds, so the caller must have rounded before."""


def smallest_amount(currency: str) -> Decimal:
    """The step between amounts that Stripe can charge: 0.01 EUR, 1 JPY, 1 UGX, 0.01 KWD."""
    assert len(currency) == 3, currency
    whole = currency.upper() in ZERO_DECIMAL | HUNDREDTHS_OF_WHOLE_UNITS
    return Decimal(1) if whole else Decimal("0.01")


def chargeable(amount: Decimal, currency: str) -> Decimal:
    """The largest amount that is no more than ``amount`` and that Stripe has an integer for: of 5.124 KWD 5.12."""
    return amount - amount % smallest_amount(currency)


def minor_units(amount: Decimal, currency: str) -> int:
    """The integer Stripe takes for ``amount``; negative amounts (credits) keep their sign.

    Raises AmountNotRepresentable when the amount is not a multiple of ``smallest_amount(currency)``.
    """
    if not amount.is_finite() or amount % smallest_amount(currency) != 0:
        raise AmountNotRepresentable(f"{amount.normalize():f} {currency.upper()}")
    return int(amount.scaleb(_exponent(currency)))


def from_minor_units(amount_minor: int, currency: str) -> Decimal:
    """The amount behind an integer of Stripe's, exact, with as many decimals as Stripe counts in."""
    return Decimal(amount_minor).scaleb(-_exponent(currency))


def told_minor_units(amount: Decimal, currency: str) -> int:
    """The integer Stripe would count for ``amount``, rounded half-even: to be told beside its own, never charged."""
    return int(amount.scaleb(_exponent(currency)).to_integral_value(ROUND_HALF_EVEN))


def minimum_charge_minor(currency: str) -> int | None:
    """The smallest amount that Stripe charges in the currency, in its integers; None where it publishes none.

    Where none is published Stripe converts to the account's settlement currency and applies that one's minimum,
    which cannot be known beforehand.
    """
    return MINIMUM_CHARGE_MINOR.get(currency.upper())


def is_too_small(amount: Decimal, currency: str) -> bool:
    """Whether Stripe would not charge the amount. Raises AmountNotRepresentable."""
    return minor_units(amount, currency) < max(minimum_charge_minor(currency) or 0, 1)


def _exponent(currency: str) -> int:
    if currency.upper() in ZERO_DECIMAL:
        return 0
    return 3 if currency.upper() in THREE_DECIMAL else 2
