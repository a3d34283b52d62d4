"""By which deployments events are attributed is kept, and what a later change concerns is marked to be restated."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from clusters.models import Binding, Deployment
from metering.adjustment_models import EventOwners
from metering.event_columns import unix_us
from metering.event_ownership import AHEAD, note_event_owners
from metering.ownership import LATE_BY_MAX
from tests.factories import EPOCH, make_cluster, make_deployment, make_endpoint, make_node
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON

if TYPE_CHECKING:
    from clusters.models import Endpoint
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
Marked = tuple[datetime | None, datetime | None]


@kept
def endpoint(cast: Cast) -> Endpoint:
    return make_endpoint(make_node(make_cluster(cast.provider)))


@kept
def deployment(cast: Cast, endpoint: Endpoint) -> Deployment:
    """Bound to the sample model since EPOCH."""
    return make_deployment(cast.provider, cast.tenant, endpoint)


def note(cast: Cast, now: datetime = NOON) -> Marked:
    note_event_owners(tenant_ids=[cast.tenant.id], now=now)
    kept = EventOwners.objects.get(tenant=cast.tenant)
    return kept.restate_from_at, kept.restate_to_at


def bind(
    cast: Cast, endpoint: Endpoint, from_at: datetime, to_at: datetime | None = None, model: str = "another"
) -> Binding:
    other = make_deployment(cast.provider, cast.tenant)
    return Binding.objects.create(deployment=other, endpoint=endpoint, model=model, from_at=from_at, to_at=to_at)


def test_nobody_asked_for_is_nobody_kept() -> None:
    assert note_event_owners(tenant_ids=[], now=NOON) == {}
    assert not EventOwners.objects.exists()


def test_the_first_look_keeps_what_it_finds_and_marks_nothing(cast: Cast, deployment: Deployment) -> None:
    assert note(cast) == (None, None)
    kept = EventOwners.objects.get()
    assert [row[1] for row in kept.spans] == [deployment.slug]
    assert kept.checked_at == NOON


def test_looking_again_without_a_change_changes_nothing(cast: Cast, deployment: Deployment) -> None:
    note(cast)
    assert note(cast, NOON + HOUR) == (None, None)
    assert EventOwners.objects.get().checked_at == NOON


def test_the_present_spans_are_returned_for_each_tenant_even_one_without_any(
    cast: Cast, deployment: Deployment
) -> None:
    for _look in range(2):
        spans = note_event_owners(tenant_ids=[cast.tenant.id, cast.outsider.id], now=NOON)
        assert [one.slug for one in spans[cast.tenant.id]] == [deployment.slug]
        assert spans[cast.outsider.id] == []


def test_a_deployment_that_came_late_concerns_the_time_since_it_began(
    cast: Cast, deployment: Deployment, endpoint: Endpoint
) -> None:
    note(cast)
    bind(cast, endpoint, NOON - 3 * HOUR)
    assert note(cast) == (EPOCH, NOON + AHEAD)


def test_a_binding_that_came_late_concerns_the_time_since_it_began(
    cast: Cast, deployment: Deployment, endpoint: Endpoint
) -> None:
    note(cast)
    Binding.objects.create(deployment=deployment, endpoint=endpoint, model="another", from_at=NOON - 3 * HOUR)
    assert note(cast) == (NOON - 3 * HOUR, NOON + AHEAD)


def test_what_begins_later_than_clocks_differ_concerns_nothing(cast: Cast, deployment: Deployment) -> None:
    note(cast)
    deployment.to_at = NOON + 2 * AHEAD
    deployment.save()
    assert note(cast) == (None, None)
    [row] = EventOwners.objects.get().spans
    assert row[4] == unix_us(NOON + 2 * AHEAD)


def test_a_deployment_that_ended_before_now_is_restated_since_its_end(cast: Cast, deployment: Deployment) -> None:
    note(cast)
    deployment.to_at = NOON - 2 * HOUR
    deployment.save()
    assert note(cast) == (NOON - 2 * HOUR, NOON + AHEAD)


def test_two_changes_are_marked_from_the_first_to_the_last(cast: Cast, deployment: Deployment) -> None:
    note(cast)
    for hours in (5, 2, 4):
        deployment.to_at = NOON - hours * HOUR
        deployment.save()
        note(cast)
    kept = EventOwners.objects.get()
    assert (kept.restate_from_at, kept.restate_to_at) == (NOON - 5 * HOUR, NOON + AHEAD)


def test_a_state_that_came_and_went_between_two_looks_leaves_its_mark(cast: Cast, deployment: Deployment) -> None:
    note(cast)
    deployment.to_at = NOON - HOUR
    deployment.save()
    marked = note(cast)
    deployment.to_at = None
    deployment.save()
    assert note(cast) == marked == (NOON - HOUR, NOON + AHEAD)


def test_nothing_is_marked_further_back_than_is_looked(cast: Cast, endpoint: Endpoint) -> None:
    long_ago = make_deployment(cast.provider, cast.tenant, endpoint)
    now = EPOCH + LATE_BY_MAX + timedelta(days=10)
    note(cast, now)
    long_ago.to_at = EPOCH + timedelta(days=1)
    long_ago.save()
    assert note(cast, now) == (now - LATE_BY_MAX, now + AHEAD)


def test_a_change_of_one_tenant_marks_no_other(cast: Cast, deployment: Deployment) -> None:
    other = make_deployment(cast.provider, cast.outsider, model=MODEL)
    note_event_owners(tenant_ids=[cast.tenant.id, cast.outsider.id], now=NOON)
    other.to_at = NOON - HOUR
    other.save()
    note_event_owners(tenant_ids=[cast.tenant.id, cast.outsider.id], now=NOON)
    marked = EventOwners.objects.filter(restate_from_at__isnull=False)
    assert [row.tenant_id for row in marked] == [cast.outsider.id]
