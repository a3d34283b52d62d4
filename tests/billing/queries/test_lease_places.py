"""What a list of leases counts and where its pages begin: the same as all of its rows would say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.queries.lease_list import LeaseRow, lease_rows
from billing.queries.lease_places import LeaseSums, lease_places, lease_sums
from clusters.models import Allocation
from tests.billing.world import HOUR, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BORDERS = (MARCH - HOUR, MARCH, MARCH + HOUR, MARCH + 2 * DAY, MARCH + 3 * DAY, MARCH + 9 * DAY)

world = kept(make_world)


def counted(rows: list[LeaseRow]) -> LeaseSums:
    """What all the rows of a list come to."""
    by = {state: [row for row in rows if row.state == state] for state in ("running", "reserved", "ended")}
    return LeaseSums(
        running=len(by["running"]),
        held_permille=sum(row.share_permille for row in by["running"]),
        next_end_at=min((row.to_at for row in by["running"] if row.to_at), default=None),
        reserved=len(by["reserved"]),
        next_from_at=min((row.from_at for row in by["reserved"]), default=None),
        ended=len(by["ended"]),
    )


def make_leases(world: World) -> None:
    """Leases of every state, one of which gave cards back."""
    world.lease(2, from_at=MARCH, to_at=MARCH + 2 * DAY)
    world.lease(3, from_at=MARCH + DAY)
    world.lease(1, from_at=MARCH + 3 * DAY, to_at=MARCH + 9 * DAY)
    changed = world.lease(4, from_at=MARCH, to_at=MARCH + 9 * DAY)
    # Cards of it were given back, at an instant that is looked at and before.
    given = Allocation.objects.filter(term_allocation__term=changed).order_by("pk")
    given.filter(pk=given[0].pk).update(to_at=MARCH + 2 * DAY)
    given.filter(pk=given[1].pk).update(to_at=MARCH + HOUR)


def test_what_a_list_counts_is_what_its_rows_say(world: World) -> None:
    """In their order, each as it stands, and what the running ones hold: at every border of a time."""
    make_leases(world)
    emptied = world.lease(2, from_at=MARCH)
    Allocation.objects.filter(term_allocation__term=emptied).update(to_at=MARCH + HOUR)
    others = make_world().lease(5, from_at=MARCH)
    for at in BORDERS:
        for party in ("tenant", "provider"):
            side = world.tenant if party == "tenant" else world.provider
            rows = lease_rows(side, at, party=party)
            assert len(rows) == 5
            assert lease_sums(side, at, party=party) == counted(rows)
            found = lease_places(side, at, party=party, first=0, count=50)
            assert (list(found.ids), found.count) == ([row.id for row in rows], 5)
            assert others.pk not in found.ids


def test_pages_of_a_list_are_its_rows_one_after_the_other(world: World) -> None:
    make_leases(world)
    at = MARCH + DAY
    rows = [row.id for row in lease_rows(world.tenant, at)]
    pages = [lease_places(world.tenant, at, party="tenant", first=first, count=3) for first in (0, 3, 6)]
    assert [list(page.ids) for page in pages] == [rows[:3], rows[3:], []]
    assert {page.count for page in pages} == {4}


@pytest.mark.parametrize("start", [-2, 0, 1, 2, 3, 8, 9, 10])
def test_days_choose_what_shares_an_instant_with_them(world: World, start: int) -> None:
    make_leases(world)
    days = (MARCH + start * DAY, MARCH + (start + 1) * DAY)
    rows = lease_rows(world.tenant, MARCH, from_at=days[0], to_at=days[1])
    found = lease_places(world.tenant, MARCH, party="tenant", first=0, count=50, days=days)
    assert (list(found.ids), found.count) == ([row.id for row in rows], len(rows))


def test_nothing_is_counted_where_nothing_is_let(world: World) -> None:
    assert lease_sums(world.tenant, MARCH, party="tenant") == LeaseSums(0, 0, None, 0, None, 0)
    assert lease_sums(world.tenant, MARCH, party="tenant").count == 0


def test_what_many_hold_is_one_question(world: World) -> None:
    asked = []
    for _ in range(2):
        world.lease(2)
        with CaptureQueriesContext(connection) as queries:
            lease_sums(world.provider, MARCH, party="provider")
            lease_places(world.provider, MARCH, party="provider", first=0, count=50)
        asked.append(len(queries))
    assert asked[0] == asked[1] == 4
