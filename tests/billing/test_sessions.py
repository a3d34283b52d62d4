"""Sessions: taken where capacity is free, recorded once, ended once, refused with the field."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.holding import WrongTerms
from billing.lease_steps import NoPriceInForce, NotOpen
from billing.models import Session, SessionAllocation, SessionEvent, TermAllocation
from billing.quoting import NotEnoughFree
from billing.rating.on_demand import OnDemandWording
from billing.rating.rated import TermKind
from billing.sessions import (
    SessionDiffers,
    SessionOver,
    Wanted,
    start_session,
    state_session,
    stop_session,
    take_session_back,
)
from clusters.capacity import WrongWish
from clusters.models import Allocation
from tests.billing.let import make_floor, reserved, wish
from tests.billing.taken import HOUR, NOON, ON_DEMAND, SPOT, STORAGE, agree, start
from tests.billing.world import APRIL, H100, MARCH, World, make_world
from tests.kept import kept

SECOND = timedelta(seconds=1)


@kept
def world() -> World:
    return make_floor()


def ends(session: Session) -> set[datetime | None]:
    return set(SessionAllocation.objects.filter(session=session).values_list("allocation__to_at", flat=True))


def steps(session: Session) -> list[tuple[str, str]]:
    return list(session.events.order_by("at", "recorded_at").values_list("step", "state"))


def nothing_stored() -> bool:
    return not any(model.objects.exists() for model in (Session, SessionAllocation, SessionEvent, Allocation))


@pytest.mark.django_db
def test_a_session_holds_slices_until_it_is_stopped(world: World) -> None:
    session = start(agree(world, ON_DEMAND), count=3)
    assert ends(session) == {None}
    assert TermAllocation.objects.filter(term=session.term).count() == 3
    assert set(Allocation.objects.values_list("tenant_id", flat=True)) == {world.tenant.id}
    assert stop_session(session=session, at=NOON + HOUR, by="alice", now=NOON + HOUR)
    assert ends(session) == {NOON + HOUR}
    assert steps(session) == [("started", "running"), ("stopped", "")]


@pytest.mark.django_db
def test_what_is_stopped_is_free_for_the_next(world: World) -> None:
    term = agree(world, ON_DEMAND)
    first = start(term, count=4)
    with pytest.raises(NotEnoughFree, match="at no time"):
        start(term, "two", at=NOON + HOUR)
    stop_session(session=first, at=NOON + 2 * HOUR, by="alice", now=NOON + 2 * HOUR)
    assert start(term, "two", count=4, at=NOON + 2 * HOUR).pk != first.pk


@pytest.mark.django_db
def test_a_start_that_is_sent_again_is_the_same_session(world: World) -> None:
    term = agree(world, ON_DEMAND)
    first = start(term, count=2)
    again = start(term, count=2, at=NOON + HOUR)
    assert again.pk == first.pk
    assert Allocation.objects.count() == 2
    stop_session(session=first, at=NOON + HOUR, by="alice", now=NOON + HOUR)
    assert start(term, count=2, at=NOON + 2 * HOUR).pk == first.pk


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", [Wanted(count=1), Wanted(count=2, model="other")])
def test_a_name_that_was_given_is_not_given_to_something_else(world: World, wanted: Wanted) -> None:
    term = agree(world, ON_DEMAND)
    start(term, count=2)
    with pytest.raises(SessionDiffers, match="2 × NVIDIA H100"):
        start_session(term=term, name="one", wanted=wanted, at=NOON, by="alice", now=NOON)


@pytest.mark.django_db
def test_a_reservation_is_not_taken_away_by_a_session_without_an_end(world: World) -> None:
    reserved(world, wish(3))
    term = agree(world, ON_DEMAND)
    assert start(term).count == 1
    with pytest.raises(NotEnoughFree) as refused:
        start(term, "two", at=NOON + SECOND)
    assert refused.value.extra["earliest_start"] == wish().to_at.isoformat()  # type: ignore[union-attr]


@pytest.mark.django_db
def test_a_term_that_ends_takes_only_what_is_free_until_then_and_ends_its_sessions(world: World) -> None:
    reserved(world, wish(4))
    until = NOON + 5 * HOUR
    session = start(agree(world, ON_DEMAND, to_at=until), count=4)
    assert ends(session) == {until}
    with pytest.raises(WrongTerms, match="runs from"):
        stop_session(session=session, at=until, by="alice", now=until)


def refused(world: World, error: type[Exception], field: str = "", **more: Any) -> None:
    given: dict[str, Any] = {"name": "one", "wanted": Wanted(), "at": NOON, "by": "alice", "now": NOON, **more}
    term = given.pop("term", None) or agree(world, ON_DEMAND)
    with pytest.raises(error) as caught:
        start_session(term=term, **given)
    if field:
        assert caught.value.extra["field"] == field  # type: ignore[attr-defined]
    assert nothing_stored()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "error", "field"),
    [
        ({"at": NOON + HOUR}, WrongTerms, "at"),
        ({"at": MARCH - HOUR}, WrongTerms, "at"),
        ({"state": "stopped"}, WrongTerms, "state"),
        ({"state": "asleep"}, WrongTerms, "state"),
        ({"wanted": Wanted(model="NVIDIA L40S")}, WrongTerms, "model"),
        ({"wanted": Wanted(count=0)}, WrongWish, "count"),
        ({"wanted": Wanted(kind="half")}, WrongWish, "kind"),
        ({"wanted": Wanted(profile="1g.10gb")}, WrongWish, "kind"),
        ({"wanted": Wanted(count=5)}, NotEnoughFree, ""),
    ],
)
def test_a_start_that_cannot_be_is_refused_with_its_field(
    world: World, given: dict[str, Any], error: type[Exception], field: str
) -> None:
    refused(world, error, field, **given)


@pytest.mark.django_db
def test_a_term_of_another_kind_has_no_sessions(world: World) -> None:
    refused(world, WrongTerms, "term", term=agree(world, STORAGE, TermKind.STORAGE))


@pytest.mark.django_db
def test_a_term_for_any_card_is_told_which_and_needs_a_price_in_force(world: World) -> None:
    term = agree(world, OnDemandWording())
    refused(world, WrongTerms, "model", term=term)
    refused(world, NoPriceInForce, term=term, wanted=Wanted(model="NVIDIA L40S"))
    begun = start_session(term=term, name="one", wanted=Wanted(model=H100), at=NOON, by="alice", now=NOON)
    assert begun.accelerator_model == H100


@pytest.mark.django_db
def test_a_contract_that_does_not_run_has_no_sessions(world: World) -> None:
    term = agree(world, ON_DEMAND)
    world.contract.to_at = NOON - HOUR
    world.contract.save()
    refused(world, NotOpen, term=term)


@pytest.mark.django_db
def test_nothing_is_recorded_in_a_period_that_is_closed(world: World) -> None:
    term = agree(world, ON_DEMAND)
    session = start(term)
    for node in world.nodes:
        world.rolled(node, APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=world.period().id, now=APRIL + 3 * 24 * HOUR)
    later = APRIL + 4 * 24 * HOUR
    for act in (
        lambda: start_session(term=term, name="late", wanted=Wanted(), at=NOON, by="alice", now=later),
        lambda: state_session(session=session, state="stopped", at=NOON + HOUR, by="pump", now=later),
        lambda: stop_session(session=session, at=NOON + HOUR, by="alice", now=later),
    ):
        with pytest.raises(WrongTerms, match="closed") as refused_for:
            act()
        assert refused_for.value.extra["field"] == "at"
    assert ends(session) == {None}
    assert stop_session(session=session, at=None, by="alice", now=later)


@pytest.mark.django_db
def test_states_follow_one_another(world: World) -> None:
    session = start(agree(world, ON_DEMAND), state="starting")

    def tell(state: str, minutes: int) -> bool:
        at = NOON + minutes * timedelta(minutes=1)
        return state_session(session=session, state=state, at=at, by="pump", now=NOON + HOUR)

    assert [tell("running", 2), tell("stopped", 5), tell("stopped", 7), tell("stopped", 5)] == [
        True,
        True,
        False,
        False,
    ]
    assert tell("running", 9)
    assert not tell("stopped", 5)
    assert [state for _, state in steps(session)] == ["starting", "running", "stopped", "running"]
    for state, minutes in (("unreachable", 3), ("unreachable", 9), ("unreachable", -1)):
        with pytest.raises(WrongTerms):
            tell(state, minutes)
    with pytest.raises(WrongTerms, match="none of starting"):
        tell("asleep", 20)


@pytest.mark.django_db
def test_a_session_stops_once(world: World) -> None:
    session = start(agree(world, ON_DEMAND))
    at = NOON + HOUR
    assert stop_session(session=session, at=at, by="alice", now=at)
    assert not stop_session(session=session, at=at, by="alice", now=at + HOUR)
    assert not stop_session(session=session, at=None, by="alice", now=at + HOUR)
    with pytest.raises(SessionOver, match="ended at"):
        stop_session(session=session, at=at + HOUR, by="alice", now=at + HOUR)
    with pytest.raises(SessionOver):
        state_session(session=session, state="stopped", at=at, by="pump", now=at + HOUR)
    assert ends(session) == {at}


@pytest.mark.django_db
def test_a_session_lasts_a_second_at_least_and_ends_after_what_was_said_of_it(world: World) -> None:
    term = agree(world, ON_DEMAND)
    short = start(term)
    stop_session(session=short, at=NOON, by="alice", now=NOON)
    assert ends(short) == {NOON + SECOND}
    longer = start(term, "two")
    state_session(session=longer, state="unreachable", at=NOON + HOUR, by="pump", now=NOON + HOUR)
    with pytest.raises(WrongTerms, match="since"):
        stop_session(session=longer, at=NOON + SECOND, by="alice", now=NOON + HOUR)


@pytest.mark.django_db
def test_notice_is_when_the_platform_was_told(world: World) -> None:
    session = start(agree(world, SPOT, TermKind.SPOT))
    taken = NOON + timedelta(minutes=5)
    assert take_session_back(session=session, at=taken, by="pump", now=NOON + timedelta(minutes=2))
    assert not take_session_back(session=session, at=taken, by="pump", now=NOON + timedelta(minutes=3))
    event = session.events.get(step="taken_back")
    assert (event.at, event.noticed_at) == (taken, NOON + timedelta(minutes=2))
    assert ends(session) == {taken}
    with pytest.raises(WrongTerms, match="already"):
        take_session_back(session=session, at=taken + HOUR, by="pump", now=NOON + timedelta(minutes=3))
    assert stop_session(session=session, at=None, by="alice", now=NOON + timedelta(minutes=4))
    assert ends(session) == {NOON + timedelta(minutes=4)}


@pytest.mark.django_db
def test_a_take_back_at_once_has_no_notice(world: World) -> None:
    session = start(agree(world, SPOT, TermKind.SPOT))
    take_session_back(session=session, at=NOON + HOUR, by="pump", now=NOON + HOUR)
    assert session.events.get(step="taken_back").noticed_at is None
    with pytest.raises(SessionOver):
        take_session_back(session=session, at=NOON + 2 * HOUR, by="pump", now=NOON + 2 * HOUR)


@pytest.mark.django_db
def test_only_spot_is_taken_back_and_not_weeks_ahead(world: World) -> None:
    on_demand = start(agree(world, ON_DEMAND))
    with pytest.raises(WrongTerms, match="not on spot"):
        take_session_back(session=on_demand, at=NOON + HOUR, by="pump", now=NOON + HOUR)
    spot = start(agree(world, SPOT, TermKind.SPOT), "two")
    with pytest.raises(WrongTerms, match="7 days"):
        take_session_back(session=spot, at=NOON + 200 * HOUR, by="pump", now=NOON)
    assert ends(on_demand) | ends(spot) == {None}


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["session", "sessionallocation", "sessionevent"])
def test_what_was_recorded_does_not_change(world: World, table: str) -> None:
    start(agree(world, ON_DEMAND))
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM billing_{table}")


@pytest.mark.django_db
def test_a_start_that_breaks_off_leaves_nothing_and_can_be_sent_again(world: World) -> None:
    term = agree(world, ON_DEMAND)

    def lost() -> None:
        with transaction.atomic():
            start(term, count=2)
            raise DatabaseError("the connection was lost before the commit")

    with pytest.raises(DatabaseError):
        lost()
    assert nothing_stored()
    assert start(term, count=2).count == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_who_start_at_once_with_room_for_one_the_other_is_told() -> None:
    world = make_world(gpus={H100: "2.35"})
    world.make_slices(2)
    term = agree(world, ON_DEMAND)
    outcomes: list[str] = []
    gate = threading.Barrier(3)

    def go(name: str) -> None:
        gate.wait()
        try:
            start(term, name, count=2)
            outcomes.append("held")
        except NotEnoughFree:
            outcomes.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", "told", "told"]
    assert Allocation.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_start_that_is_sent_twice_at_once_is_one_session() -> None:
    world = make_world(gpus={H100: "2.35"})
    world.make_slices(4)
    term = agree(world, ON_DEMAND)
    found: list[object] = []

    def go() -> None:
        try:
            found.append(start(term, count=2).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert Allocation.objects.count() == 2
    assert Decimal(Session.objects.count()) == 1
