"""LiteLLM's call logs: three body shapes, the split of tokens, and nothing of what was said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.compat.litellm_logs import NotLogs, Read, read_logs
from metering.compat.reports import Report
from tests.examples import examples

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ENDED = datetime(2026, 3, 10, 11, tzinfo=UTC)
SECRET = "the patient's name is"


def call_log(**changes: Any) -> dict[str, Any]:
    """One StandardLoggingPayload, with the members that matter and those that must never be kept."""
    return {
        "id": "chatcmpl-1",
        "litellm_call_id": "call-1",
        "call_type": "acompletion",
        "status": "success",
        "response_cost": 1.2e-5,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "startTime": ENDED.timestamp() - 2,
        "endTime": ENDED.timestamp(),
        "model": "openai/upstream",
        "model_group": "sample-model",
        "end_user": "tenant",
        "requester_ip_address": "192.0.2.7",
        "messages": [{"role": "user", "content": SECRET}],
        "response": {"choices": [{"message": {"content": SECRET}}]},
        "model_parameters": {"stop": SECRET},
        "metadata": {
            "user_api_key_hash": "h",
            "user_api_key_team_id": "team",
            "usage_object": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
        },
        "cache_hit": None,
        **changes,
    }


def read(*logs: dict[str, Any]) -> Read:
    return read_logs(json.dumps(list(logs)).encode(), NOW)


def test_a_call_is_a_report_with_its_split() -> None:
    (found,) = read(call_log()).reports
    assert found == Report("litellm", "call-1", ENDED, "tenant", "sample-model", (10, 4, 0, 5, 2))


def test_nothing_that_was_said_is_in_what_is_read() -> None:
    found = read(call_log(), call_log(status="failure", prompt_tokens=0, completion_tokens=0, metadata=None))
    assert SECRET not in repr(found)
    assert "192.0.2.7" not in repr(found)


def test_an_array_lines_and_one_alone_are_the_same() -> None:
    two = [call_log(), call_log(litellm_call_id="call-2")]
    array = read_logs(json.dumps(two).encode(), NOW)
    lines = read_logs("\n".join(map(json.dumps, two)).encode() + b"\n", NOW)
    assert array == lines
    assert len(array.reports) == 2
    assert read_logs(json.dumps(two[0]).encode(), NOW).reports == array.reports[:1]
    assert read_logs(json.dumps(two[0], indent=1).encode(), NOW).reports == array.reports[:1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cache_hit": True}, "cache_hit"),
        ({"cache_hit": "True"}, "cache_hit"),
        ({"status": "failure", "prompt_tokens": 0, "completion_tokens": 0}, "failed_call"),
        ({"litellm_call_id": None, "id": None}, "missing"),
        ({"model": None, "model_group": None}, "missing"),
        ({"prompt_tokens": 1.5}, "not_a_number"),
        ({"metadata": 3}, "malformed"),
    ],
)
def test_what_is_no_usage_is_counted_by_its_reason(changes: dict[str, Any], code: str) -> None:
    found = read(call_log(**changes), call_log())
    assert [one.code for one in found.unusable] == [code]
    assert len(found.reports) == 1


def test_a_failed_call_that_made_tokens_is_usage() -> None:
    assert len(read(call_log(status="failure")).reports) == 1


def test_the_subject_is_the_end_user_or_whose_key_it_was() -> None:
    assert read(call_log(end_user="")).reports[0].subject == "team"
    assert read(call_log(end_user=None, metadata=None)).reports[0].subject == ""


def test_a_call_without_times_is_now() -> None:
    assert read(call_log(startTime=None, endTime="soon")).reports[0].occurred_at == NOW


@pytest.mark.parametrize("body", [b"", b"  ", b"[1", b"null", b"7", b"[" * 100_000])
def test_what_is_no_log_is_refused(body: bytes) -> None:
    with pytest.raises(NotLogs):
        read_logs(body, NOW)


def test_a_broken_line_leaves_the_others_alone() -> None:
    found = read_logs(b"\n".join([json.dumps(call_log()).encode(), b'{"id": }']), NOW)
    assert (len(found.reports), [one.code for one in found.unusable]) == (1, ["malformed"])


@settings(max_examples=examples(25))
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = read_logs(body, NOW)
    except NotLogs:
        return
    assert not [one for one in found.reports if not isinstance(one, Report)]
