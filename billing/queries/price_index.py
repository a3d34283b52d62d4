"""Own prices beside public ones, and what became of public prices from one import to the next."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from statistics import median
from typing import Final

from django.db.models import Q, QuerySet

from billing.models import IndexImport, IndexPrice, PriceBook
from billing.price_files import card_words, model_name
from billing.price_versions import load_versions
from billing.rating.price_lists import Direction, PriceChange, PriceKey, prices_of
from billing.rating.rated import PriceUnit

ON_DEMAND: Final = ("", "on_demand")
"""Marks of prices that are compared: of plain requests, and of cards taken when they are wanted."""


@dataclass(frozen=True, slots=True)
class Beside:
    """An own price beside those of the market for the same model and unit; `market` counts the prices found."""

    key: PriceKey
    own: Decimal
    market: int
    lowest: Decimal | None
    middle: Decimal | None
    highest: Decimal | None
    lowest_seller: str

    @property
    def relative(self) -> Decimal | None:
        """How far the own price is from the middle one: 0.1 is 10 % above."""
        return self.own / self.middle - 1 if self.middle else None


@dataclass(frozen=True, slots=True)
class IndexChange:
    """A public price that rose, fell, is new or gone."""

    price: IndexPrice
    change: PriceChange


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """What differs from the import before, of the day `before`: all counts, and the changes, the largest first."""

    before: date
    counts: Mapping[str, int]
    changes: tuple[IndexChange, ...]


def latest_imports() -> dict[str, IndexImport]:
    """Return the newest import of each source."""
    rows = IndexImport.objects.order_by("source", "-as_of", "-imported_at").distinct("source")
    return {row.source: row for row in rows}


def public_prices(search: str = "") -> QuerySet[IndexPrice]:
    """Return the prices of the newest imports, of models and cards whose name has some text."""
    found = IndexPrice.objects.filter(imported__in=[row.pk for row in latest_imports().values()])
    if search:
        found = found.filter(Q(name__icontains=search) | Q(seller__icontains=search))
    return found.order_by("model", "seller", "name", "unit", "quantity", "context_over", "mark")


def beside_market(book: PriceBook, now: datetime) -> list[Beside]:
    """Return every price of a book in force that can be compared, with what the market asks in the same currency.

    Zeros do not count: sources write 0 of what is free, and of what they do not know.
    """
    versions = load_versions(book_ids=[book.id], from_at=now, to_at=now).get(book.id, ())
    own = {
        key: price
        for key, price in (prices_of(versions[-1]) if versions else {}).items()
        if not key.context_over and key.unit != PriceUnit.PER_GB_MONTH and key.model
    }
    imports = latest_imports()
    models = {model_name(key.model) for key in own if key.unit != PriceUnit.PER_GPU_HOUR}
    found = IndexPrice.objects.filter(imported__in=[row.pk for row in imports.values()], currency=book.currency)
    found = found.filter(price__gt=0, mark__in=ON_DEMAND, context_over=0)
    of_models: dict[tuple[str, str, str], list[IndexPrice]] = defaultdict(list)
    for price in found.filter(model__in=models):
        of_models[price.model, price.unit, price.quantity].append(price)
    cards = list(found.filter(unit=PriceUnit.PER_GPU_HOUR))
    return [_beside(key, price, _matching(key, of_models, cards)) for key, price in sorted(own.items())]


def index_changes(imported: IndexImport) -> IndexChanges | None:
    """Return what differs from the import of the same source before; None where there is none."""
    before = (
        IndexImport.objects.filter(source=imported.source, as_of__lt=imported.as_of)
        .order_by("-as_of", "-imported_at")
        .first()
    )
    if before is None:
        return None
    was, now = ({_about(one): one for one in each.prices.all()} for each in (before, imported))
    found = []
    for about in sorted({*was, *now}):
        old, new = was.get(about), now.get(about)
        prices = tuple(None if one is None else one.price for one in (old, new))
        shown = new or old
        if prices[0] != prices[1] and shown is not None:
            key = PriceKey(shown.unit, shown.name, shown.quantity, shown.context_over)
            found.append(IndexChange(shown, PriceChange(key, *prices)))
    counted = Counter(one.change.direction for one in found)
    words = {Direction.RISE: "rose", Direction.FALL: "fell", Direction.NEW: "new", Direction.GONE: "gone"}
    return IndexChanges(
        before=before.as_of,
        counts={word: counted[direction] for direction, word in words.items()},
        changes=tuple(sorted(found, key=lambda one: abs(one.change.relative or Decimal(0)), reverse=True)),
    )


def _matching(
    key: PriceKey, of_models: Mapping[tuple[str, str, str], list[IndexPrice]], cards: Sequence[IndexPrice]
) -> list[IndexPrice]:
    if key.unit != PriceUnit.PER_GPU_HOUR:
        return of_models.get((model_name(key.model), key.unit, key.quantity), [])
    words = card_words(key.model)
    return [card for card in cards if card_words(card.model) <= words]


def _beside(key: PriceKey, own: Decimal, found: Sequence[IndexPrice]) -> Beside:
    prices = sorted(one.price for one in found)
    lowest = min(found, key=lambda one: one.price, default=None)
    return Beside(
        key=key,
        own=own,
        market=len(prices),
        lowest=prices[0] if prices else None,
        middle=median(prices) if prices else None,
        highest=prices[-1] if prices else None,
        lowest_seller=lowest.seller if lowest else "",
    )


def _about(price: IndexPrice) -> tuple[str, str, str, str, int, str]:
    return (price.seller, price.name, price.unit, price.quantity, price.context_over, price.mark)
