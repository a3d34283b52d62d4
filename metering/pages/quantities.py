"""Amounts of a class in the unit that people read, and back: tokens as they are, energy in kilowatt-hours."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from django.utils.translation import gettext as _

from metering.models import Quantity
from portal.figures import MILLIJOULES_PER_KWH, number

KWH_DIGITS: Final = 4
KWH_DIGITS_OF_SMALL: Final = 7
SMALL_MJ: Final = MILLIJOULES_PER_KWH // 1_000
"""Below a watt-hour energy is said to more digits, so that something is not shown as nothing."""
ENERGY_UNITS: Final = {"kWh": MILLIJOULES_PER_KWH, "Wh": MILLIJOULES_PER_KWH // 1_000, "J": 1_000, "mJ": 1}
"""Millijoules in each unit that energy can be given in."""
NUMBER: Final = re.compile(r"[0-9]{1,30}(\.[0-9]{0,30})?")
GROUPS: Final = dict.fromkeys(map(ord, ", \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"))
"""What people put between groups of digits."""


class NotAnAmount(ValueError):
    """What was typed is no whole number of the class's own unit; the message says so, translated."""


def amount(quantity: str, value: int) -> str:
    """Return a value without its unit: 18,402,118 tokens, 0.6123 kWh."""
    if quantity != Quantity.ENERGY_MJ:
        return number(value)
    digits = KWH_DIGITS if value == 0 or value >= SMALL_MJ else KWH_DIGITS_OF_SMALL
    return number(Decimal(value) / MILLIJOULES_PER_KWH, digits=digits)


def unit(quantity: str) -> str:
    """Return the unit that `amount` writes in."""
    if quantity == Quantity.ENERGY_MJ:
        return "kWh"
    return _("requests") if quantity == Quantity.REQUESTS else _("tokens")


def units(quantity: str) -> dict[str, int]:
    """Return the units that a value can be typed in, the first one usual, and what each is of the class's own."""
    if quantity == Quantity.ENERGY_MJ:
        return dict(ENERGY_UNITS)
    return {unit(quantity): 1}


def read_amount(text: str, factor: int) -> int:
    """Return what was typed, such as "1,250,000" or "0.6125", in the class's own unit. Raises NotAnAmount."""
    plain = text.translate(GROUPS)
    if not NUMBER.fullmatch(plain):
        raise NotAnAmount(_("Enter a number from 0 up, such as 1,250,000."))
    value = Fraction(plain) * factor
    if value.denominator != 1:
        raise NotAnAmount(
            _("Enter a whole number; nothing smaller is metered.")
            if factor == 1
            else _("Enter a whole number of millijoules; nothing smaller is metered.")
        )
    return value.numerator
