"""What a node's cards did in an hour: who held them, which models they served, and what stood idle.

The rules, in order:

1. Time that a tenant holds is that tenant's, whatever runs. If its own deployments made tokens on the node in the
   hour, the time is shared out over their models by the work done, else it is the card model's.
2. Time that nobody holds is shared out over the models that other tenants' deployments made tokens of on the node in
   the hour, by the work done.
3. What is left is idle.

*Work* weighs tokens: an output token as `WORK_OUTPUT`, an uncached input token as `WORK_INPUT`, a cached one as
`WORK_CACHED`. It decides only where several models share a node, and nothing where one has it to itself.

Energy that a meter knows for a tenant goes to that tenant's uses by their time, energy of cards that are nobody's
or several tenants' to the uses that have none yet. GPU time without a metered joule is counted as such (`gpu_ms` less
`metered_ms`), never as zero energy. All parts are whole milliseconds and millijoules and sum to the hour's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from billing.money import largest_remainder_units

WORK_INPUT, WORK_CACHED, WORK_OUTPUT = 10, 1, 40
"""Weights of a token's work: an output token is commonly listed at about four input tokens, a cached one at a tenth."""

NOBODY = ""


class UseKind(StrEnum):
    """What GPU time was for."""

    HELD = "held"
    SERVED = "served"
    IDLE = "idle"


class Use(NamedTuple):
    """Who used GPU time, and for which model: a served one, or the card's own where no token was made."""

    kind: UseKind
    tenant: str
    model: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens as metered; cached input is a part of input."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        """Every token once."""
        return self.input + self.cache_write + self.output

    @property
    def work(self) -> int:
        """The tokens weighed by what they take to make."""
        cached = min(self.input, self.cached_input)
        fresh = self.input - cached + self.cache_write
        return max(0, WORK_INPUT * fresh + WORK_CACHED * cached + WORK_OUTPUT * self.output)

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.input + other.input,
            self.cached_input + other.cached_input,
            self.cache_write + other.cache_write,
            self.output + other.output,
        )


@dataclass(frozen=True, slots=True)
class NodeHour:
    """One node in one UTC hour.

    `capacity_ms` is the time of its cards in service by card model, `held_ms` that of holders by (tenant, card
    model). `energy_mj` and `metered_ms` are metered energy and the GPU time that it covers, by tenant, or by `NOBODY`
    for cards that no one tenant has. `tokens` are those made on the node by (tenant, served model).
    """

    node: str
    hour_at: datetime
    capacity_ms: Mapping[str, int]
    held_ms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    energy_mj: Mapping[str, int] = field(default_factory=dict)
    metered_ms: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[tuple[str, str], Tokens] = field(default_factory=dict)


@dataclass(slots=True)
class Used:
    """What one use took in an hour of a node; `gpu_ms` by card model."""

    gpu_ms: dict[str, int] = field(default_factory=dict)
    energy_mj: int = 0
    metered_ms: int = 0
    tokens: Tokens = field(default_factory=Tokens)

    @property
    def total_ms(self) -> int:
        """The GPU time of all card models."""
        return sum(self.gpu_ms.values())


def uses_of(hour: NodeHour) -> dict[Use, Used]:
    """Share a node's hour out over its uses; time, energy and tokens sum to the node's."""
    found: dict[Use, Used] = defaultdict(Used)
    holders = {tenant for (tenant, _), ms in hour.held_ms.items() if ms}
    work = _work_by_tenant(hour.tokens)
    free = dict(hour.capacity_ms)
    for (tenant, card), ms in sorted(hour.held_ms.items()):
        free[card] = free.get(card, 0) - ms
        models = work.get(tenant) or {card: 1}
        _add_time(found, {Use(UseKind.HELD, tenant, model): weight for model, weight in models.items()}, card, ms)
    others = {
        Use(UseKind.SERVED, tenant, model): weight
        for tenant, models in work.items()
        if tenant not in holders
        for model, weight in models.items()
    }
    for card, ms in sorted(free.items()):
        _add_time(found, others or {Use(UseKind.IDLE, NOBODY, NOBODY): 1}, card, ms)
    for (tenant, model), tokens in hour.tokens.items():
        kind = UseKind.HELD if tenant in holders else UseKind.SERVED
        one = found[Use(kind, tenant, model)]
        one.tokens = one.tokens + tokens
    _add_energy(found, hour)
    return dict(found)


def _work_by_tenant(tokens: Mapping[tuple[str, str], Tokens]) -> dict[str, dict[str, int]]:
    work: dict[str, dict[str, int]] = defaultdict(dict)
    for (tenant, model), made in sorted(tokens.items()):
        if made.work:
            work[tenant][model] = made.work
    return work


def _add_time(found: dict[Use, Used], weights: Mapping[Use, int], card: str, ms: int) -> None:
    if ms <= 0:
        return
    for use, part in zip(weights, largest_remainder_units(ms, list(weights.values())), strict=True):
        if part:
            one = found[use]
            one.gpu_ms[card] = one.gpu_ms.get(card, 0) + part


def _add_energy(found: dict[Use, Used], hour: NodeHour) -> None:
    """Give each tenant's energy to its own uses, and the rest to uses whose time has none yet."""
    loose_mj = loose_ms = 0
    for owner in sorted({*hour.energy_mj, *hour.metered_ms}):
        energy_mj, metered_ms = hour.energy_mj.get(owner, 0), hour.metered_ms.get(owner, 0)
        own = [used for use, used in found.items() if owner != NOBODY and use.tenant == owner and used.total_ms]
        if own:
            spare_ms = metered_ms - _share_out(own, energy_mj, metered_ms)
            loose_ms += spare_ms
        else:
            loose_mj += energy_mj
            loose_ms += metered_ms
    anyone = [used for used in found.values() if used.total_ms]
    if anyone:
        _share_out(anyone, loose_mj, loose_ms)
    elif loose_mj:  # Energy of a node whose cards are no longer in service is still paid for.
        found[Use(UseKind.IDLE, NOBODY, NOBODY)].energy_mj += loose_mj


def _share_out(uses: Sequence[Used], energy_mj: int, metered_ms: int) -> int:
    """Add energy and the time it covers to uses by their time without energy; return how much time had room."""
    rooms = [used.total_ms - used.metered_ms for used in uses]
    if not uses or not (energy_mj or metered_ms):
        return 0
    weights = rooms if any(rooms) else [used.total_ms for used in uses]
    taken = min(metered_ms, sum(rooms))
    covered = largest_remainder_units(taken, weights) if any(rooms) else [0] * len(uses)
    for used, mj, ms in zip(uses, largest_remainder_units(energy_mj, weights), covered, strict=True):
        used.energy_mj += mj
        used.metered_ms += min(ms, used.total_ms - used.metered_ms)
    return taken
