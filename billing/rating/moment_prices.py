"""The price of a moment: the contract's own where it has one, else that of the price book's version in force."""

from decimal import Decimal

from billing.rating.book import PriceVersion
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import UnpricedReason
from billing.rating.token_price_wording import TierTable, TokenPriceWording
from metering.context_bands import CONTEXT_BANDS

PARTS = tuple(row.name for row in QUANTITIES.values() if row.part_of)


class MomentPrices:
    """Prices by one wording and one version of the book, or none (None)."""

    def __init__(self, wording: TokenPriceWording, version: PriceVersion | None) -> None:
        self._wording = wording
        self._version = version
        self._own = {(each.model, each.quantity, each.context_over): each.price for each in wording.prices}
        self._named = {(model, quantity) for model, quantity, _ in self._own}
        self._tiers: dict[tuple[str, int], int] = {}
        self._parts: dict[tuple[str, int], tuple[str, ...]] = {}

    def price(self, model: str, quantity: str, context_over: int) -> tuple[Decimal | None, str | None]:
        """Return the price of a quantity and the version it is from, None for the contract's own."""
        if (model, quantity) in self._named:
            bands = (over for over in reversed(CONTEXT_BANDS) if over <= context_over)
            found = (self._own.get((model, quantity, over)) for over in bands)
            return next(price for price in found if price is not None), None
        if self._version is None:
            return None, None
        return self._version.price_of(model, quantity, context_over), self._version.version_id

    def tier_of(self, model: str, context_over: int) -> int:
        """Return the greatest threshold at which any price of a model changes, up to `context_over`."""
        key = (model, context_over)
        if context_over and key not in self._tiers:
            own = (over for named, _, over in self._own if named == model and over <= context_over)
            book = self._version.tier_of(model, context_over) if self._version else 0
            self._tiers[key] = max((book, *own))
        return self._tiers[key] if context_over else 0

    def priced_parts(self, model: str, context_over: int) -> tuple[str, ...]:
        """Return the quantities that are parts of others and have a price of their own."""
        key = (model, context_over)
        if key not in self._parts:
            self._parts[key] = tuple(
                part
                for part in PARTS
                if self.price(model, part, context_over)[0] is not None or self.priced_apart(model, part)
            )
        return self._parts[key]

    def priced_apart(self, model: str, quantity: str) -> bool:
        """Whether a package, or a table whose tiers are prices, covers a quantity: then it needs no other price."""
        tables = (table for table in self._wording.tiers if isinstance(table, TierTable) and table.is_absolute)
        return any(part.covers(model, quantity) for part in (*tables, *self._wording.packages))

    def reason_without(self) -> UnpricedReason:
        """Return why a quantity has no price."""
        return UnpricedReason.NO_VERSION if self._version is None else UnpricedReason.NO_PRICE
