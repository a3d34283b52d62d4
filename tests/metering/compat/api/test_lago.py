"""Lago's events, as its clients see them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from metering.compat.lago_events import BATCH_EVENTS_MAX
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.compat.callers import Program, counted
from tests.metering.compat.test_lago_events import lago_event
from tests.metering.stored import how_many, stored_events

if TYPE_CHECKING:
    from tests.factories import Cast

EVENTS = "lago/api/v1/events"
UNPROCESSABLE = {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors"}
EXISTS = {"transaction_id": ["value_already_exist"]}


@pytest.fixture
def provider(cast: Cast) -> Program:
    make_deployment(cast.provider, cast.tenant)
    return Program(cast.provider)


def test_an_event_is_200_with_the_event(provider: Program) -> None:
    answer = provider.post(EVENTS, {"event": lago_event(timestamp="1773140400.5")})
    assert answer.status_code == 200
    event = answer.json()["event"]
    assert list(event) == [
        "lago_id",
        "transaction_id",
        "lago_customer_id",
        "code",
        "timestamp",
        "precise_total_amount_cents",
        "properties",
        "lago_subscription_id",
        "external_subscription_id",
        "created_at",
    ]
    assert (event["transaction_id"], event["code"]) == ("tx-1", "tokens")
    assert event["timestamp"] == "2026-03-10T11:00:00.500Z"
    assert event["external_subscription_id"] == "tenant"
    assert [one.numbers["input"] for one in stored_events().values()] == [10]
    shown = provider.get(f"{EVENTS}/tx-1").json()["event"]
    assert (shown["lago_id"], shown["timestamp"]) == (event["lago_id"], event["timestamp"])


def test_a_transaction_id_is_used_once(provider: Program) -> None:
    body = {"event": lago_event()}
    provider.post(EVENTS, body)
    answer = provider.post(EVENTS, body)
    assert (answer.status_code, answer.json()) == (422, {**UNPROCESSABLE, "error_details": EXISTS})
    assert how_many()[0] == 1


def test_errors_to_the_letter(cast: Cast, provider: Program) -> None:
    answer = provider.post(EVENTS, {"evnt": 1})
    told = "BadRequest: param is missing or the value is empty: event"
    assert (answer.status_code, answer.json()) == (400, {"status": 400, "error": told})
    answer = provider.get(EVENTS, Authorization="Bearer nobody")
    assert (answer.status_code, answer.json()) == (401, {"status": 401, "error": "Unauthorized"})
    answer = Program(cast.provider, "usage:read").post(EVENTS, {"event": lago_event()})
    forbidden = {"status": 403, "error": "Forbidden", "code": "write_action_not_allowed_for_event"}
    assert (answer.status_code, answer.json()) == (403, forbidden)
    answer = provider.get(f"{EVENTS}/nowhere")
    assert answer.json() == {"status": 404, "error": "Not Found", "code": "event_not_found"}
    assert answer.status_code == 404
    answer = provider.post(EVENTS, {"event": lago_event(timestamp="soon")})
    assert answer.json() == {**UNPROCESSABLE, "error_details": {"timestamp": ["invalid_format"]}}
    assert provider._client.put(f"/compat/{EVENTS}").status_code == 405


def test_a_batch_is_taken_whole_or_not_at_all(provider: Program) -> None:
    path = f"{EVENTS}/batch"
    answer = provider.post(path, {"events": []})
    assert answer.json() == {**UNPROCESSABLE, "error_details": {"events": ["no_events"]}}
    many = [lago_event(transaction_id=f"m-{number}") for number in range(BATCH_EVENTS_MAX + 1)]
    answer = provider.post(path, {"events": many})
    assert answer.json() == {**UNPROCESSABLE, "error_details": {"events": ["too_many_events"]}}
    provider.post(EVENTS, {"event": lago_event()})
    mixed = [lago_event(transaction_id="b-1"), lago_event(), lago_event(transaction_id="b-1"), lago_event(code=None)]
    answer = provider.post(path, {"events": mixed})
    details = {"1": EXISTS, "2": EXISTS, "3": {"code": ["value_is_mandatory"]}}
    assert (answer.status_code, answer.json()) == (422, {**UNPROCESSABLE, "error_details": details})
    assert how_many()[0] == 1
    answer = provider.post(path, {"events": many[:BATCH_EVENTS_MAX]})
    assert answer.status_code == 200
    assert len(answer.json()["events"]) == BATCH_EVENTS_MAX
    assert how_many()[0] == 1 + BATCH_EVENTS_MAX


def test_what_matches_nothing_is_taken_and_seen(provider: Program) -> None:
    assert provider.post(EVENTS, {"event": lago_event(properties={"pages": 1})}).status_code == 200
    held = lago_event(transaction_id="tx-2", external_subscription_id="sub_9")
    assert provider.post(EVENTS, {"event": held}).status_code == 200
    assert provider.post(EVENTS, {"event": held}).status_code == 422
    found = counted(provider.key.organization)
    assert (found["lago:held"], found["lago:rejected:missing"]) == (1, 1)
    assert provider.get(f"{EVENTS}/tx-2").json()["event"]["external_subscription_id"] == "sub_9"


def test_events_are_listed_by_pages(provider: Program) -> None:
    for number in range(3):
        provider.post(EVENTS, {"event": lago_event(transaction_id=f"p-{number}")})
    listed = provider.get(f"{EVENTS}?per_page=2&page=2").json()
    assert len(listed["events"]) == 1
    assert listed["meta"] == {
        "current_page": 2,
        "next_page": None,
        "prev_page": 1,
        "total_pages": 2,
        "total_count": 3,
    }
    assert provider.get(f"{EVENTS}?timestamp_from=99999999999").json()["events"] == []
    assert provider.get(f"{EVENTS}?page={'9' * 5_000}").json()["meta"]["current_page"] == 1
    assert provider.get(f"{EVENTS}?page=x&timestamp_to=soon").json()["meta"]["total_count"] == 3


def test_one_event_is_found_by_its_key_and_not_by_reading_all(provider: Program) -> None:
    for number in range(3):
        provider.post(EVENTS, {"event": lago_event(transaction_id=f"k-{number}")})
    with CaptureQueriesContext(connection) as queries:
        assert provider.get(f"{EVENTS}/k-1").json()["event"]["transaction_id"] == "k-1"
        assert provider.get(f"{EVENTS}/k-9").status_code == 404
    read = [one["sql"] for one in queries if '"metering_eventcall"' in one["sql"]]
    assert len(read) == 1
    assert 'last_at" >=' not in read[0]


def test_current_usage_is_the_months_tokens_without_a_price(cast: Cast, provider: Program) -> None:
    for number in range(2):
        provider.post(EVENTS, {"event": lago_event(transaction_id=f"u-{number}")})
    roll_up_events(now=timezone.now() + timedelta(seconds=1))
    path = "lago/api/v1/customers/tenant/current_usage?external_subscription_id=tenant"
    usage = provider.get(path).json()["customer_usage"]
    assert usage["amount_cents"] is None
    charges = {one["billable_metric"]["code"]: one for one in usage["charges_usage"]}
    assert (charges["input_tokens"]["units"], charges["output_tokens"]["units"]) == ("20.0", "10.0")
    assert charges["input_tokens"]["events_count"] == 2
    assert charges["input_tokens"]["grouped_usage"][0]["grouped_by"] == {"model": "sample-model"}
    nobody = {"status": 404, "error": "Not Found", "code": "customer_not_found"}
    assert provider.get("lago/api/v1/customers/nobody/current_usage").json() == nobody
    assert Program(cast.outsider).get("lago/api/v1/customers/tenant/current_usage").status_code == 404
