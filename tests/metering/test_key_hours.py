"""Hours by key: they grow with the usage hours, are corrected with them, and never hold more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Sum

import metering.key_hours
from clusters.models import Deployment
from metering.adjustment_models import AdjustmentCause
from metering.key_hours import add_key_hours, ensure_keys
from metering.key_models import KeyedUsage, KeyHour, UsageKey
from metering.models import UsageCut, UsageHour
from metering.rebuild_events import KeyDifference, apply_cuts, event_differences, rebuild_events
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.fleet import NOON, kill_before_commit
from tests.metering.test_events import NOW, event, send

if TYPE_CHECKING:
    from tests.factories import Cast

EVERYTHING = {"from_at": None, "to_at": None}


def rolled(cast: Cast, *events: dict[str, object], now: object = NOW) -> None:
    send(cast.tenant, *events, now=now)
    while roll_up_events(now=NOW):
        pass


def inputs() -> dict[str, int]:
    return dict(KeyHour.objects.values_list("key__label").annotate(Sum("input")).order_by())


def by_view() -> dict[str | None, int]:
    rows = (
        KeyedUsage.objects.filter(quantity="input").values_list("key__label").annotate(tokens=Sum("value")).order_by()
    )
    return {label: tokens for label, tokens in rows if tokens}


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_keys_are_told_apart_and_what_has_none_is_left(cast: Cast, deployment: Deployment) -> None:
    rolled(
        cast,
        event("a", key="web", cached_input=40),
        event("b", key="web", occurred_at="2026-03-10T12:01:00Z"),
        event("c", key="night", quantities={"images": 3}),
        event("d"),
    )
    assert inputs() == {"web": 200, "night": 100}
    assert by_view() == {"web": 200, "night": 100, None: 100}
    hour = KeyHour.objects.get(key__label="web")
    assert (hour.tenant, hour.deployment, hour.quality) == (cast.tenant, deployment, "A")
    assert (hour.hour_at, hour.from_at, hour.to_at) == (NOON, NOON, NOON + timedelta(hours=1))
    assert (hour.cached_input, hour.output, hour.requests) == (40, 40, 2)
    assert KeyHour.objects.get(key__label="night").images == 3
    assert UsageHour.objects.filter(quantity="input").aggregate(tokens=Sum("value"))["tokens"] == 400
    assert UsageKey.objects.get(label="web").first_counted_at == NOW


def test_late_events_grow_the_same_row_and_nothing_differs(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    rolled(cast, event("a", key="web"))
    rolled(cast, event("late", key="web"), now=NOON + timedelta(days=2))
    assert KeyHour.objects.count() == 1
    assert inputs() == {"web": 200}
    assert event_differences(**EVERYTHING) == []


def test_a_late_cut_parts_a_keys_hour(cast: Cast, deployment: Deployment) -> None:
    start, cut = NOON - timedelta(hours=1), NOON - timedelta(minutes=30)
    at = ("2026-03-10T11:10:00Z", "2026-03-10T11:45:00Z")
    rolled(cast, *(event(when, key="web", occurred_at=when) for when in at))
    UsageCut.objects.create(deployment=deployment, at=cut)
    apply_cuts(now=NOW + timedelta(hours=3))
    assert dict(KeyHour.objects.values_list("from_at", "input")) == {start: 100, cut: 100}
    assert by_view() == {"web": 200}
    assert event_differences(**EVERYTHING) == []


def test_a_forged_hour_is_found_in_words_and_put_right(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    rolled(cast, event("a", key="web"), event("b", key="night"))
    KeyHour.objects.filter(key__label="web").update(input=7)
    (found,) = event_differences(**EVERYTHING)
    assert isinstance(found, KeyDifference)
    assert "of key 'web', input +93" in str(found)
    rebuild_events(**EVERYTHING, cause=AdjustmentCause.REBUILT, reason="A sample.", now=NOW)
    assert inputs() == {"web": 100, "night": 100}
    assert event_differences(**EVERYTHING) == []


def test_hours_of_before_keys_were_told_apart_are_filled_in(cast: Cast) -> None:
    rolled(cast, event("a", key="web"), event("b"))
    KeyHour.objects.update(input=0, output=0, requests=0)
    UsageKey.objects.update(label="other")
    found = rebuild_events(**EVERYTHING, cause=AdjustmentCause.REBUILT, reason="A sample.", now=NOW)
    assert all(isinstance(one, KeyDifference) for one in found)
    assert inputs() == {"other": 0, "web": 100}


def test_labels_beyond_the_limit_count_without_a_key(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering.key_hours, "KEYS_MAX", 2)
    rolled(cast, *(event(f"e-{number}", key=f"request-{number}") for number in range(5)))
    assert UsageKey.objects.count() == 2
    assert sum(inputs().values()) == 200
    assert sum(by_view().values()) == 500
    assert by_view()[None] == 300
    assert event_differences(**EVERYTHING) == []


@pytest.mark.django_db(transaction=True)
def test_events_are_in_both_or_in_none(cast: Cast) -> None:
    send(cast.tenant, event("a", key="web"))
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: roll_up_events(now=NOW))
    assert not KeyHour.objects.exists()
    assert roll_up_events(now=NOW) == 1
    assert inputs() == {"web": 100}


def test_the_database_keeps_what_an_hour_is_about(cast: Cast) -> None:
    rolled(cast, event("a", key="web"))
    for change in ("UPDATE metering_keyhour SET model = 'x'", "DELETE FROM metering_keyhour"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)


def test_nothing_asks_nothing(cast: Cast) -> None:
    assert ensure_keys([], NOW) == {}
    assert add_key_hours([], NOW) == 0
    rolled(cast, event("a"))
    assert not UsageKey.objects.exists()
