"""The words of the operator's first page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.pipeline.backlog import Backlog, Stage
from billing.pipeline.failures import FailedStep, StepKind
from forecourt.sweep_runs import Sweep, SweepState
from metering.pages.durations import lasted
from portal.figures import DASH, moment, number
from portal.parts import Kpi, Pill, PillTone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from django.utils.functional import Promise

    from billing.pipeline.freshness import Freshness, NodeReach

SLOW_AFTER: Final = timedelta(minutes=10)
"""What could have been worked on for longer is looked at."""
STAGES: Final[Mapping[Stage, Promise]] = {
    Stage.BATCHES: gettext_lazy("Batches to roll up"),
    Stage.EVENTS: gettext_lazy("Usage events to roll up"),
    Stage.CHARGING: gettext_lazy("Billing periods with hours to charge"),
    Stage.CLOSING: gettext_lazy("Billing periods to close"),
    Stage.TAXES: gettext_lazy("Bills that wait for their tax"),
    Stage.DOCUMENTS: gettext_lazy("Documents to make"),
    Stage.COLLECTING: gettext_lazy("Invoices to collect"),
    Stage.STRIPE_EVENTS: gettext_lazy("Events of Stripe to apply"),
    Stage.BANK: gettext_lazy("Bank movements to look at"),
    Stage.REFUNDS: gettext_lazy("Refunds to send"),
    Stage.TRANSFERS: gettext_lazy("Transfers to providers"),
    Stage.LETTERS: gettext_lazy("Letters to send"),
    Stage.WEBHOOKS: gettext_lazy("Webhooks to deliver"),
}
WAITS_BY_RIGHT: Final = (Stage.CLOSING, Stage.TAXES)
"""Closing waits for late readings and approvals for as long as contracts say."""
STEPS: Final[Mapping[StepKind, Promise]] = {
    StepKind.COLLECTION: gettext_lazy("Collection"),
    StepKind.DOCUMENT: gettext_lazy("Document"),
    StepKind.PRICE_LETTER: gettext_lazy("Letter of a price change"),
    StepKind.COLLECTION_LETTER: gettext_lazy("Letter of a collection"),
    StepKind.DUNNING_LETTER: gettext_lazy("Reminder"),
    StepKind.BUDGET_LETTER: gettext_lazy("Letter about a budget"),
    StepKind.OFFER_LETTER: gettext_lazy("Letter about an offer"),
    StepKind.LEASE_LETTER: gettext_lazy("Letter about a lease's end"),
    StepKind.CREDIT_LETTER: gettext_lazy("Letter about low credit"),
    StepKind.WEBHOOK: gettext_lazy("Webhook"),
}
STATES: Final[Mapping[SweepState, tuple[Promise, PillTone]]] = {
    SweepState.RUNNING: (gettext_lazy("running"), "good"),
    SweepState.FAILED: (gettext_lazy("failed"), "bad"),
    SweepState.LATE: (gettext_lazy("late"), "bad"),
    SweepState.NEVER: (gettext_lazy("never ran"), "warn"),
}


@dataclass(frozen=True, slots=True)
class BacklogLine:
    """A stage with what waits there."""

    title: str
    count: str
    since: str
    pill: Pill


@dataclass(frozen=True, slots=True)
class SweepLine:
    """A sweep with its latest run."""

    name: str
    every: str
    pill: Pill
    ended: str
    took: str
    runs: str
    failures: str
    error: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step that stopped, and where a POST has it tried again."""

    kind: str
    about: str
    organization: str
    at: str
    attempts: str
    error: str
    url: str


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A node that is behind."""

    name: str
    where: str
    metered: str
    rolled: str


def kpis(  # noqa: PLR0917  one for each figure
    reach: Freshness,
    waiting: Sequence[Backlog],
    running: Sequence[Sweep],
    stopped: Sequence[FailedStep],
    depth: int | None,
    now: datetime,
    locale: str,
    *,
    mails: bool = True,
) -> list[Kpi]:
    """Return the five figures: nodes, what waits longest, sweeps, the queue, and what stopped.

    Without a mail server (`mails`) letters wait for good and by choice: they are no trouble to look at.
    """
    troubled = [one for one in running if one.state is not SweepState.RUNNING]
    behind = moment(reach.behind_to_at, UTC, locale=locale) if reach.behind_to_at else _("no node has reported yet")
    return [
        Kpi(
            _("Nodes up to date"),
            number(reach.expected - reach.late),
            unit=f"/ {number(reach.expected)}",
            foot=_("the furthest behind: %(at)s") % {"at": behind} if reach.late else _("within five minutes"),
            alert=reach.late > 0,
            url="#nodes",
        ),
        _longest([one for one in waiting if mails or one.stage is not Stage.LETTERS], now),
        Kpi(
            _("Sweeps running"),
            number(len(running) - len(troubled)),
            unit=f"/ {number(len(running))}",
            foot=troubled[0].name.rpartition(".")[2] if troubled else _("all of them on time"),
            alert=any(one.state in (SweepState.FAILED, SweepState.LATE) for one in troubled),
            url="#sweeps",
        ),
        Kpi(
            _("In the queue"),
            DASH if depth is None else number(depth),
            foot=_("the broker cannot be reached") if depth is None else _("hints; what waits stands in the database"),
            alert=depth is None,
        ),
        Kpi(
            _("Stopped steps"),
            number(len(stopped)),
            foot=ngettext("%(count)s waits for a person", "%(count)s wait for a person", len(stopped))
            % {"count": number(len(stopped))}
            if stopped
            else _("nothing waits for a person"),
            alert=bool(stopped),
            url="#stopped",
        ),
    ]


def _longest(waiting: Sequence[Backlog], now: datetime) -> Kpi:
    aged = [(one.oldest_at, one) for one in waiting if one.count and one.oldest_at and one.stage not in WAITS_BY_RIGHT]
    if not aged:
        return Kpi(_("Waiting longest"), "0", unit="s", foot=_("nothing waits"), url="#waiting")
    oldest_at, worst = min(aged, key=lambda pair: pair[0])
    wait = max(now - oldest_at, timedelta(0))
    return Kpi(
        _("Waiting longest"), lasted(wait), foot=str(STAGES[worst.stage]), alert=wait > SLOW_AFTER, url="#waiting"
    )


def backlog_line(one: Backlog, now: datetime, locale: str, *, mails: bool = True) -> BacklogLine:
    """Return a stage in words; `mails` says whether a mail server is set."""
    slow = one.count and one.oldest_at is not None and now - one.oldest_at > SLOW_AFTER
    if not one.count:
        pill = Pill(_("nothing waits"), "good", small=True)
    elif one.stage is Stage.LETTERS and not mails:
        pill = Pill(_("no mail server is set"), "info", small=True)
    elif one.stage in WAITS_BY_RIGHT:
        pill = Pill(_("waits by its contract"), "info", small=True)
    else:
        pill = Pill(_("slow"), "warn", small=True) if slow else Pill(_("under way"), "info", small=True)
    since = moment(one.oldest_at, UTC, locale=locale, year=False) if one.count and one.oldest_at else ""
    return BacklogLine(str(STAGES[one.stage]), number(one.count), since, pill)


def sweep_line(sweep: Sweep, locale: str) -> SweepLine:
    """Return a sweep in words."""
    words, tone = STATES[sweep.state]
    run = sweep.run
    failed = ""
    if run is not None and run.failed_at is not None:
        failed = f"{moment(run.failed_at, UTC, locale=locale)} · {run.last_error}"
    return SweepLine(
        name=sweep.name,
        every=lasted(timedelta(seconds=sweep.every_s)),
        pill=Pill(str(words), tone, small=True),
        ended=moment(run.ended_at, UTC, locale=locale) if run else "",
        took=f"{number(run.took_ms)} ms" if run else "",
        runs=number(run.runs) if run else "",
        failures=number(run.failures) if run else "",
        error=failed,
    )


def step_line(step: FailedStep, locale: str) -> StepLine:
    """Return a stopped step in words."""
    return StepLine(
        kind=str(STEPS[step.kind]),
        about=step.about,
        organization=step.organization,
        at=moment(step.at, UTC, locale=locale),
        attempts=number(step.attempts),
        error=step.error,
        url=reverse("operator-step-retry", args=[step.kind.value, step.id]),
    )


def node_line(row: NodeReach, locale: str) -> NodeLine:
    """Return a node that is behind in words."""
    return NodeLine(
        row.node,
        f"{row.cluster} · {row.provider}",
        moment(row.metered_to_at, UTC, locale=locale, year=False) if row.metered_to_at else _("never"),
        moment(row.rolled_to_at, UTC, locale=locale, year=False) if row.rolled_to_at else _("never"),
    )
