"""Prices as rating needs them: one version of a price book, immutable, in force from an instant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class TokenClass(StrEnum):
    """What a token was. Cached input is a part of input and reasoning a part of output: never added twice."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """One version of a price book.

    `token_prices` are per 1M tokens by (served model, class), `gpu_prices` per GPU-hour of a whole card by
    accelerator model. A price that is not there is unknown, which is not zero; what is free is priced at
    zero.
    """

    version_id: str
    effective_at: datetime
    token_prices: Mapping[tuple[str, TokenClass], Decimal] = field(default_factory=dict)
    gpu_prices: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.version_id
        assert self.effective_at.tzinfo is not None
        assert all(price >= 0 for price in (*self.token_prices.values(), *self.gpu_prices.values()))

    def price_per_mtok(self, model: str, token_class: TokenClass) -> Decimal | None:
        """Return the price per 1M tokens of one class of a model, or None where the version has none."""
        return self.token_prices.get((model, token_class))

    def price_per_gpu_hour(self, accelerator_model: str) -> Decimal | None:
        """Return the price per GPU-hour of a whole card, or None where the version has none."""
        return self.gpu_prices.get(accelerator_model)
