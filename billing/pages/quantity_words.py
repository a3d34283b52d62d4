"""Quantities of lines as people read and type them: what is stored by the second is said by the hour, as on papers."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.documents.composing import quantity_digits
from billing.money import SECONDS_PER_HOUR
from billing.rating.rated import Unit
from portal.figures import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

BY_HOUR: Final = frozenset({Unit.GPU_SECONDS, Unit.GB_SECONDS, Unit.SECONDS})
WORDS: Final[Mapping[str, Promise]] = {
    Unit.TOKENS: gettext_lazy("tokens"),
    Unit.REQUESTS: gettext_lazy("requests"),
    Unit.IMAGES: gettext_lazy("images"),
    Unit.STEPS: gettext_lazy("steps"),
    Unit.GPU_SECONDS: gettext_lazy("GPU-h"),
    Unit.GB_SECONDS: gettext_lazy("GB-h"),
    Unit.PACKAGES: gettext_lazy("packages"),
    Unit.SECONDS: pgettext_lazy("hours", "h"),
}
"""What a shown quantity counts; an amount has none."""
HUNDREDTH: Final = Decimal("0.01")


def quantity_words(quantity: Decimal, unit: str) -> str:
    """Return a stored quantity with what it counts: 4,176 GPU-h; "" for an amount."""
    return f"{shown_number(quantity, unit)} {WORDS[unit]}" if unit in WORDS else ""


def shown_number(quantity: Decimal, unit: str) -> str:
    """Return a stored quantity in the unit of `WORDS`, whole or with two decimals."""
    shown = quantity / SECONDS_PER_HOUR if unit in BY_HOUR else quantity
    return number(shown) if shown == shown.to_integral_value() else number(shown, digits=2)


def billed_number(quantity: Decimal, unit: str) -> str:
    """Return the stored quantity of a bill in the unit of `WORDS`, so finely that its price times it is its amount."""
    shown = quantity / SECONDS_PER_HOUR if unit in BY_HOUR else quantity
    return number(shown, digits=quantity_digits(shown))


def most_words(quantity: Decimal, unit: str) -> str:
    """Return the most of a stored quantity that can be typed with two decimals, never rounded up; as above."""
    if unit not in WORDS:
        return ""
    per = SECONDS_PER_HOUR if unit in BY_HOUR else 1
    return quantity_words((quantity / per).quantize(HUNDREDTH, ROUND_FLOOR) * per, unit)


def stored_quantity(typed: Decimal, unit: str) -> Decimal:
    """Return what somebody typed in the unit of `WORDS` as it is stored."""
    return typed * SECONDS_PER_HOUR if unit in BY_HOUR else typed
