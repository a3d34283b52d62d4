"""Substitutions in words: who put which value in the place of which, why, and who else agreed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.utils.translation import gettext as _

from metering.adjustment_models import SubstitutionState
from metering.pages.quantities import amount, unit
from metering.pages.witness_words import MINUS, quantity_words
from metering.substituting import (
    REASON_CHARS_MAX,
    REASON_CHARS_MIN,
    AlreadyProposed,
    FiguresChanged,
    SecondPersonNeeded,
    UsageUnknown,
    WrongSubstitution,
)
from metering.substitutions import SubstitutionRow
from portal.figures import clock, day, moment, number
from portal.parts import Pill
from portal.punctuation import between
from tenants.problems import Problem

STAMP: Final = "%Y%m%dT%H%M%S.%f"
"""An instant of UTC as addresses carry it, to the microsecond: parts of an hour begin anywhere."""


@dataclass(frozen=True, slots=True)
class ShownSubstitution:
    """A substitution in words; `own` is whether the reader proposed it, `now` what stands if that changed since."""

    id: UUID
    where: str
    under: str
    span: str
    date: str
    times: str
    before: str
    after: str
    difference: str
    unit: str
    reason: str
    proposed: str
    decided: str
    pill: Pill
    own: bool
    now: str


def span_words(from_at: datetime, to_at: datetime, locale: str) -> str:
    """Return a part of an hour: "5 Mar 2026 09:00 to 10:00 UTC"."""
    begins = moment(from_at, UTC, locale=locale).removesuffix(" UTC")
    return _("%(from)s to %(to)s") % {"from": begins, "to": clock(to_at, UTC, locale=locale)}


def difference_words(quantity: str, before: int, after: int) -> str:
    """Return by how much a value changes, with its sign; nothing is "0"."""
    if before == after:
        return "0"
    return f"{'+' if after > before else MINUS}{amount(quantity, abs(after - before))}"


def shown_substitution(
    row: SubstitutionRow, reader_id: UUID | None, locale: str, *, stands: int | None = None
) -> ShownSubstitution:
    """Return a substitution in words. People are named to their own organization alone: `reader_id` is then given.

    `stands` is what is billable now in the place of one that waits.
    """
    named = reader_id is not None
    proposed_by = row.proposed_by if named else row.provider
    decided_by = (row.decided_by or "") if named else _("a second person of %(provider)s") % {"provider": row.provider}
    what = " · ".join(part for part in (row.model, quantity_words(row.quantity)) if part)
    under = [what, row.node] if row.deployment else [what]
    return ShownSubstitution(
        id=row.id,
        where=row.deployment or row.node,
        under=" · ".join([*under, row.tenant] if named and row.tenant else under),
        span=span_words(row.from_at, row.to_at, locale),
        date=day(row.from_at.astimezone(UTC).date(), "yMMMd", locale),
        times=_("%(from)s to %(to)s")
        % {
            "from": clock(row.from_at, UTC, locale=locale).removesuffix(" UTC"),
            "to": clock(row.to_at, UTC, locale=locale),
        },
        before=amount(row.quantity, row.value_before),
        after=amount(row.quantity, row.value),
        difference=difference_words(row.quantity, row.value_before, row.value),
        unit=unit(row.quantity),
        reason=row.reason,
        proposed=_who(proposed_by, row.proposed_at, locale),
        decided=_who(decided_by, row.decided_at, locale) if row.decided_at else "",
        pill=state_pill(row.state),
        own=row.proposed_by_id == reader_id,
        now="" if stands in {None, row.value_before} else amount(row.quantity, stands or 0),
    )


def _who(name: str, at: datetime, locale: str) -> str:
    return f"{name}{between('comma')}{moment(at, UTC, locale=locale)}"


def state_pill(state: str) -> Pill:
    """Return where a substitution stands."""
    return {
        SubstitutionState.PROPOSED: Pill(_("waits for a second person"), "warn", small=True),
        SubstitutionState.APPROVED: Pill(_("approved"), "good", small=True),
        SubstitutionState.REFUSED: Pill(_("declined"), small=True),
    }[SubstitutionState(state)]


def refusal_words(refused: Problem) -> str:
    """Return why a step was not taken, and what to do."""
    return {
        UsageUnknown: _("Nothing was metered in this part of an hour."),
        WrongSubstitution: _(
            "This cannot be taken: a value from 0 up and a reason of %(least)s to %(most)s characters are needed, and "
            "one owner of the usage."
        )
        % {"least": number(REASON_CHARS_MIN), "most": number(REASON_CHARS_MAX)},
        AlreadyProposed: _("Somebody was faster: a value waits for this part already, or it was decided."),
        SecondPersonNeeded: _("You proposed this value, so another owner or admin must decide it."),
        FiguresChanged: _("The usage changed since this was proposed. Decline it, look again and propose anew."),
    }[type(refused)]
