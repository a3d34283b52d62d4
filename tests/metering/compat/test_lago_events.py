"""Lago's events and its words for what is wrong with one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.compat.lago_events import NotLagoEvents, Received, decode_event, decode_events, read_event
from metering.compat.reports import Report
from tests.examples import examples

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def lago_event(**changes: Any) -> dict[str, Any]:
    """One event as LiteLLM's callback sends it."""
    return {
        "transaction_id": "tx-1",
        "external_subscription_id": "tenant",
        "code": "tokens",
        "properties": {"model": "sample-model", "response_cost": 1e-6, "prompt_tokens": 10, "completion_tokens": 5},
        **changes,
    }


def read(**changes: Any) -> Any:
    return read_event(decode_event(json.dumps({"event": lago_event(**changes)}).encode()), NOW)


def test_an_event_is_a_report_at_its_receipt() -> None:
    found = read()
    assert isinstance(found, Received)
    assert found.item == Report("lago", "tx-1", NOW, "tenant", "sample-model", (10, 0, 0, 5, 0))


@pytest.mark.parametrize("given_at", [1_773_140_400, "1773140400", "1773140400.0", 1_773_140_400.0], ids=repr)
def test_a_timestamp_is_unix_seconds_in_any_spelling(given_at: object) -> None:
    found = read(timestamp=given_at)
    assert found.at == datetime(2026, 3, 10, 11, tzinfo=UTC)


def test_decimals_of_a_timestamp_are_milliseconds() -> None:
    assert read(timestamp="1773140400.1239").at.microsecond == 123_000


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"transaction_id": None}, {"transaction_id": ["value_is_mandatory"]}),
        ({"transaction_id": ""}, {"transaction_id": ["value_is_mandatory"]}),
        ({"code": None}, {"code": ["value_is_mandatory"]}),
        ({"timestamp": "today"}, {"timestamp": ["invalid_format"]}),
        ({"timestamp": "1e400"}, {"timestamp": ["invalid_format"]}),
        ({"timestamp": "NaN", "code": ""}, {"timestamp": ["invalid_format"], "code": ["value_is_mandatory"]}),
    ],
)
def test_what_is_wrong_is_said_in_lagos_words(changes: dict[str, Any], errors: dict[str, list[str]]) -> None:
    assert read(**changes) == errors


def test_older_senders_name_the_customer() -> None:
    found = read(external_subscription_id=None, external_customer_id="tenant")
    assert found.item.subject == "tenant"


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"events": []}'])
def test_a_body_without_its_root_says_what_lago_says(body: bytes) -> None:
    with pytest.raises(NotLagoEvents, match="param is missing or the value is empty: event"):
        decode_event(body)


def test_a_batch_is_a_list() -> None:
    found = decode_events(json.dumps({"events": [lago_event(), lago_event(transaction_id=2)]}).encode())
    assert [one.transaction_id for one in found] == ["tx-1", 2]


@settings(max_examples=examples(25))
@given(st.binary(max_size=200) | st.just(b"[" * 100_000))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for decode in (decode_event, decode_events):
        with pytest.raises(NotLagoEvents):
            decode(body)
