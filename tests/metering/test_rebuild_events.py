"""Summing events again: usage comes out as it stands, and what differs is found and put right."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from metering.adjustment_models import AdjustmentCause
from metering.event_models import ExplainingHour
from metering.models import PartitionArchive, UsageCut, UsageHour
from metering.rebuild import BatchesArchived, Difference
from metering.rebuild_events import apply_cuts, event_differences, rebuild_events
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.fleet import NOON, total
from tests.metering.forging import forge
from tests.metering.test_events import NOW, event, send

if TYPE_CHECKING:
    from clusters.models import Deployment
    from metering.rebuild_events import EventDifference
    from tests.factories import Cast

START = NOON - timedelta(hours=1)
EVERYTHING = {"from_at": None, "to_at": None}


@kept
def deployment(cast: Cast) -> Deployment:
    """Sixty events, one a minute, rolled up; another waits."""
    deployment = make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, *(event(f"e-{minute}", occurred_at=f"2026-03-10T11:{minute:02}:00Z") for minute in range(60)))
    send(cast.tenant, event("e-late", occurred_at="2026-03-10T10:30:00Z"))
    roll_up_events(now=NOW)
    send(cast.tenant, event("e-waiting", occurred_at="2026-03-10T11:59:00Z"))
    return deployment


def put_right() -> list[EventDifference]:
    return rebuild_events(**EVERYTHING, cause=AdjustmentCause.REBUILT, reason="A sample.", now=NOW)


def test_events_come_out_as_they_stand(deployment: Deployment) -> None:
    assert total(deployment=deployment, quantity="input") == 6_100
    assert event_differences(**EVERYTHING) == []
    assert event_differences(from_at=START, to_at=START + timedelta(hours=1)) == []
    assert put_right() == []


def test_a_forged_hour_is_found_in_its_window_and_put_right(deployment: Deployment) -> None:
    forge(UsageHour.objects.filter(hour_at=START, quantity="output"), value=7)
    (found,) = event_differences(**EVERYTHING)
    assert isinstance(found, Difference)
    assert found.value == 1_200 - 7
    assert event_differences(from_at=START + timedelta(hours=1), to_at=None) == []
    assert len(put_right()) == 1
    assert total(quantity="output") == 61 * 20
    assert event_differences(**EVERYTHING) == []


def test_what_explains_residuals_is_compared_and_put_right(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event("n-3", samples=3, status="aborted"))
    while roll_up_events(now=NOW):
        continue
    assert event_differences(**EVERYTHING) == []
    ExplainingHour.objects.update(repeated_input=7, aborted_requests=0)
    (found,) = event_differences(**EVERYTHING)
    assert str(found).endswith(f"deployment {deployment.id}: to explain it, repeated_input +193, aborted_requests +1")
    assert put_right() == [found]
    assert ExplainingHour.objects.values_list("repeated_input", "aborted_requests").get() == (200, 1)
    assert event_differences(**EVERYTHING) == []


def test_a_cut_stored_late_parts_the_hour_there(deployment: Deployment) -> None:
    instant = START + timedelta(minutes=45)
    UsageCut.objects.create(deployment=deployment, at=instant)
    later = NOW + timedelta(hours=2)
    assert apply_cuts(now=later) == 6
    assert apply_cuts(now=later) == 0
    assert UsageCut.objects.get().applied_at == later
    assert (total(from_at=START, quantity="input"), total(from_at=instant, quantity="input")) == (4_500, 1_500)
    added = UsageHour.objects.get(from_at=instant, quantity="input")
    original = UsageHour.objects.get(from_at=START, quantity="input", adjustment=None)
    assert added.adjusts_id == original.id
    assert event_differences(**EVERYTHING) == []


def test_long_requests_stay_apart_where_a_late_cut_moves_them(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event("long", occurred_at="2026-03-10T11:50:00Z", input=585_659, output=7))
    while roll_up_events(now=NOW):
        continue
    instant = START + timedelta(minutes=45)
    UsageCut.objects.create(deployment=deployment, at=instant)
    assert apply_cuts(now=NOW + timedelta(hours=2))
    bands = {over: total(from_at=instant, quantity="input", context_over=over) for over in (0, 512_000)}
    assert bands == {0: 1_600, 512_000: 585_659}
    assert total(from_at=START, context_over=512_000) == 0
    assert event_differences(**EVERYTHING) == []


def test_hours_from_before_bands_are_put_into_them(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event("long", occurred_at="2026-03-10T11:50:00Z", input=585_659, output=0))
    while roll_up_events(now=NOW):
        continue
    # Its own hours, as they were summed by the release before: under another version, with the band unknown.
    forge(UsageHour.objects.filter(context_over=512_000), context_over=0, version=2)
    assert put_right()
    assert total(quantity="input", context_over=512_000) == 585_659
    assert total(quantity="input") == 62 * 100 + 585_659
    assert event_differences(**EVERYTHING) == []


def test_a_cut_is_looked_at_once_its_hour_is_over(deployment: Deployment) -> None:
    UsageCut.objects.create(deployment=deployment, at=NOW + timedelta(minutes=7))
    assert apply_cuts(now=NOW + timedelta(minutes=30)) == 0
    assert UsageCut.objects.get().applied_at is None


def test_events_in_the_archive_alone_are_said_so(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    part = {"table_name": "metering_eventcall", "rows": 1, "file_bytes": 1, "file_sha256": "", "archived_at": NOW}
    PartitionArchive.objects.create(**part, partition="p", file="f", to_at=START, dropped_at=NOW)
    with pytest.raises(BatchesArchived, match="archived"):
        event_differences(**EVERYTHING)
    assert event_differences(from_at=START + timedelta(minutes=5), to_at=None) == []
    # An earlier part that was restored does not bring back one behind it.
    PartitionArchive.objects.create(**part, partition="q", file="g", to_at=NOON, dropped_at=NOW)
    with pytest.raises(BatchesArchived, match="archived"):
        put_right()
    UsageCut.objects.create(deployment=deployment, at=START + timedelta(minutes=45))
    assert apply_cuts(now=NOW + timedelta(hours=2)) == 0
    assert "events are archived" in caplog.text
    assert UsageCut.objects.get().applied_at is not None
