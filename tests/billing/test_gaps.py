"""Gaps that a person accepts: the period closes without them before its grace ends, and says so everywhere."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from billing.charging import ensure_periods
from billing.closing import CloseState, close_due, close_period
from billing.draft_waits import draft_waits
from billing.gaps import NothingToAccept, WrongGap, accept_gaps, gap_of
from billing.models import Invoice, InvoiceEvidence, PeriodState
from billing.verifying import verify
from tenants.models import AuditEntry
from tests.billing.world import APRIL, HOUR, MARCH, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

REASON = "node burned down, agreed with the tenant"


def make_waiting() -> World:
    """March is over: one node has reported, another stopped at noon of its first day."""
    world = make_world()
    world.lease(1, rolled_to_at=APRIL)
    world.lease(1, rolled_to_at=MARCH + 12 * HOUR)
    ensure_periods(contract=world.contract, now=MARCH)
    return world


waiting = kept(make_waiting)


def behind(world: World) -> str:
    return f"node:{world.nodes[1].pk}"


def accept(world: World, *gaps: str, reason: str = REASON, now: datetime = APRIL) -> None:
    accept_gaps(period_id=world.period().pk, gaps=gaps or (behind(world),), reason=reason, actor="petra", now=now)


@pytest.mark.django_db
def test_an_accepted_gap_is_not_waited_for_and_stands_in_the_evidence(waiting: World) -> None:
    before = close_period(period_id=waiting.period().pk, now=APRIL)
    assert (before.state, len(before.waiting_for)) == (CloseState.WAITING, 1)
    accept(waiting)
    [wait] = draft_waits(waiting.period(), APRIL)
    assert (wait.gap, wait.reason, wait.accepted_at, wait.can_be_accepted) == (behind(waiting), REASON, APRIL, False)
    close_due(now=APRIL, stripe_ready=False)
    period = waiting.period()
    assert period.state == PeriodState.CLOSED
    [gap] = period.accepted_gaps
    assert (gap["node"], gap["accepted"]) == (str(waiting.nodes[1].pk), {"reason": REASON, "at": APRIL.isoformat()})
    evidence = InvoiceEvidence.objects.get().document
    assert json.loads(evidence)["accepted_gaps"] == [gap]
    assert verify(evidence) == []
    [entry] = AuditEntry.objects.filter(action="period.gaps_accepted")
    assert entry.after is not None
    assert (entry.actor, entry.organization_id, entry.after["reason"]) == ("petra", waiting.provider.pk, REASON)
    assert [row["name"] for row in entry.after["gaps"]] == [waiting.nodes[1].name]


@pytest.mark.django_db
def test_another_gap_is_waited_for_all_the_same(waiting: World) -> None:
    waiting.rolled(waiting.nodes[0], MARCH)
    accept(waiting)
    closed = close_period(period_id=waiting.period().pk, now=APRIL)
    assert closed.state is CloseState.WAITING
    accept(waiting, f"node:{waiting.nodes[0].pk}", reason="that one too")
    accept(waiting, reason="said again")
    assert [one["reason"] for one in waiting.period().gap_acceptances] == [REASON, "that one too"]
    assert AuditEntry.objects.filter(action="period.gaps_accepted").count() == 2
    assert close_period(period_id=waiting.period().pk, now=APRIL).state is CloseState.CLOSED


@pytest.mark.django_db
def test_a_report_that_comes_before_the_close_leaves_no_gap(waiting: World) -> None:
    accept(waiting)
    waiting.rolled(waiting.nodes[1], APRIL)
    assert close_period(period_id=waiting.period().pk, now=APRIL).state is CloseState.CLOSED
    assert waiting.period().accepted_gaps == []


@pytest.mark.django_db
def test_what_is_not_missing_or_has_no_reason_is_refused(waiting: World) -> None:
    for gaps in ((f"node:{waiting.nodes[0].pk}",), (behind(waiting), "node:x"), ("",)):
        with pytest.raises(WrongGap, match="expected some of"):
            accept(waiting, *gaps)
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(WrongGap, match="say why"):
            accept(waiting, reason=reason)
    with pytest.raises(NothingToAccept):
        accept(waiting, now=APRIL - HOUR)
    assert waiting.period().gap_acceptances == []
    accept(waiting)
    close_period(period_id=waiting.period().pk, now=APRIL)
    with pytest.raises(NothingToAccept):
        accept(waiting)


def test_events_prices_and_revenue_are_no_gaps() -> None:
    rows = ({"kind": "events", "waiting": 3}, {"kind": "revenue_statement", "term": "T-1"}, {"kind": "unpriced"})
    assert [gap_of(row) for row in rows] == ["", "", ""]
    assert gap_of({"kind": "source", "reporter": "tenant:x", "source": "edge"}) == "source:tenant:x:edge"


@pytest.mark.django_db(transaction=True)
def test_it_is_accepted_before_a_close_that_comes_at_once_or_not_at_all() -> None:
    world = make_waiting()
    period_id = world.period().pk

    def sweep(_: int) -> CloseState:
        try:
            return close_period(period_id=period_id, now=APRIL).state
        finally:
            connection.close()

    def person() -> None:
        try:
            accept(world)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        asked = pool.submit(person)
        states = set(pool.map(sweep, range(3)))
        asked.result()
    assert states <= {CloseState.WAITING, CloseState.CLOSED, CloseState.ALREADY_CLOSED}
    assert close_period(period_id=period_id, now=APRIL).state in (CloseState.CLOSED, CloseState.ALREADY_CLOSED)
    assert Invoice.objects.count() == 1
    assert [gap["accepted"]["reason"] for gap in world.period().accepted_gaps] == [REASON]
