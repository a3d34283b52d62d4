"""A whole story of sessions and volumes, from what was recorded to the bill, across the end of a period."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.bases import read_basis
from billing.basis import rate
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.models import Invoice, InvoiceLine
from billing.rating.inputs import facts_of
from billing.rating.on_demand import StateSpan, TakenBack
from billing.rating.rated import RatedLine, TermKind
from billing.rating.storage import Stored
from billing.session_measured import session_facts
from billing.sessions import state_session, stop_session, take_session_back
from billing.terms import terms_of
from billing.usage_spans import Window
from billing.volumes import size_volume
from tests.billing.let import make_floor
from tests.billing.taken import HOUR, NOON, ON_DEMAND, SPOT, STORAGE, agree, start
from tests.billing.world import APRIL, MARCH, World
from tests.kept import kept

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MAY = APRIL + 30 * DAY


@kept
def world() -> World:
    made = make_floor()
    for node in made.nodes:
        made.rolled(node, MAY + 40 * DAY)
    return made


def window(world: World, from_at: datetime = MARCH, to_at: datetime = APRIL, end: datetime | None = None) -> Window:
    world.contract.refresh_from_db()
    return Window(world.contract, from_at, to_at, end or to_at)


def lines(world: World, from_at: datetime = MARCH, to_at: datetime = APRIL) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    rated: tuple[RatedLine, ...] = rate(read_basis(window(world, from_at, to_at))).lines
    for line in rated:
        found[line.rule] = found.get(line.rule, Decimal(0)) + line.amount
    return found


def close(world: World, from_at: datetime) -> Invoice:
    ensure_periods(contract=world.contract, now=MAY + DAY)
    period = world.contract.periods.get(from_at=from_at)
    closed = close_period(period_id=period.id, now=period.to_at + 3 * DAY)
    assert closed.invoice is not None
    return closed.invoice


def billed(invoice: Invoice) -> dict[tuple[str, str], Decimal]:
    return {(line.term_ref, line.rule): line.amount for line in InvoiceLine.objects.filter(invoice=invoice)}


def test_sessions_take_backs_and_volumes_are_billed_by_the_close(world: World) -> None:
    """Two cards for 20 minutes with a minimum of an hour; spot for three hours, taken back at once; 100 then 300 GB."""
    short = start(agree(world, ON_DEMAND), count=2)
    stop_session(session=short, at=NOON + 20 * MINUTE, by="alice", now=NOON + 20 * MINUTE)
    spot = start(agree(world, SPOT, TermKind.SPOT), at=NOON)
    take_session_back(session=spot, at=NOON + 3 * HOUR, by="pump", now=NOON + 3 * HOUR)
    storage = agree(world, STORAGE, TermKind.STORAGE)
    for gigabytes, at in ((100, MARCH), (300, MARCH + 15 * DAY + 12 * HOUR)):
        size_volume(term=storage, volume="data", gigabytes=gigabytes, at=at, by="alice", now=at)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=NOON + 4 * HOUR, now=NOON + 4 * HOUR)
    invoice = close(world, MARCH)
    assert billed(invoice) == {
        ("D-0001", "on_demand_fixed_rate"): Decimal("1.33"),
        ("D-0001", "on_demand_minimum"): Decimal("2.67"),
        ("SP-0001", "spot_fixed_rate"): Decimal("3.00"),
        ("SP-0001", "spot_notice_not_kept"): Decimal("-0.50"),
        ("B-0001", "storage_gb_month"): Decimal("62.00"),
    }
    assert invoice.total == Decimal("68.50")


def test_notice_that_was_kept_leaves_the_time_billed_and_waives_the_minimum(world: World) -> None:
    world_spot = SPOT.__class__(**{**{f: getattr(SPOT, f) for f in SPOT.__struct_fields__}, "minimum_seconds": 7200})
    session = start(agree(world, world_spot, TermKind.SPOT))
    take_session_back(session=session, at=NOON + HOUR, by="pump", now=NOON + HOUR - 2 * MINUTE)
    assert lines(world) == {"spot_fixed_rate": Decimal(1)}


def test_who_was_given_notice_and_stopped_before_stopped_by_themselves(world: World) -> None:
    session = start(agree(world, SPOT, TermKind.SPOT))
    take_session_back(session=session, at=NOON + HOUR, by="pump", now=NOON + HOUR - MINUTE)
    stop_session(session=session, at=None, by="alice", now=NOON + HOUR - MINUTE + timedelta(seconds=30))
    [term] = read_basis(window(world)).terms
    assert facts_of(term.facts, TakenBack) == []
    assert set(lines(world)) == {"spot_fixed_rate"}


def test_states_that_do_not_bill_are_free(world: World) -> None:
    session = start(agree(world, ON_DEMAND), state="starting")
    for state, hours in (("running", 1), ("stopped", 2), ("running", 5), ("unreachable", 6)):
        state_session(session=session, state=state, at=NOON + hours * HOUR, by="pump", now=NOON + 6 * HOUR)
    stop_session(session=session, at=NOON + 8 * HOUR, by="alice", now=NOON + 8 * HOUR)
    [term] = read_basis(window(world)).terms
    assert [(fact.state, fact.from_at, fact.to_at) for fact in facts_of(term.facts, StateSpan)] == [
        ("starting", NOON, NOON + HOUR),
        ("stopped", NOON + 2 * HOUR, NOON + 5 * HOUR),
        ("unreachable", NOON + 6 * HOUR, NOON + 8 * HOUR),
    ]
    assert lines(world) == {"on_demand_fixed_rate": Decimal(6)}


def test_a_state_that_lasts_over_the_end_of_a_period_counts_in_both(world: World) -> None:
    begun = APRIL - 4 * HOUR
    session = start(agree(world, ON_DEMAND), at=begun)
    state_session(session=session, state="stopped", at=APRIL - HOUR, by="pump", now=APRIL - HOUR)
    state_session(session=session, state="running", at=APRIL + 2 * HOUR, by="pump", now=APRIL + 2 * HOUR)
    stop_session(session=session, at=APRIL + 3 * HOUR, by="alice", now=APRIL + 3 * HOUR)
    assert lines(world) == {"on_demand_fixed_rate": Decimal(6)}
    assert lines(world, APRIL, MAY) == {"on_demand_fixed_rate": Decimal(2)}
    assert close(world, MARCH).total == Decimal(6)
    assert close(world, APRIL).total == Decimal(2)


@pytest.mark.parametrize("minutes", [0, 20])
def test_a_take_back_at_the_end_of_a_period_is_of_one_period(world: World, minutes: int) -> None:
    session = start(agree(world, SPOT, TermKind.SPOT), at=APRIL - 2 * HOUR)
    at = APRIL + minutes * MINUTE
    take_session_back(session=session, at=at, by="pump", now=at)
    both = [lines(world, *span) for span in ((MARCH, APRIL), (APRIL, MAY))]
    assert [("spot_notice_not_kept" in found) for found in both] == ([True, False] if not minutes else [False, True])


def test_a_window_sees_what_had_happened_by_its_end(world: World) -> None:
    session = start(agree(world, ON_DEMAND))
    state_session(session=session, state="stopped", at=NOON + HOUR, by="pump", now=NOON + HOUR)
    part = read_basis(window(world, MARCH, NOON + 3 * HOUR, APRIL)).terms[0]
    assert [(fact.from_at, fact.to_at) for fact in facts_of(part.facts, StateSpan)] == [(NOON + HOUR, NOON + 3 * HOUR)]
    before = read_basis(window(world, MARCH, NOON + HOUR, APRIL)).terms[0]
    assert facts_of(before.facts, StateSpan) == []


def test_a_volume_is_gone_once_it_is_deleted_and_ends_with_its_term(world: World) -> None:
    until = MARCH + 20 * DAY
    term = agree(world, STORAGE, TermKind.STORAGE, to_at=until)
    for volume, gigabytes, days in (("a", 10, 0), ("b", 5, 2), ("a", 0, 3)):
        at = MARCH + days * DAY
        size_volume(term=term, volume=volume, gigabytes=gigabytes, at=at, by="alice", now=at)
    [found] = read_basis(window(world)).terms
    assert [(fact.volume, fact.gigabytes, fact.from_at, fact.to_at) for fact in facts_of(found.facts, Stored)] == [
        ("a", 10, MARCH, MARCH + 3 * DAY),
        ("b", 5, MARCH + 2 * DAY, until),
    ]


def test_contracts_without_such_terms_cost_no_query(world: World) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert session_facts([window(world)], terms_of([])) == {}
    assert not [query for query in captured.captured_queries if "session" in query["sql"] or "volume" in query["sql"]]


def test_the_number_of_queries_does_not_grow_with_sessions(world: World) -> None:
    term = agree(world, ON_DEMAND)
    start(term)
    with CaptureQueriesContext(connection) as few:
        read_basis(window(world))
    for name in ("two", "three"):
        start(term, name)
    with CaptureQueriesContext(connection) as more:
        read_basis(window(world))
    assert len(few) == len(more)
