"""A price version as one flat list, so that every kind of price is compared, capped, drafted and published alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit

FACTOR = "factor"
"""The unit of a multiplier: it has none, and multiplies prices."""
COUNTED = frozenset(row.price_unit for row in QUANTITIES.values()) - {PriceUnit.PER_MTOK}
"""The units of what is counted beside tokens."""


@dataclass(frozen=True, slots=True, order=True)
class PriceKey:
    """What one price is of.

    `unit` is a `PriceUnit` or `FACTOR`. `model` is a served model, an accelerator model (per GPU-hour) or a kind of
    storage (per GB-month). `quantity` is a class of tokens, a counted quantity, or the mark of a factor.
    `context_over` is the threshold of long requests, 0 without one.
    """

    unit: str
    model: str
    quantity: str = ""
    context_over: int = 0


PriceList = Mapping[PriceKey, Decimal]
"""Every price of a version; what is not in it has no price, which is not zero."""


class Direction(StrEnum):
    """What becomes of one price."""

    RISE = "rise"
    FALL = "fall"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One price that is another one in the next list; None where a list has none."""

    key: PriceKey
    before: Decimal | None
    after: Decimal | None

    def __post_init__(self) -> None:
        assert self.before != self.after

    @property
    def direction(self) -> Direction:
        """Whether it rises, falls, is new or gone."""
        if self.before is None:
            return Direction.NEW
        if self.after is None:
            return Direction.GONE
        return Direction.RISE if self.after > self.before else Direction.FALL

    @property
    def relative(self) -> Decimal | None:
        """The change as a part of the price before: 0.34 is 34 % more; None where there was none, or nothing."""
        if not self.before or self.after is None:
            return None
        return self.after / self.before - 1


def prices_of(version: PriceVersion) -> dict[PriceKey, Decimal]:
    """Return every price of a version."""
    tokens = {PriceKey(PriceUnit.PER_MTOK, *about): price for about, price in version.token_prices.items()}
    tiers = {PriceKey(PriceUnit.PER_MTOK, *about): price for about, price in version.tier_prices.items()}
    counted = {
        PriceKey(QUANTITIES[quantity].price_unit, model, quantity): price
        for (model, quantity), price in version.unit_prices.items()
    }
    cards = {PriceKey(PriceUnit.PER_GPU_HOUR, model): price for model, price in version.gpu_prices.items()}
    storage = {PriceKey(PriceUnit.PER_GB_MONTH, kind): price for kind, price in version.storage_prices.items()}
    factors = {PriceKey(FACTOR, model, mark): factor for (model, mark), factor in version.factors.items()}
    return tokens | tiers | counted | cards | storage | factors


def version_of(
    version_id: str, effective_at: datetime, prices: PriceList, *, announced_at: datetime | None = None
) -> PriceVersion:
    """Return the version that holds the prices; `prices_of` gives them back."""
    tokens = {key: price for key, price in prices.items() if key.unit == PriceUnit.PER_MTOK}
    return PriceVersion(
        version_id=version_id,
        effective_at=effective_at,
        announced_at=announced_at,
        token_prices={
            (key.model, TokenClass(key.quantity)): price for key, price in tokens.items() if not key.context_over
        },
        tier_prices={
            (key.model, TokenClass(key.quantity), key.context_over): price
            for key, price in tokens.items()
            if key.context_over
        },
        unit_prices={(key.model, key.quantity): price for key, price in prices.items() if key.unit in COUNTED},
        gpu_prices={key.model: price for key, price in prices.items() if key.unit == PriceUnit.PER_GPU_HOUR},
        storage_prices={key.model: price for key, price in prices.items() if key.unit == PriceUnit.PER_GB_MONTH},
        factors={(key.model, key.quantity): price for key, price in prices.items() if key.unit == FACTOR},
    )


def changes(before: PriceList, after: PriceList) -> tuple[PriceChange, ...]:
    """Return what is another price in the second list, or in one of them only, in the order of what it is of."""
    return tuple(
        PriceChange(key, before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def uniform_change(found: Iterable[PriceChange]) -> Decimal | None:
    """Return the relative change that all of them share; None where they differ or one has none."""
    relatives = {change.relative for change in found}
    return relatives.pop() if len(relatives) == 1 else None
