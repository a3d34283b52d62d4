"""The words of the operator's first page: a figure is alarming only where a stored row says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from billing.pipeline.backlog import Backlog, Stage
from billing.pipeline.failures import FailedStep, StepKind
from billing.pipeline.freshness import Freshness, NodeReach
from forecourt.models import SweepRun
from forecourt.pipeline_words import backlog_line, kpis, node_line, step_line, sweep_line
from forecourt.sweep_runs import Sweep, SweepState

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FINE = Freshness(4, 0, NOON, ())
RUN = SweepRun(
    name="a.b", began_at=NOON, ended_at=NOON, took_ms=1234, runs=5678, failures=1, failed_at=NOON, last_error="x"
)


def figures(**changed: object) -> list[tuple[str, bool]]:
    given = {"reach": FINE, "waiting": (), "running": (), "stopped": (), "depth": 0, **changed}
    found = kpis(**given, now=NOON, locale="en_GB")  # type: ignore[arg-type]  # each of its own kind
    return [(f"{kpi.value} {kpi.foot}", kpi.alert) for kpi in found]


def test_nothing_alarms_where_all_is_well() -> None:
    assert figures() == [
        ("4 within five minutes", False),
        ("0 nothing waits", False),
        ("0 all of them on time", False),
        ("0 hints; what waits stands in the database", False),
        ("0 nothing waits for a person", False),
    ]


def test_letters_wait_without_alarm_where_no_mail_server_is_set() -> None:
    letters = Backlog(Stage.LETTERS, 4, NOON - 900 * MINUTE)
    others = Backlog(Stage.BANK, 1, NOON - 11 * MINUTE)
    assert figures(waiting=[letters], mails=False)[1] == ("0 nothing waits", False)
    assert figures(waiting=[letters, others], mails=False)[1] == ("11 min Bank movements to look at", True)
    assert figures(waiting=[letters])[1] == ("15.0 h Letters to send", True)
    said = [backlog_line(letters, NOON, "en_GB", mails=mails).pill for mails in (False, True)]
    assert [(one.text, one.tone) for one in said] == [("no mail server is set", "info"), ("slow", "warn")]


def test_each_trouble_alarms_its_own_figure() -> None:
    late = figures(reach=Freshness(4, 1, NOON, ()))
    assert late[0] == ("3 the furthest behind: 5 Mar 2026 12:00 UTC", True)
    assert figures(reach=Freshness(1, 1, None, ()))[0][0].endswith("no node has reported yet")
    waits = (
        Backlog(Stage.CLOSING, 3, NOON - 900 * MINUTE),
        Backlog(Stage.TRANSFERS, 1, NOON - 11 * MINUTE),
        Backlog(Stage.BANK, 1, NOON - MINUTE),
        Backlog(Stage.EVENTS, 0, None),
    )
    assert figures(waiting=waits)[1] == ("11 min Transfers to providers", True)
    assert figures(waiting=waits[2:])[1][1] is False
    failed = (Sweep("x.y.tasks.failed", 1, SweepState.FAILED, RUN), Sweep("n", 1, SweepState.NEVER, None))
    assert figures(running=failed)[2] == ("0 failed", True)
    assert figures(running=failed[1:])[2] == ("0 n", False)
    assert figures(depth=None)[3] == ("– the broker cannot be reached", True)
    step = FailedStep(StepKind.WEBHOOK, UUID(int=1), "about", "Acme", "HTTP 503", 9, NOON)
    assert figures(stopped=[step])[4] == ("1 1 waits for a person", True)


@pytest.mark.parametrize(
    ("backlog", "said"),
    [
        (Backlog(Stage.EVENTS, 0, NOON), ("0", "", "nothing waits")),
        (Backlog(Stage.EVENTS, 1200, NOON - MINUTE), ("1,200", "5 Mar 11:59 UTC", "under way")),
        (Backlog(Stage.EVENTS, 1, NOON - 11 * MINUTE), ("1", "5 Mar 11:49 UTC", "slow")),
        (Backlog(Stage.CLOSING, 1, NOON - 11 * MINUTE), ("1", "5 Mar 11:49 UTC", "waits by its contract")),
        (Backlog(Stage.BATCHES, 2, None), ("2", "", "under way")),
    ],
)
def test_a_stage_says_what_waits_and_whether_that_is_long(backlog: Backlog, said: tuple[str, str, str]) -> None:
    line = backlog_line(backlog, NOON, "en_GB")
    assert (line.count, line.since, line.pill.text) == said


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_name(stage: Stage) -> None:
    assert backlog_line(Backlog(stage, 0, None), NOON, "en_GB").title


@pytest.mark.parametrize("kind", StepKind)
def test_every_kind_of_step_has_a_name_and_an_address(kind: StepKind) -> None:
    line = step_line(FailedStep(kind, UUID(int=1), "S-1", "Acme", "why", 1000, NOON), "en_GB")
    assert line.kind
    assert line.url == f"/o/steps/{kind}/00000000-0000-0000-0000-000000000001/retry/"
    assert (line.attempts, line.at) == ("1,000", "5 Mar 2026 12:00 UTC")


def test_a_sweep_says_when_it_ran_and_how_it_failed() -> None:
    line = sweep_line(Sweep("a.b", 600, SweepState.FAILED, RUN), "en_GB")
    assert (line.every, line.took, line.runs, line.failures) == ("10 min", "1,234 ms", "5,678", "1")
    assert (line.pill.text, line.error) == ("failed", "5 Mar 2026 12:00 UTC · x")
    never = sweep_line(Sweep("a.b", 2, SweepState.NEVER, None), "en_GB")
    assert (never.ended, never.took, never.error, never.pill.text) == ("", "", "", "never ran")


def test_a_node_that_never_reported_says_so() -> None:
    line = node_line(NodeReach("Acme", "East", "n-1", None, NOON), "en_GB")
    assert (line.name, line.where, line.metered, line.rolled) == ("n-1", "East · Acme", "never", "5 Mar 12:00 UTC")
