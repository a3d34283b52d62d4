"""Schedules of dunning as data: which step comes how many days after the due date, and what must have come before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

DAYS_MAX: Final = 365
STEPS_MAX: Final = 20
NOTHING: Final = Decimal(0)
FEE_AMOUNT_MAX: Final = 1_000_000
FEE_PERCENT_MAX: Final = 20
FEE_DECIMALS_MAX: Final = 3
NOTICE_DAYS_MIN: Final = 3
"""Between the notice and the suspension that it announces."""


class Action(StrEnum):
    """What a step does."""

    REMIND = "remind"
    RETRY_CARD = "retry_card"
    NOTICE = "notice"
    SUSPEND = "suspend"
    LATE_FEE = "late_fee"


class WrongSchedule(ValueError):
    """The steps cannot be a schedule; the message says which, and what is expected."""


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """One step of a schedule. A late fee is an `amount` in the invoice's currency and `percent` of what is left."""

    after_days: int
    action: Action
    amount: Decimal = NOTHING
    percent: Decimal = NOTHING


def read_schedule(steps: Sequence[Mapping[str, Any]]) -> tuple[Planned, ...]:
    """Return the steps in the order of their days. Raises WrongSchedule."""
    if len(steps) > STEPS_MAX:
        raise WrongSchedule(sentence("steps: at most %(most)s.", most=STEPS_MAX))
    found = []
    for place, step in enumerate(steps, 1):
        after_days, action = step.get("after_days"), step.get("action")
        if not isinstance(after_days, int) or isinstance(after_days, bool) or not 0 <= after_days <= DAYS_MAX:
            raise WrongSchedule(
                sentence("step %(place)s: after_days: expected 0 to %(most)s.", place=place, most=DAYS_MAX)
            )
        if action not in list(Action):
            raise WrongSchedule(
                sentence("step %(place)s: action: expected one of %(action)s.", place=place, action=Listed(Action))
            )
        found.append(Planned(after_days, Action(action), *_fee(step, place, Action(action))))
    if len({(one.after_days, one.action) for one in found}) != len(found):
        raise WrongSchedule(sentence("steps: one action stands twice on one day."))
    ordered = tuple(sorted(found))
    _require_notice(ordered)
    return ordered


def write_schedule(steps: Iterable[Planned]) -> list[dict[str, object]]:
    """Return steps as they are stored."""
    return [
        {
            "after_days": step.after_days,
            "action": step.action.value,
            **({"amount": str(step.amount)} if step.amount else {}),
            **({"percent": str(step.percent)} if step.percent else {}),
        }
        for step in steps
    ]


def _fee(step: Mapping[str, Any], place: int, action: Action) -> tuple[Decimal, Decimal]:
    """Return what a step says of a late fee. Raises WrongSchedule."""
    said = []
    for name, most in (("amount", FEE_AMOUNT_MAX), ("percent", FEE_PERCENT_MAX)):
        try:
            value = Decimal(str(step.get(name) or 0))
        except InvalidOperation:
            value = Decimal(-1)
        if not value.is_finite() or not 0 <= value <= most or value != round(value, FEE_DECIMALS_MAX):
            raise WrongSchedule(
                sentence(
                    "step %(place)s: %(name)s: expected 0 to %(most)s, with at most %(fee_decimals_max)s decimals.",
                    place=place,
                    name=name,
                    most=most,
                    fee_decimals_max=FEE_DECIMALS_MAX,
                )
            )
        said.append(value)
    if (action is Action.LATE_FEE) != any(said):
        raise WrongSchedule(
            sentence("step %(place)s: a late fee, and nothing else, has an amount or a percentage.", place=place)
        )
    return said[0], said[1]


def next_step(schedule: Sequence[Planned], done: Collection[tuple[str, int]]) -> Planned | None:
    """Return the first step that was not taken; a later one never comes before it."""
    return next((step for step in schedule if (step.action.value, step.after_days) not in done), None)


def planned_at(step: Planned, due_at: datetime) -> datetime:
    """Return the instant from which a step may be taken."""
    return due_at + timedelta(days=step.after_days)


def days_of_notice(schedule: Sequence[Planned]) -> int:
    """Return how many days lie between the notice and the suspension; 0 where nothing is suspended."""
    days = {step.action: step.after_days for step in schedule}
    return days[Action.SUSPEND] - days[Action.NOTICE] if Action.SUSPEND in days else 0


def announces_nothing(schedule: Iterable[Planned]) -> bool:
    """Whether a notice names a suspension that never comes: its letter would threaten for nothing."""
    actions = {step.action for step in schedule}
    return Action.NOTICE in actions and Action.SUSPEND not in actions


def _require_notice(ordered: Sequence[Planned]) -> None:
    """Nobody is suspended without notice, and each of the two comes once."""
    for action in (Action.NOTICE, Action.SUSPEND):
        if sum(step.action is action for step in ordered) > 1:
            raise WrongSchedule(sentence("%(action)s: at most one step.", action=action))
    days = {step.action: step.after_days for step in ordered}
    if Action.SUSPEND not in days:
        return
    if Action.NOTICE not in days or days[Action.SUSPEND] - days[Action.NOTICE] < NOTICE_DAYS_MIN:
        raise WrongSchedule(
            sentence("suspend: expected a notice at least %(least)s days before it.", least=NOTICE_DAYS_MIN)
        )
