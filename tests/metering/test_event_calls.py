"""Reading stored events: by name, the newest, by the minute, those that wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from metering import event_calls
from metering.event_calls import find_event, known_ids, minutes_of, newest_events, rolled_totals, waiting_events
from metering.event_models import EventCall
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.fleet import MODEL, NOON
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from tests.factories import Cast

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def at(seconds: int) -> str:
    return (NOON + seconds * SECOND).isoformat()


def test_an_event_is_found_by_its_name(cast: Cast) -> None:
    send(cast.tenant, event("e-1"), event("e-2", output=7, key="team"), event("e-2", source="gateway-2"))
    found = find_event(reporter_id=cast.tenant.id, source="gateway-1", event_id="e-2")
    assert found is not None
    assert (found.numbers["output"], found.key, found.source, found.occurred_at) == (7, "team", "gateway-1", NOON)
    assert find_event(reporter_id=cast.outsider.id, source="gateway-1", event_id="e-2") is None
    assert find_event(reporter_id=cast.tenant.id, source="gateway-1", event_id="e-3") is None


def test_which_ids_are_known(cast: Cast) -> None:
    send(cast.tenant, event("e-1"), event("e-2", source="gateway-2"))
    asked: dict[str, Any] = {"reporter_id": cast.tenant.id, "event_ids": ["e-1", "e-2", "e-3"]}
    assert known_ids(source="gateway-1", **asked) == {"e-1"}
    assert known_ids(source="gateway-2", **asked) == {"e-2"}


def test_the_newest_are_listed_first_over_calls_that_overlap(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_calls, "LISTED_CALLS", 1)
    later = NOON + timedelta(minutes=10)
    for first in range(3):
        send(cast.tenant, *(event(f"e-{second}", occurred_at=at(second)) for second in range(first, 30, 3)), now=later)
    send(cast.outsider, event("other", occurred_at=at(99)), now=later)

    def listed(limit: int, from_s: int = 0, to_s: int = 60, wanted: str = "") -> list[str]:
        found = newest_events(
            reporter_id=cast.tenant.id,
            from_at=NOON + from_s * SECOND,
            to_at=NOON + to_s * SECOND,
            wanted=lambda one: wanted in one.event_id,
            limit=limit,
        )
        return [one.event_id for one in found]

    assert listed(4) == ["e-29", "e-28", "e-27", "e-26"]
    assert listed(2, to_s=20) == ["e-19", "e-18"]
    assert listed(9, from_s=28) == ["e-29", "e-28"]
    assert listed(1, wanted="7") == ["e-27"]


def test_a_minute_is_summed_for_tenant_reporter_and_provider(cast: Cast) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, event("1"), event("2", occurred_at=at(59)), event("3", occurred_at=at(60)))
    send(cast.operator, event("4", tenant=cast.tenant.slug, deployment=deployment.slug))
    send(cast.outsider, event("5"))
    minute = (NOON, cast.tenant.id, MODEL, deployment.id)
    for organization, requests in ((cast.tenant, 3), (cast.provider, 3), (cast.operator, 1)):
        found = minutes_of(organization.id, NOON, NOON + 60 * SECOND)
        assert found.keys() == {minute}
        assert (found[minute]["requests"], found[minute]["input"]) == (requests, 100 * requests)
    assert minutes_of(cast.outsider.id, NOON, NOON + SECOND).keys() == {(NOON, cast.outsider.id, MODEL, None)}
    assert len(minutes_of(cast.tenant.id, NOON, NOON + DAY)) == 2


def test_only_what_was_rolled_up_is_in_the_totals(cast: Cast) -> None:
    send(cast.tenant, event("1"), event("2", source="gateway-2", output=1))
    roll_up_events(now=NOON)
    send(cast.tenant, event("3"))
    count, totals = rolled_totals()
    assert count == 2
    assert {source: sums["output"] for (_, source, _), sums in totals.items()} == {"gateway-1": 20, "gateway-2": 1}
    assert waiting_events(before=NOON + SECOND, tenant_id=cast.tenant.id) == 1


def test_many_calls_are_read_some_at_a_time(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_calls, "READ_CALLS", 2)
    for number in range(5):
        send(cast.tenant, event(f"e-{number}"))
    roll_up_events(now=NOON)
    assert EventCall.objects.count() == 5
    assert rolled_totals()[0] == 5
