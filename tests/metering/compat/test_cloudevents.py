"""CloudEvents: taken whole or refused whole, by the exact media type."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.compat.cloudevents import BATCH, PLAIN, SINGLE, NotCloudEvents, read_cloud_events, read_instant
from metering.compat.reports import Report, Unusable
from tests.examples import examples

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def cloud_event(**changes: Any) -> dict[str, Any]:
    """One event as LiteLLM's callback sends it."""
    return {
        "specversion": "1.0",
        "type": "litellm_tokens",
        "id": "chatcmpl-1",
        "time": "2026-03-10T11:00:00.1+00:00",
        "subject": "tenant",
        "source": "litellm-proxy",
        "data": {
            "model": "sample-model",
            "cost": 5.4e-06,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
        },
        **changes,
    }


def read(media: str, body: object) -> list[Report | Unusable]:
    return [one.item for one in read_cloud_events(media, json.dumps(body).encode(), NOW)]


def test_one_event_is_a_report() -> None:
    (found,) = read(SINGLE, cloud_event())
    at = datetime(2026, 3, 10, 11, 0, 0, 100_000, tzinfo=UTC)
    assert found == Report("litellm-proxy", "chatcmpl-1", at, "tenant", "sample-model", (10, 0, 0, 5, 0))


@pytest.mark.parametrize("event", [cloud_event(time=None), {k: v for k, v in cloud_event().items() if k != "time"}])
def test_an_event_without_a_time_is_of_now_and_says_so(event: object) -> None:
    (found,) = read(SINGLE, event)
    assert isinstance(found, Report)
    assert (found.occurred_at, found.timed) == (NOW, False)


@pytest.mark.parametrize("media", [SINGLE, PLAIN])
def test_one_event_alone_under_two_media_types(media: str) -> None:
    assert len(read(media, cloud_event())) == 1


@pytest.mark.parametrize("media", [BATCH, PLAIN])
def test_an_array_under_two_media_types(media: str) -> None:
    assert len(read(media, [cloud_event(), cloud_event(id="2")])) == 2


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/cloudevents+json; charset=utf-8", cloud_event()),
        ("", cloud_event()),
        (SINGLE, [cloud_event()]),
        (BATCH, cloud_event()),
        (PLAIN, []),
        (BATCH, []),
        (SINGLE, cloud_event(id="")),
        (SINGLE, cloud_event(subject=None)),
        (SINGLE, cloud_event(specversion="0.3")),
        (SINGLE, cloud_event(datacontenttype="text/plain")),
        (SINGLE, cloud_event(time="yesterday")),
        (SINGLE, cloud_event(data=[1])),
        (BATCH, [cloud_event(), {}]),
    ],
)
def test_what_is_none_is_refused_whole(media: str, body: object) -> None:
    with pytest.raises(NotCloudEvents):
        read(media, body)


def test_time_may_be_missing_and_then_is_now() -> None:
    (found,) = read(SINGLE, cloud_event(time=None))
    assert isinstance(found, Report)
    assert found.occurred_at == NOW


def test_an_instant_without_an_offset_is_utc() -> None:
    assert read_instant("2026-03-10T12:00:00") == NOW
    assert read_instant("2026-03-10T13:00:00+01:00") == NOW
    assert read_instant("9999-12-31T23:59:59-23:00") is None


def test_unknown_members_pass_and_an_event_that_is_no_usage_is_said_so() -> None:
    (found,) = read(SINGLE, cloud_event(traceparent="x", data={"pages": 3}))
    assert isinstance(found, Unusable)
    assert found.code == "missing"
    (found,) = read(SINGLE, cloud_event(data={"model": "m", "pages": 3}))
    assert isinstance(found, Unusable)
    assert found.code == "no_tokens"


@settings(max_examples=examples(25))
@given(st.binary(max_size=200) | st.just(b"[" * 100_000))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for media in (SINGLE, BATCH, PLAIN):
        with pytest.raises(NotCloudEvents):
            read_cloud_events(media, body, NOW)
