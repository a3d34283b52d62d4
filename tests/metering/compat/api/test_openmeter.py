"""OpenMeter's events, as its clients see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from metering.compat.api.openmeter import BYTES_MAX
from metering.models import EventConflict
from tests.factories import make_deployment
from tests.metering.compat.callers import Program, counted
from tests.metering.compat.test_cloudevents import cloud_event
from tests.metering.stored import how_many, stored_events

if TYPE_CHECKING:
    from tests.factories import Cast

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
EVENTS = "openmeter/api/v1/events"


@pytest.fixture
def provider(cast: Cast) -> Program:
    make_deployment(cast.provider, cast.tenant)
    return Program(cast.provider)


def test_an_event_is_204_without_a_body_and_so_is_its_repetition(provider: Program) -> None:
    for _ in range(2):
        answer = provider.post(EVENTS, cloud_event(), SINGLE)
        assert (answer.status_code, answer.content) == (204, b"")
    stored = stored_events()["chatcmpl-1"]
    assert (stored.source, stored.numbers["input"], stored.numbers["output"]) == ("litellm-proxy", 10, 5)
    assert counted(provider.key.organization) == {"openmeter:accepted": 1, "openmeter:duplicates": 1}


def test_a_batch_with_events_that_match_no_meter_is_204_and_they_are_counted(provider: Program) -> None:
    body = [cloud_event(), cloud_event(id="2", data={"pages": 1}), cloud_event(id="3", subject="acct-9")]
    assert provider.post(EVENTS, body, BATCH).status_code == 204
    assert counted(provider.key.organization) == {
        "openmeter:accepted": 1,
        "openmeter:held": 1,
        "openmeter:rejected:missing": 1,
    }


def test_a_cache_hit_reuses_the_id_and_is_kept_apart_not_counted(provider: Program) -> None:
    provider.post(EVENTS, cloud_event(), SINGLE)
    assert provider.post(EVENTS, cloud_event(time="2026-03-10T11:05:00Z"), SINGLE).status_code == 204
    assert how_many()[0] == 1
    assert EventConflict.objects.count() == 1


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/cloudevents+json; charset=utf-8", cloud_event()),
        (SINGLE, {"id": "x"}),
        (SINGLE, b"{"),
        (BATCH, []),
    ],
)
def test_a_bad_body_is_a_problem_in_openmeters_words(provider: Program, media: str, body: object) -> None:
    answer = provider.post(EVENTS, body, media)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert set(told) == {"type", "title", "status", "detail", "instance"}
    assert (told["type"], told["title"], told["status"]) == ("about:blank", "Bad Request", 400)
    assert told["instance"].startswith("urn:request:local/")
    assert counted(provider.key.organization) == {"openmeter:invalid_events": 1}


def test_keys_scopes_methods_and_sizes(cast: Cast, provider: Program) -> None:
    reader = Program(cast.provider, "usage:read")
    assert reader.post(EVENTS, cloud_event(), SINGLE).status_code == 403
    assert provider.get(EVENTS, Authorization="Bearer fk_wrong").status_code == 401
    refused = provider._client.delete(f"/compat/{EVENTS}")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")
    assert provider.post(EVENTS, b" " * (BYTES_MAX + 1), SINGLE).status_code == 413
    assert provider.get(f"{EVENTS}?subject=%00").status_code == 400
    assert how_many()[0] == 0


def test_events_are_listed_with_those_that_wait(provider: Program) -> None:
    at = timezone.now().isoformat()
    body = [cloud_event(time=at), cloud_event(id="2", time=at, subject="acct-9"), cloud_event(id="old")]
    provider.post(EVENTS, body, BATCH)
    found = provider.get(EVENTS).json()
    assert {one["event"]["id"] for one in found} == {"chatcmpl-1", "2"}
    listed = {one["event"]["id"]: one for one in found}
    assert "validationError" in listed["2"]
    assert "validationError" not in listed["chatcmpl-1"]
    assert listed["chatcmpl-1"]["event"]["data"]["input_tokens"] == 10
    assert listed["chatcmpl-1"]["event"]["subject"] == "tenant"
    assert len(provider.get(f"{EVENTS}?subject=acct-9").json()) == 1
    assert len(provider.get(f"{EVENTS}?limit=1").json()) == 1
    assert [one["event"]["id"] for one in provider.get(f"{EVENTS}?from=2026-03-01T00:00:00Z&id=old").json()] == ["old"]
    for wrong in ("limit=0", "limit=101", f"limit={'9' * 5_000}", "from=soon", "from=0001-01-01T00:00:00Z"):
        assert provider.get(f"{EVENTS}?{wrong}").status_code == 400


def test_another_organization_sees_none_of_it(cast: Cast, provider: Program) -> None:
    provider.post(EVENTS, cloud_event(time=timezone.now().isoformat()), SINGLE)
    assert Program(cast.outsider).get(EVENTS).json() == []
