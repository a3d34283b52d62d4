"""What physics allows: energy per token, tokens per card and second, power of an idle card. Pure.

Hard: the output of some cards cannot have cost less energy than the least known, nor come faster than the best known.
Soft: cards that draw well more than when idle while no token is counted serve something that is not metered. An
eightfold spread with the size of batches makes anything finer guesswork: these find what cannot be, and change nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

SAFETY: Final = 2
BUSY_IDLE_FACTOR: Final = 2
"""A card that draws this many times what an idle one does is at work."""
MILLI: Final = 1_000


class BestKnown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The best measured of a model on a card: joules an output token, output tokens a GPU and second."""

    model: str
    card: str
    joules_per_token: Decimal
    tokens_per_gpu_s: int
    source: str


class IdleKnown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an idle card draws, in watts."""

    card: str
    watts: int
    source: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every figure with its source, and what is taken where there is none."""

    unknown_joules_per_token: Decimal
    unknown_tokens_per_gpu_s: int
    unknown_idle_w: int
    unknown_source: str
    best: tuple[BestKnown, ...]
    idle: tuple[IdleKnown, ...]

    def best_of(self, model: str, card: str) -> BestKnown:
        """Return the first row that fits a served model and a card, or the figures for unknown ones."""
        for row in self.best:
            if _pattern(row.model).search(model) and _pattern(row.card).search(card):
                return row
        return BestKnown("", "", self.unknown_joules_per_token, self.unknown_tokens_per_gpu_s, self.unknown_source)

    def idle_of(self, card: str) -> IdleKnown:
        """Return the first row that fits a card, or the figure for unknown ones."""
        for row in self.idle:
            if _pattern(row.card).search(card):
                return row
        return IdleKnown("", self.unknown_idle_w, self.unknown_source)


@lru_cache(maxsize=1_024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Output:
    """Output tokens of one served model."""

    model: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Place:
    """Some cards over a stretch: what they put out, the energy they took in mJ (None: not known of all), how long."""

    cards: Sequence[str]
    seconds: int
    outputs: Sequence[Output]
    energy_mj: int | None


@dataclass(frozen=True, slots=True)
class Violation:
    """What was found and what it should have stayed within, in the same unit; `source` names the row behind it."""

    measured: int
    bound: int
    source: str


def least_energy_mj(table: Table, place: Place) -> tuple[int, str]:
    """Return the least energy in mJ that the output can have cost, on the thriftiest of the cards, and the source."""
    total, sources = Decimal(0), []
    for output in place.outputs:
        rows = [table.best_of(output.model, card) for card in dict.fromkeys(place.cards)]
        row = min(rows, key=lambda one: one.joules_per_token)
        total += output.tokens * row.joules_per_token * MILLI / SAFETY
        sources.append(row.source)
    return int(total), _joined(sources)


def above_energy(table: Table, place: Place) -> Violation | None:
    """Return by how much the output cannot have been made with the energy; None if it can, or energy is not known."""
    if place.energy_mj is None or not place.cards:
        return None
    least_mj, source = least_energy_mj(table, place)
    return Violation(least_mj, place.energy_mj, source) if least_mj > place.energy_mj else None


def above_rate(table: Table, place: Place) -> Violation | None:
    """Return by how much the output is more than the cards can make in the time at the best rate known."""
    needed_gpu_s, tokens, sources = Decimal(0), 0, []
    for output in place.outputs:
        rows = [table.best_of(output.model, card) for card in dict.fromkeys(place.cards)]
        if not rows or output.tokens <= 0:
            continue
        row = max(rows, key=lambda one: one.tokens_per_gpu_s)
        needed_gpu_s += Decimal(output.tokens) / (row.tokens_per_gpu_s * SAFETY)
        tokens += output.tokens
        sources.append(row.source)
    held_gpu_s = len(place.cards) * place.seconds
    if needed_gpu_s <= held_gpu_s:
        return None
    return Violation(tokens, int(tokens * held_gpu_s / needed_gpu_s), _joined(sources))


def busy_without_tokens(table: Table, place: Place) -> Violation | None:
    """Return the mean power in mW of cards that work while no token is counted, against what would be idle."""
    if place.energy_mj is None or not place.cards or place.seconds <= 0 or any(one.tokens for one in place.outputs):
        return None
    rows = [table.idle_of(card) for card in place.cards]
    bound_mw = sum(row.watts for row in rows) * MILLI * BUSY_IDLE_FACTOR
    mean_mw = place.energy_mj // place.seconds
    return Violation(mean_mw, bound_mw, _joined(row.source for row in rows)) if mean_mw > bound_mw else None


def _joined(sources: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(sources))
