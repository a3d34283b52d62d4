"""Checks of a validated hour of a meter, as utilities check their meters (VEE): they find, they never edit. Pure.

Every rule is data: an id that never changes, how grave a finding is, and where its threshold comes from. A meter that
passes one rule is checked by all others too. Values are in the meter's own unit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final


class Check(StrEnum):
    """Ids of the rules, stored with what they found."""

    TIME = "time"
    IDENTITY = "identity"
    GAP = "gap"
    SUM = "sum"
    HELD = "held"
    RESTART = "restart"
    SUBSTITUTED = "substituted"
    SPIKE = "spike"
    HIGH = "high"
    LOW = "low"


class Severity(StrEnum):
    """How grave a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckRule:
    """What a rule looks for; `observed` and `expected` of its findings are what `looks_for` says."""

    check: Check
    severity: Severity
    looks_for: str
    source: str


SPIKE_FACTOR: Final = Fraction(18, 10)
"""California's VEE standard (D.98-12-080) as it is usually quoted: a peak above 1.8 times the third highest."""
HIGH_FACTOR: Final = 5
"""An hour at more than this many times the highest like hour of the profile; our own choice, wide on purpose."""
PROFILE_DAYS: Final = 7
PROFILE_HOURS_MIN: Final = 48
"""With less known than this nothing is called usual."""
LIKE_HOURS_MIN: Final = 3
SMALL: Final = 10_000
"""Below this an hour is no spike: a few requests make a multiple of next to nothing. Energy: 10 J."""

_VEE: Final = "CPUC D.98-12-080, IEE MDM rule sets"
RULES: Final[Mapping[Check, CheckRule]] = {
    rule.check: rule
    for rule in (
        CheckRule(Check.TIME, Severity.WARNING, "readings held for a wrong clock; 0", f"{_VEE}: time check"),
        CheckRule(
            Check.IDENTITY,
            Severity.ERROR,
            "readings of a card that another node holds; 0",
            f"{_VEE}: meter identification check",
        ),
        CheckRule(Check.GAP, Severity.INFO, "units whose hour was estimated; 0", f"{_VEE}: gap check"),
        CheckRule(Check.SUM, Severity.ERROR, "the sum of all hours; what the register counted", f"{_VEE}: sum check"),
        CheckRule(Check.HELD, Severity.WARNING, "readings held as impossible or after a fall; 0", f"{_VEE}: overflow"),
        CheckRule(
            Check.RESTART, Severity.WARNING, "units counted or held over an unproved restart; 0", "the decision table"
        ),
        CheckRule(
            Check.SUBSTITUTED,
            Severity.ERROR,
            "units that came, or went, after a person's value took their place; 0",
            f"{_VEE}: a substituted value stands alone",
        ),
        CheckRule(
            Check.SPIKE, Severity.WARNING, "the hour; 1.8 times the third highest of 7 days", f"{_VEE}: spike check"
        ),
        CheckRule(Check.HIGH, Severity.INFO, "the hour; 5 times the highest like hour of 7 days", f"{_VEE}: high/low"),
        CheckRule(Check.LOW, Severity.INFO, "the hour; the least of the like hours of 7 days", f"{_VEE}: high/low"),
    )
}

PROFILED: Final = frozenset({Check.SPIKE, Check.HIGH, Check.LOW})
"""Rules that compare an hour with the days before it."""
_HELD_RULES: Final = frozenset({"same_epoch_fall", "epoch_closed", "conflict", "held_above_bound", "held_out_of_range"})
_RESTART_RULES: Final = frozenset({"new_epoch_fall", "new_epoch_ambiguous"})


@dataclass(frozen=True, slots=True)
class Part:
    """What an hour holds of one quality and rule."""

    quality: str
    rule: str
    value: int
    records: int


@dataclass(frozen=True, slots=True)
class MeterHour:
    """One meter in one hour: its parts, and the hours before it.

    `profile` are the values of the hours of the 7 days before, `like` those of the same hour of the day; hours that
    were not metered are in neither.
    """

    parts: Sequence[Part]
    profile: Sequence[int] = ()
    like: Sequence[int] = ()
    rates: bool = True
    """Whether the meter counts something that has a usual rate."""
    others_cards: int = field(default=0)
    beside_substituted: int = 0
    """Units that stand beside a person's value, in the same part and for the same owner."""

    @property
    def value(self) -> int:
        """Everything counted, whatever its quality."""
        return sum(part.value for part in self.parts)


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found in an hour."""

    check: Check
    observed: int
    expected: int


def check_hour(hour: MeterHour) -> list[Found]:
    """Run all rules that look at one hour of one meter; each finds at most one thing."""
    counted = {
        Check.TIME: sum(part.records for part in hour.parts if part.rule == "held_clock"),
        Check.IDENTITY: hour.others_cards,
        Check.GAP: sum(part.value for part in hour.parts if part.quality == "E"),
        Check.HELD: sum(part.records for part in hour.parts if part.rule in _HELD_RULES),
        Check.RESTART: sum(part.value for part in hour.parts if part.rule in _RESTART_RULES),
        Check.SUBSTITUTED: hour.beside_substituted,
    }
    found = [Found(check, observed, 0) for check, observed in counted.items() if observed > 0]
    return found + (_against_profile(hour) if hour.rates else [])


def check_sums(sums: Iterable[tuple[int, int]]) -> list[Found | None]:
    """Compare for each meter the sum of its hours with what its register counted."""
    return [None if hours == register else Found(Check.SUM, hours, register) for hours, register in sums]


def _against_profile(hour: MeterHour) -> list[Found]:
    if len(hour.profile) < PROFILE_HOURS_MIN:
        return []
    found = []
    third = sorted(hour.profile)[-3]
    limit = int(third * SPIKE_FACTOR)
    if hour.value > max(limit, SMALL):
        found.append(Found(Check.SPIKE, hour.value, limit))
    if len(hour.like) >= LIKE_HOURS_MIN:
        highest, least = max(hour.like), min(hour.like)
        if hour.value > max(highest * HIGH_FACTOR, SMALL):
            found.append(Found(Check.HIGH, hour.value, highest * HIGH_FACTOR))
        if hour.value == 0 and least > SMALL:
            found.append(Found(Check.LOW, 0, least))
    return found
