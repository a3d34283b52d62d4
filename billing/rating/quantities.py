"""What can be used and priced, as data: adding a quantity is adding a row.

A quantity says in what unit it is counted, for how many of them a price is, and whether usage of it must have one.
Classes of tokens overlap: `part_of` names the class that a class is a part of, so that no token is priced twice
(`billing.rating.billable`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from billing.money import TOKENS_PER_PRICE_UNIT
from billing.rating.rated import Price, PriceUnit, Unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the table.

    Usage that `needs_price` and has none is reported as unpriced. Requests need none: what a request costs is usually
    the price of its tokens, and a price per request comes on top where one is agreed.
    """

    name: str
    unit: Unit
    price_unit: PriceUnit
    part_of: str = ""
    needs_price: bool = True

    @property
    def units_per_price(self) -> int:
        """For how many units a price is."""
        return TOKENS_PER_PRICE_UNIT if self.price_unit is PriceUnit.PER_MTOK else 1

    def price(self, amount: Decimal) -> Price:
        """Return an amount as the price of this quantity."""
        return Price(amount, self.price_unit, self.units_per_price)


_ROWS = (
    Quantity("input", Unit.TOKENS, PriceUnit.PER_MTOK),
    Quantity("cached_input", Unit.TOKENS, PriceUnit.PER_MTOK, part_of="input"),
    Quantity("cache_write", Unit.TOKENS, PriceUnit.PER_MTOK),
    Quantity("output", Unit.TOKENS, PriceUnit.PER_MTOK),
    Quantity("reasoning", Unit.TOKENS, PriceUnit.PER_MTOK, part_of="output"),
    Quantity("requests", Unit.REQUESTS, PriceUnit.PER_REQUEST, needs_price=False),
    Quantity("images", Unit.IMAGES, PriceUnit.PER_IMAGE),
    Quantity("audio_seconds", Unit.SECONDS, PriceUnit.PER_SECOND),
    Quantity("video_seconds", Unit.SECONDS, PriceUnit.PER_SECOND),
    Quantity("steps", Unit.STEPS, PriceUnit.PER_STEP),
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({row.name: row for row in _ROWS})
"""Every quantity by its name, in the order in which lines show them."""

ORDER: Mapping[str, int] = MappingProxyType({name: place for place, name in enumerate(QUANTITIES)})
"""The place of each quantity in the table."""
