"""Prices as rating needs them: one version of a price book, immutable, in force from an instant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from metering.context_bands import CONTEXT_BANDS


class TokenClass(StrEnum):
    """What a token was. Cached input is a part of input and reasoning a part of output: never added twice."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"


_CLASSES = frozenset(TokenClass)


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """One version of a price book.

    `token_prices` are per 1M tokens by (served model, class), `gpu_prices` per GPU-hour of a whole card by
    accelerator model. A price that is not there is unknown, which is not zero; what is free is priced at
    zero. `tier_prices` are those of long requests, by (served model, class, threshold): they hold for all
    tokens of a request whose input exceeds the threshold, not only for those above it. `unit_prices` are those of
    quantities that are no tokens (`billing.rating.quantities`), per unit, by (served model, quantity). `storage_prices`
    are per GB-month by kind of storage; `factors` multiply the prices of marked usage, by (served model or "" for all,
    mark). `announced_at` is when it was published, None where nothing depends on it.
    """

    version_id: str
    effective_at: datetime
    token_prices: Mapping[tuple[str, TokenClass], Decimal] = field(default_factory=dict)
    gpu_prices: Mapping[str, Decimal] = field(default_factory=dict)
    tier_prices: Mapping[tuple[str, TokenClass, int], Decimal] = field(default_factory=dict)
    unit_prices: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    storage_prices: Mapping[str, Decimal] = field(default_factory=dict)
    factors: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    announced_at: datetime | None = None

    def __post_init__(self) -> None:
        assert self.version_id
        assert self.effective_at.tzinfo is not None
        of_usage = (*self.token_prices.values(), *self.tier_prices.values(), *self.unit_prices.values())
        of_time = (*self.gpu_prices.values(), *self.storage_prices.values())
        assert all(price >= 0 for price in (*of_usage, *of_time, *self.factors.values()))
        assert all(over in CONTEXT_BANDS[1:] for *_, over in self.tier_prices)

    def price_per_mtok(self, model: str, token_class: TokenClass, context_over: int = 0) -> Decimal | None:
        """Return the price per 1M tokens of one class of a model, or None where the version has none.

        Of requests of the band `context_over` it is the price with the greatest threshold that is not above it.
        """
        for over in _descending(context_over) if context_over else ():
            price = self.tier_prices.get((model, token_class, over))
            if price is not None:
                return price
        return self.token_prices.get((model, token_class))

    def price_of(self, model: str, quantity: str, context_over: int = 0) -> Decimal | None:
        """Return the price of any quantity of a model for the units its prices are for, or None without one."""
        if quantity in _CLASSES:
            return self.price_per_mtok(model, TokenClass(quantity), context_over)
        return self.unit_prices.get((model, quantity))

    def tier_of(self, model: str, context_over: int) -> int:
        """Return the greatest threshold at which any price of a model changes, up to `context_over`; 0: none does."""
        if not context_over:
            return 0
        tiers = (
            over
            for over in _descending(context_over)
            if any((model, token_class, over) in self.tier_prices for token_class in TokenClass)
        )
        return next(tiers, 0)

    def price_per_gpu_hour(self, accelerator_model: str) -> Decimal | None:
        """Return the price per GPU-hour of a whole card, or None where the version has none."""
        return self.gpu_prices.get(accelerator_model)

    def price_per_gb_month(self, storage: str) -> Decimal | None:
        """Return the price per GB-month of a kind of storage, or None where the version has none."""
        return self.storage_prices.get(storage)

    def factor(self, model: str, mark: str) -> Decimal | None:
        """Return what prices of usage with a mark are multiplied with: the model's own, else that of all models.

        None where the version has none: then the mark changes no price.
        """
        return self.factors.get((model, mark), self.factors.get(("", mark)))


def _descending(context_over: int) -> Iterator[int]:
    return (over for over in reversed(CONTEXT_BANDS) if 0 < over <= context_over)
