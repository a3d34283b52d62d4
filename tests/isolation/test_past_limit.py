"""The comparison past the limit tells of rows that are taken away, once, and leaves the answer as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from tenants.limits.reader import limited, read_for
from tenants.models import Membership
from tests.isolation.past_limit import compared

if TYPE_CHECKING:
    from tenants.models import Organization, User
    from tests.factories import Cast


def read(organization: Organization, person: User, seen: set[str], times: int = 1) -> tuple[int, list[str]]:
    """How many memberships there are for a person of an organization, and what the comparison says."""
    with limited(changes=False), compared(seen) as hidden:
        read_for(organization_id=organization.id, person_id=person.id)
        counts = {len(Membership.objects.all()) for _ in range(times)}
    assert len(counts) == 1
    return counts.pop(), hidden


def test_rows_that_are_taken_away_are_told_once(cast: Cast) -> None:
    every = Membership.objects.count()
    seen: set[str] = set()
    shown, hidden = read(cast.outsider, cast.charlie, seen, times=2)
    assert 0 < shown < every
    assert len(hidden) == 1
    assert hidden[0].startswith(f"{shown} rows, {every} past the limit: SELECT")
    assert read(cast.outsider, cast.charlie, seen) == (shown, [])


def test_what_names_its_reader_is_the_same_past_the_limit(cast: Cast) -> None:
    with limited(changes=False), compared(set()) as hidden:
        read_for(organization_id=cast.tenant.id, person_id=cast.alice.id)
        own = Membership.objects.filter(organization=cast.tenant)
        assert {one.user_id for one in own} >= {cast.alice.id, cast.bob.id}
        assert own.filter(role="nobody").first() is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT generate_series(1, 3)")
            assert cursor.fetchone() == (1,)
            assert cursor.fetchall() == [(2,), (3,)]
    assert not hidden


def test_another_reader_and_what_follows_a_change_are_compared_anew(cast: Cast) -> None:
    seen: set[str] = set()
    assert read(cast.outsider, cast.charlie, seen)[1]
    assert read(cast.tenant, cast.alice, seen)[1]
    with limited(changes=False), compared(seen) as hidden:
        read_for(organization_id=cast.outsider.id, person_id=cast.charlie.id)
        assert len(Membership.objects.all())
        assert not hidden
        with connection.cursor() as cursor:
            cursor.execute("UPDATE tenants_membership SET role = role WHERE false")
        assert len(Membership.objects.all())
    assert len(hidden) == 1


def test_rows_that_the_server_holds_are_compared_too(cast: Cast) -> None:
    every = Membership.objects.count()
    with limited(changes=False), compared(set()) as hidden:
        read_for(organization_id=cast.outsider.id, person_id=cast.charlie.id)
        shown = len(list(Membership.objects.iterator(chunk_size=2)))
    assert 0 < shown < every
    assert len(hidden) == 1
