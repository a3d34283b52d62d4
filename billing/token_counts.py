"""Tokens by class, as they are shown."""

from decimal import Decimal

import msgspec


class TokenCounts(msgspec.Struct, frozen=True):
    """Tokens by class as metered: cached input is a part of input and reasoning a part of output."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def uncached_input(self) -> int:
        """Input that did not come from a cache."""
        return self.input - self.cached_input

    @property
    def total(self) -> int:
        """Every token once."""
        return self.input + self.cache_write + self.output

    @property
    def cache_hit_percent(self) -> Decimal | None:
        """The cached part of the input; None without input."""
        return Decimal(self.cached_input * 100) / self.input if self.input else None
