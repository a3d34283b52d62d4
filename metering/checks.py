"""Checks of counts, of usage events, and of one witness against the other: arithmetic only, it edits nothing.

A fault is a stable code that the caller turns into a quarantined event or an alert.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import msgspec

COUNT_LIMIT = 2**63
"""A count is an integer in `[0, COUNT_LIMIT)`: what a database's big integer holds."""

EVENT_TOKENS_MAX = 100_000_000
"""More tokens of one class in one request than any model can take: ten times a context of 10M tokens.

It refuses sentinels that were summed up as usage, such as 2**53 - 1.
"""

PERMILLE = 1_000


class Fault(StrEnum):
    """What is wrong with a count or an event."""

    NEGATIVE = "negative"
    TOO_LARGE = "too_large"
    ABSURD = "absurd"
    CACHED_EXCEEDS_INPUT = "cached_exceeds_input"
    REASONING_EXCEEDS_OUTPUT = "reasoning_exceeds_output"


@dataclass(frozen=True, slots=True)
class EventCounts:
    """The tokens of one request; cached input is a part of input, reasoning a part of output."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def all_counts(self) -> tuple[int, ...]:
        """Every count, in the order of the fields."""
        return (self.input, self.cached_input, self.cache_write, self.output, self.reasoning)


def check_count(count: int) -> Fault | None:
    """Return what is wrong with a count, or None."""
    if count < 0:
        return Fault.NEGATIVE
    return Fault.TOO_LARGE if count >= COUNT_LIMIT else None


def check_event(counts: EventCounts) -> tuple[Fault, ...]:
    """Return everything that is wrong with the counts of one request, each fault once; zeros are right."""
    faults = {check_count(count) for count in counts.all_counts} - {None}
    if any(EVENT_TOKENS_MAX < count < COUNT_LIMIT for count in counts.all_counts):
        faults.add(Fault.ABSURD)
    if counts.cached_input > counts.input:
        faults.add(Fault.CACHED_EXCEEDS_INPUT)
    if counts.reasoning > counts.output:
        faults.add(Fault.REASONING_EXCEEDS_OUTPUT)
    return tuple(fault for fault in Fault if fault in faults)


class Cause(StrEnum):
    """What explains a part of the difference between the engine's registers and the gateway's events.

    Source: the reconciliation identities of vLLM and SGLang (an engine counts a prompt once per parallel
    sample, and what an aborted request had done by then; a gateway counts a prompt once and an aborted stream
    not at all).
    """

    REPEATED_PROMPT = "repeated_prompt"
    ABORTED_PREFILL = "aborted_prefill"
    ABORTED = "aborted"
    IN_FLIGHT = "in_flight"
    CACHED_EXCLUDED = "cached_excluded"


@dataclass(frozen=True, slots=True)
class Explained:
    """A part of a residual with its cause; negative where it makes the engine count less than the gateway."""

    cause: Cause
    tokens: int


class Residual(msgspec.Struct, frozen=True):
    """Engine minus gateway for one deployment, model, class and stretch of time, in tokens."""

    engine: int
    gateway: int
    explained: tuple[Explained, ...] = ()

    @property
    def difference(self) -> int:
        """What the engine counted more than the gateway; negative where it counted less."""
        return self.engine - self.gateway

    @property
    def unexplained(self) -> int:
        """The difference without its explained parts, with its sign."""
        return self.difference - sum(part.tokens for part in self.explained)

    @property
    def fraction(self) -> Fraction:
        """The size of the unexplained part in proportion to the larger of the two witnesses; 0 where both saw none."""
        larger = max(self.engine, self.gateway)
        return Fraction(abs(self.unexplained), larger) if larger else Fraction(0)

    @property
    def fraction_permille(self) -> int:
        """`fraction` in thousandths, rounded up, so that no difference reads as none."""
        return -(-self.fraction.numerator * PERMILLE // self.fraction.denominator)

    def within(self, tolerance: Fraction) -> bool:
        """Return whether the unexplained part is within a contract's tolerance, given as a fraction (1 % is 1/100)."""
        return self.fraction <= tolerance


def residual(*, engine: int, gateway: int, explained: Iterable[Explained] = ()) -> Residual:
    """Compare the two witnesses; both are counts."""
    assert check_count(engine) is None
    assert check_count(gateway) is None
    return Residual(engine, gateway, tuple(explained))


def repeated_prompt(prompt_tokens: int, samples: int) -> Explained:
    """Return what an engine counts above the usage for a prompt with `samples` parallel answers (n)."""
    assert prompt_tokens >= 0
    assert samples >= 1
    return Explained(Cause.REPEATED_PROMPT, prompt_tokens * (samples - 1))
