"""Ends of leases are noted once for each party: those that are near, those that were moved, and those that came."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.lease_ends.noting import note_ended, note_ending
from billing.leasing import end_lease_early, extend_lease, record_steps
from billing.models import LeaseEndReason, LeaseNotice, LeaseTold
from billing.telling import LEASE_ENDS_WITHIN
from tests.billing.let import DAY, END, NOW, START, make_floor, reserved, wish
from tests.billing.world import World
from tests.kept import kept

pytestmark = pytest.mark.django_db

NEAR = END - LEASE_ENDS_WITHIN
SECOND = timedelta(seconds=1)

world = kept(make_floor)


def noted(world: World) -> list[tuple[str, str, int]]:
    """Which party was told what, and of an end on which day of March."""
    names = {world.provider.pk: "provider", world.tenant.pk: "tenant"}
    rows = LeaseNotice.objects.order_by("ends_at", "kind")
    return sorted((names[row.organization_id], row.kind, row.ends_at.day) for row in rows)


def test_both_parties_are_told_a_week_before_and_as_it_ends_each_once(world: World) -> None:
    lease = reserved(world)
    assert note_ending(now=NEAR - SECOND) == 0
    assert [note_ending(now=NEAR + at * DAY) for at in (0, 1)] == [1, 0]
    near = [("provider", "ending", END.day), ("tenant", "ending", END.day)]
    assert noted(world) == near
    for _ in range(2):
        record_steps(term_id=lease.pk, now=END)
    assert note_ending(now=END) == 0
    ended = [("provider", "ended", END.day), ("tenant", "ended", END.day)]
    assert noted(world) == sorted(near + ended)
    said = LeaseNotice.objects.filter(kind=LeaseTold.ENDED).values_list("reason", flat=True)
    assert set(said) == {LeaseEndReason.NOT_RENEWING}


def test_a_lease_of_no_more_than_its_notice_is_told_of_only_as_it_ends(world: World) -> None:
    short = reserved(world, wish(to_at=START + LEASE_ENDS_WITHIN))
    assert note_ending(now=START) == 0
    record_steps(term_id=short.pk, now=START + LEASE_ENDS_WITHIN)
    assert {kind for _, kind, _ in noted(world)} == {"ended"}


def test_an_end_that_was_moved_is_told_anew_and_the_old_one_is_not_sent_any_more(world: World) -> None:
    lease = reserved(world)
    note_ending(now=NEAR)
    extend_lease(lease=lease, to_at=END + 5 * DAY, by="alice", now=NEAR)
    assert list(LeaseNotice.objects.to_tell()) == []
    assert note_ending(now=NEAR + 4 * DAY) == 0
    assert note_ending(now=NEAR + 5 * DAY) == 1
    assert {row.ends_at for row in LeaseNotice.objects.to_tell()} == {END + 5 * DAY}


def test_who_ends_early_has_the_other_told_and_what_never_began_is_not_told_of(world: World) -> None:
    lease = reserved(world)
    record_steps(term_id=lease.pk, now=START)
    end_lease_early(lease=lease, at=START + 10 * DAY, by="tom", now=START + 8 * DAY)
    assert note_ending(now=START + 8 * DAY) == 1
    taken_back = reserved(world, wish(count=1))
    end_lease_early(lease=taken_back, at=NOW + DAY, by="tom", now=NOW)
    record_steps(term_id=taken_back.pk, now=START)
    assert {row.term_id for row in LeaseNotice.objects.all()} == {lease.pk}


def test_one_sweep_notes_so_many_and_the_next_the_rest(world: World) -> None:
    for _ in range(2):
        reserved(world, wish(count=1))
    assert [note_ending(now=NEAR, limit=1) for _ in range(3)] == [1, 1, 0]


def test_an_end_said_twice_is_noted_once(world: World) -> None:
    lease = reserved(world)
    for _ in range(2):
        note_ended(lease, LeaseEndReason.NOT_RENEWING, now=END)
    assert len(noted(world)) == 2
