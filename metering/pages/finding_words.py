"""Findings of the checks in words that somebody of finance can follow."""

from dataclasses import dataclass
from datetime import UTC
from typing import Final

from django.utils.translation import gettext as _

from metering.finding_models import FindingState
from metering.findings import Finding
from metering.pages.quantities import amount, unit
from metering.pages.witness_words import quantity_words
from metering.validation import Check, Severity
from portal.figures import clock, day, number
from portal.parts import Pill
from portal.punctuation import joined

COUNT_READINGS: Final = (Check.TIME, Check.IDENTITY, Check.HELD)
"""Checks that count readings; all others are in the meter's own unit."""


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding in words: what, where and when, both figures, how grave, and where to look further."""

    title: str
    text: str
    source: str
    date: str
    time: str
    where: str
    under: str
    observed: str
    expected: str
    unit: str
    pill: Pill
    day_url: str
    correct_url: str


def rule_words(rule: str) -> str:
    """Return what a rule looks for, as a title."""
    return {
        Check.TIME: _("The node's clock was wrong"),
        Check.IDENTITY: _("A GPU that another node holds"),
        Check.GAP: _("Part of the hour is estimated"),
        Check.SUM: _("The hours do not add up to the register"),
        Check.HELD: _("Impossible readings were held"),
        Check.RESTART: _("A restart that nothing proves"),
        Check.SUBSTITUTED: _("Metered beside a person's value"),
        Check.SPIKE: _("Much more than in the week before"),
        Check.HIGH: _("Much more than usual at this time"),
        Check.LOW: _("Nothing, where there is always something"),
    }[Check(rule)]


def finding_text(rule: str) -> str:
    """Return what a finding means, and what of it is billed."""
    return {
        Check.TIME: _("Readings with a wrong time are held and not billed; the next good one carries the rise."),
        Check.IDENTITY: _("Readings of a GPU that another node holds are not counted twice."),
        Check.GAP: _("Readings are missing in the hour. The total is exact; how it spreads over the hours is not."),
        Check.SUM: _("What was added up of all hours differs from what the register counted. One of them is wrong."),
        Check.HELD: _("They are above what the hardware can do, or came after the counter fell. They are not billed."),
        Check.RESTART: _("The counter began anew, and when is not known. What was counted over it is a lower bound."),
        Check.SUBSTITUTED: _("More was metered after a person's value took its place. Both are billed: look again."),
        Check.SPIKE: _("Expected is at most 1.8 times the third highest hour of the 7 days before."),
        Check.HIGH: _("Expected is at most 5 times the highest same hour of the 7 days before."),
        Check.LOW: _("Expected is at least the lowest same hour of the 7 days before."),
    }[Check(rule)]


def severity_words(severity: str) -> str:
    """Return how grave a finding is."""
    return {
        Severity.ERROR: _("error"),
        Severity.WARNING: _("warning"),
        Severity.INFO: _("remark"),
    }[Severity(severity)]


def finding_pill(severity: str, state: str) -> Pill:
    """Return how grave an open finding is, or that it is settled."""
    if state == FindingState.SETTLED:
        return Pill(_("settled by later figures"), "good", small=True)
    tone = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "info"}[Severity(severity)]
    return Pill(severity_words(severity), tone, small=True)  # type: ignore[arg-type]  # the values above


def shown_finding(
    one: Finding, deployments: list[str], locale: str, *, day_url: str, correct_url: str = ""
) -> ShownFinding:
    """Return a finding in words for a party's page."""
    counts = one.rule in COUNT_READINGS
    what = " · ".join(part for part in (one.model, quantity_words(one.quantity)) if part)
    return ShownFinding(
        title=rule_words(one.rule),
        text=finding_text(one.rule),
        source=one.source,
        date=day(one.hour_at.astimezone(UTC).date(), "yMMMd", locale),
        time=clock(one.hour_at, UTC, locale=locale),
        where=joined(deployments) or one.node,
        under=f"{what} · {one.node}" if deployments else what,
        observed=number(one.observed) if counts else amount(one.quantity, one.observed),
        expected=number(one.expected) if counts else amount(one.quantity, one.expected),
        unit=_("readings") if counts else unit(one.quantity),
        pill=finding_pill(one.severity, one.state),
        day_url=day_url,
        correct_url=correct_url,
    )
