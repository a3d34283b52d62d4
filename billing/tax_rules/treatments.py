"""What a line's tax is called: categories of EN 16931 (UNCL5305), codes of reasons (VATEX), where a rate is from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """Duty or tax category codes of UNCL5305 that EN 16931 has for value added tax."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    NOT_SUBJECT = "O"


WITHOUT_TAX: Final = frozenset(Category) - {Category.STANDARD}
"""Categories whose rate is always 0."""


class Source(StrEnum):
    """Who says that a treatment applies."""

    NONE = "none"
    """The seller charges no tax."""
    BUILT_IN = "built_in"
    PROVIDER = "provider"
    CERTIFICATE = "certificate"
    STRIPE = "stripe"


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a line is taxed. `percent` is 0 but in category S; `country` is whose tax it is, "" where it is nobody's.

    `reason_code` is a VATEX code where EN 16931 has one for the reason, which is in words for people.
    """

    category: Category
    percent: Decimal
    country: str
    source: Source
    reason_code: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        assert Decimal(0) <= self.percent <= 100, self.percent
        assert self.category not in WITHOUT_TAX or not self.percent, (self.category, self.percent)
