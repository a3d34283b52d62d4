"""Events whose deployment or binding was entered, or ended, after they were rolled up: a sweep moves their usage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from clusters.models import Binding, Deployment
from metering import restating_events
from metering.adjustment_models import EventOwners, UsageAdjustment
from metering.event_calls import find_event, minutes_of, waiting_events
from metering.event_models import ExplainingHour
from metering.models import PartitionArchive, UsageHour
from metering.rebuild_events import event_differences
from metering.restating_events import note_changes, restate_events, tenants_to_restate
from metering.rollup_events import RULE, RULE_UNATTRIBUTED, roll_up_events
from metering.tasks import restate_usage
from tests.factories import make_cluster, make_deployment, make_endpoint, make_node
from tests.faults.metering.network import Struck, struck_at
from tests.metering.fleet import MODEL, NOON, kill_before_commit, total
from tests.metering.stored import stored_events
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization
    from tests.factories import Cast

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = NOON + 5 * HOUR


def at(minute: int) -> str:
    return (NOON + minute * MINUTE).isoformat()


def rolled(reporter: Organization, *minutes: int, **fields: object) -> None:
    """One event of 100 input tokens at each of these minutes, in usage hours."""
    send(reporter, *(event(f"e-{minute}", occurred_at=at(minute), **fields) for minute in minutes), now=NOW)
    roll_up_events(now=NOW)


def deployed(cast: Cast, from_minute: int = 0) -> Deployment:
    """A deployment that gateways alone know."""
    made = make_deployment(cast.provider, cast.tenant)
    Deployment.objects.filter(id=made.id).update(from_at=NOON + from_minute * MINUTE)
    return made


def end(deployment: Deployment, minute: int) -> None:
    Deployment.objects.filter(id=deployment.id).update(to_at=NOON + minute * MINUTE)


def restate(now: datetime = NOW + HOUR) -> int:
    """What a sweep does."""
    note_changes(now=now)
    moved = 0
    for tenant_id in tenants_to_restate():
        while (piece := restate_events(tenant_id=tenant_id, now=now)) is not None:
            moved += piece
    return moved


def test_events_from_before_their_deployment_was_entered_become_its_own(cast: Cast) -> None:
    rolled(cast.tenant, 5, 15, 75)
    assert total(deployment=None, quantity="input") == 300
    deployment = deployed(cast, from_minute=10)
    assert restate() == 12
    assert restate(NOW + 2 * HOUR) == 0
    assert total(deployment=deployment, quantity="input") == 200
    assert total(deployment=None, quantity="input") == 100
    assert event_differences(from_at=None, to_at=None) == []


def test_a_call_in_which_a_tenant_had_nothing_new_stops_nothing(cast: Cast) -> None:
    mine = event("e-1", occurred_at=at(5), tenant=cast.tenant.slug)
    for other in ("o-1", "o-2"):
        send(cast.operator, mine, event(other, occurred_at=at(5), tenant=cast.outsider.slug), now=NOW)
    roll_up_events(now=NOW)
    deployment = deployed(cast)
    assert restate() == 6
    assert total(deployment=deployment, quantity="input") == 100


def test_the_sweep_moves_them_once(cast: Cast) -> None:
    now = timezone.now()
    send(cast.tenant, event(occurred_at=now.isoformat()), now=now)
    roll_up_events(now=now)
    make_deployment(cast.provider, cast.tenant)
    # Not compared lately, and compared just now.
    EventOwners.objects.update(checked_at=now - HOUR)
    assert restate_usage(hint="ignored") == 6
    assert restate_usage() == 0


def test_rows_are_taken_back_and_added_and_linked(cast: Cast) -> None:
    rolled(cast.tenant, 5)
    deployment = deployed(cast)
    restate()
    (original,) = UsageHour.objects.filter(quantity="input", adjustment=None)
    back, added = UsageHour.objects.filter(quantity="input").exclude(adjustment=None).order_by("value")
    assert (original.value, original.rule, original.deployment) == (100, RULE_UNATTRIBUTED, None)
    assert (back.value, back.records, back.rule, back.deployment) == (-100, -1, RULE_UNATTRIBUTED, None)
    assert (added.value, added.records, added.rule, added.deployment) == (100, 1, RULE, deployment)
    assert {back.adjusts_id, added.adjusts_id} == {original.id}
    adjustment = UsageAdjustment.objects.get()
    assert (adjustment.cause, adjustment.node, adjustment.from_at) == ("restated", None, NOON)
    assert "was stored, or ended" in adjustment.reason


def test_a_deployment_that_ends_in_the_past_gives_its_events_back(cast: Cast) -> None:
    deployment = deployed(cast)
    rolled(cast.tenant, 5, 45)
    end(deployment, 30)
    assert restate() == 6
    assert total(deployment=deployment, quantity="input") == 100
    parts = UsageHour.objects.filter(deployment=deployment, quantity="input").values_list("from_at", "value")
    assert sorted(parts) == [(NOON, -100), (NOON, 200)]
    assert event_differences(from_at=None, to_at=None) == []


def test_an_event_that_named_its_deployment_stays_with_it(cast: Cast) -> None:
    deployment = deployed(cast)
    rolled(cast.tenant, 5, 45, deployment=deployment.slug)
    end(deployment, 30)
    restate()
    assert total(deployment=deployment, quantity="input") == 200
    assert total(deployment=deployment, quantity="input", from_at=NOON + 30 * MINUTE) == 100
    assert event_differences(from_at=None, to_at=None) == []


def test_an_event_from_before_the_deployment_that_it_named_follows_its_begin(cast: Cast) -> None:
    deployment = deployed(cast, from_minute=60)
    rolled(cast.tenant, 5, deployment=deployment.slug)
    assert total(deployment=None, quantity="input") == 100
    Deployment.objects.filter(id=deployment.id).update(from_at=NOON)
    restate()
    assert total(deployment=deployment, quantity="input") == 100


def test_a_binding_entered_late_tells_two_deployments_apart(cast: Cast) -> None:
    first, second = deployed(cast), deployed(cast)
    endpoint = make_endpoint(make_node(make_cluster(cast.provider)))
    rolled(cast.tenant, 5, 45)
    assert total(deployment=None, quantity="input") == 200
    Binding.objects.create(deployment=first, endpoint=endpoint, model=MODEL, from_at=NOON, to_at=NOON + 30 * MINUTE)
    Binding.objects.create(deployment=second, endpoint=endpoint, model=MODEL, from_at=NOON + 30 * MINUTE)
    restate()
    assert [total(deployment=one, quantity="input") for one in (first, second, None)] == [100, 100, 0]


def test_the_first_binding_of_a_deployment_leaves_what_was_before_it(cast: Cast) -> None:
    deployment = deployed(cast)
    rolled(cast.tenant, 5, 45)
    endpoint = make_endpoint(make_node(make_cluster(cast.provider)), model="other")
    Binding.objects.create(deployment=deployment, endpoint=endpoint, model="other", from_at=NOON + 30 * MINUTE)
    restate()
    assert [total(deployment=one, quantity="input") for one in (deployment, None)] == [100, 100]


def test_bands_of_length_and_what_explains_residuals_move_along(cast: Cast) -> None:
    rolled(cast.tenant, 5, input=585_659, samples=3)
    deployment = deployed(cast)
    restate()
    assert total(deployment=deployment, quantity="input", context_over=512_000) == 585_659
    explained = ExplainingHour.objects.get()
    assert (explained.deployment, explained.several_requests, explained.repeated_input) == (deployment, 1, 2 * 585_659)
    end(deployment, 3)
    restate(NOW + 2 * HOUR)
    explained.refresh_from_db()
    assert (explained.several_requests, explained.repeated_input) == (0, 0)
    assert event_differences(from_at=None, to_at=None) == []


def test_a_provider_that_reports_is_only_given_its_own_deployments(cast: Cast) -> None:
    mine = deployed(cast)
    rolled(cast.provider, 5, tenant=cast.tenant.slug)
    rolled(cast.tenant, 6)
    elsewhere = make_deployment(cast.outsider, cast.tenant)
    restate()
    reporters = (cast.provider, cast.tenant)
    assert [total(deployment=mine, quantity="input", meter__reporter=one) for one in reporters] == [100, 0]
    assert total(deployment=elsewhere) == 0


def test_what_changes_nothing_restates_nothing(cast: Cast) -> None:
    deployment = deployed(cast)
    endpoints = [make_endpoint(make_node(make_cluster(cast.provider, slug=f"s-{number}"))) for number in range(2)]
    Binding.objects.create(deployment=deployment, endpoint=endpoints[0], model=MODEL, from_at=NOON)
    rolled(cast.tenant, 5)
    Binding.objects.create(deployment=deployment, endpoint=endpoints[1], model=MODEL, from_at=NOON)
    make_deployment(cast.provider, cast.outsider)
    note_changes(now=NOW + HOUR)
    assert tenants_to_restate() == []
    assert EventOwners.objects.get().checked_at == NOW + HOUR


def test_a_state_between_two_sweeps_leaves_its_mark(cast: Cast) -> None:
    rolled(cast.tenant, 5)
    deployment = deployed(cast)
    send(cast.tenant, event("between", occurred_at=at(6)), now=NOW)
    roll_up_events(now=NOW)
    assert total(deployment=deployment, quantity="input") == 100
    Deployment.objects.filter(id=deployment.id).update(from_at=NOON + 30 * MINUTE)
    restate()
    assert [total(deployment=one, quantity="input") for one in (deployment, None)] == [0, 200]


def test_a_window_of_many_events_is_moved_piece_by_piece(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restating_events, "EVENTS_A_PIECE", 2)
    for minute in range(0, 240, 40):
        rolled(cast.tenant, minute)
    deployment = deployed(cast)
    note_changes(now=NOW + HOUR)
    (before,) = EventOwners.objects.all()
    assert restate_events(tenant_id=cast.tenant.id, now=NOW + HOUR)
    (after,) = EventOwners.objects.all()
    assert before.restate_from_at is not None
    assert after.restate_from_at is not None
    assert before.restate_from_at < after.restate_from_at
    assert before.restate_to_at == after.restate_to_at
    restate()
    assert total(deployment=deployment, quantity="input") == 600
    assert UsageAdjustment.objects.count() > 1
    assert event_differences(from_at=None, to_at=None) == []


def test_every_statement_may_be_a_workers_last(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restating_events, "EVENTS_A_PIECE", 2)
    for minute in range(0, 240, 40):
        rolled(cast.tenant, minute)
    deployment = deployed(cast, from_minute=60)
    strikes = 0
    for statement in range(200):
        try:
            with struck_at(statement):
                restate(NOW + (1 + statement) * HOUR)
        except Struck:
            strikes += 1
        else:
            break
    assert strikes > 20
    assert [total(deployment=one, quantity="input") for one in (deployment, None)] == [400, 200]
    assert event_differences(from_at=None, to_at=None) == []
    assert UsageHour.objects.exclude(adjustment=None).count() == 3 * 6


def test_events_in_the_archive_alone_keep_their_usage(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    rolled(cast.tenant, 5, 75)
    part = {"table_name": "metering_eventcall", "rows": 1, "file_bytes": 1, "file_sha256": "", "archived_at": NOW}
    PartitionArchive.objects.create(**part, partition="p", file="f", to_at=NOON + 30 * MINUTE, dropped_at=NOW)
    deployment = deployed(cast)
    restate()
    assert [total(deployment=one, quantity="input") for one in (deployment, None)] == [100, 100]
    assert "they are archived" in caplog.text
    assert tenants_to_restate() == []
    PartitionArchive.objects.update(to_at=NOW + 48 * HOUR)
    end(deployment, 1)
    assert restate(NOW + 2 * HOUR) == 0
    assert tenants_to_restate() == []


def test_what_a_sweep_can_no_longer_notice_is_left_to_a_rebuild(cast: Cast) -> None:
    rolled(cast.tenant, 5)
    deployment = deployed(cast)
    end(deployment, 30)
    assert restate(NOW + timedelta(days=63)) == 0
    assert len(event_differences(from_at=None, to_at=None)) == 6


def test_an_event_shows_the_deployment_that_it_belongs_to_by_now(cast: Cast) -> None:
    send(cast.tenant, event("e-1", occurred_at=at(5)), now=NOW)
    deployment = deployed(cast)
    assert stored_events()["e-1"].deployment_id is None
    found = find_event(reporter_id=cast.tenant.id, source="gateway-1", event_id="e-1")
    assert found is not None
    assert found.deployment_id == deployment.id
    assert waiting_events(before=NOW, deployment_ids=[deployment.id]) == 1
    assert [key[-1] for key in minutes_of(cast.provider.id, NOON, NOW)] == [deployment.id]


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_restate_while_events_arrive_come_to_the_same(cast: Cast) -> None:
    for minute in range(0, 120, 10):
        rolled(cast.tenant, minute)
    deployment = deployed(cast, from_minute=30)

    def work(number: int) -> None:
        try:
            if number % 2:
                restate(NOW + number * HOUR)
            else:
                rolled(cast.tenant, number + 31, number + 95)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert total(deployment=deployment, quantity="input") == 900 + 800
    assert total(deployment=None, quantity="input") == 300
    assert event_differences(from_at=None, to_at=None) == []


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_before_its_commit_leaves_all_to_the_next(cast: Cast) -> None:
    rolled(cast.tenant, 5)
    deployment = deployed(cast)
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: note_changes(now=NOW + HOUR))
    note_changes(now=NOW + HOUR)
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: restate_events(tenant_id=cast.tenant.id, now=NOW + HOUR))
    assert total(deployment=deployment) == 0
    assert tenants_to_restate() == [cast.tenant.id]
    assert restate() == 6
    assert total(deployment=deployment, quantity="input") == 100
