"""Taking usage events in: each judged by itself, each counted once, whoever sends it how often."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction

from clusters.models import Binding, Deployment
from metering.event_items import EVENTS_BYTES_MAX, EVENTS_MAX
from metering.event_marks import text_of
from metering.events import EventsTaken, EventsTooLarge, EventsUnreadable, ingest_events
from metering.models import EventConflict, IngestCount
from metering.rollup_events import roll_up_events
from tests.factories import EPOCH, make_cluster, make_deployment, make_endpoint, make_node
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON, kill_before_commit, total
from tests.metering.stored import counts_of, how_many, stored_events

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.models import Organization
    from tests.factories import Cast

NOW = NOON + timedelta(minutes=1)


def event(event_id: str = "e-1", **fields: object) -> dict[str, object]:
    made: dict[str, object] = {
        "id": event_id,
        "source": "gateway-1",
        "occurred_at": "2026-03-10T12:00:00Z",
        "model": MODEL,
        "input": 100,
        "output": 20,
    }
    return {name: value for name, value in {**made, **fields}.items() if value is not ...}


def send(reporter: Organization, *events: object, **kwargs: Any) -> EventsTaken:
    return ingest_events(reporter=reporter, payload=json.dumps(events).encode(), now=kwargs.get("now", NOW))


def outcome(taken: EventsTaken) -> tuple[int, int, int, list[tuple[int, str, str]]]:
    return (
        taken.accepted,
        taken.duplicates,
        taken.conflicts,
        [(one.index, one.code, one.field) for one in taken.rejected],
    )


def counted(reporter: Organization) -> dict[str, int]:
    return dict(IngestCount.objects.filter(reporter=str(reporter.id), kind="event").values_list("outcome", "count"))


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_an_event_is_stored_with_everything_it_says(cast: Cast) -> None:
    full = event(cached_input="17", cache_write=3, reasoning=20, key="team-a", occurred_at="2026-03-10T13:00:00+01:00")
    assert outcome(send(cast.tenant, full)) == (1, 0, 0, [])
    stored = stored_events()["e-1"]
    assert (stored.reporter_id, stored.tenant_id, stored.deployment_id) == (cast.tenant.id, cast.tenant.id, None)
    assert (stored.source, stored.event_id, stored.model, stored.key) == ("gateway-1", "e-1", MODEL, "team-a")
    assert counts_of(stored) == {"input": 100, "cached_input": 17, "cache_write": 3, "output": 20, "reasoning": 20}
    assert (stored.numbers["samples"], stored.numbers["aborted"]) == (1, 0)
    assert (stored.occurred_at, stored.received_at) == (NOON, NOW)
    assert how_many() == (1, 1, 1)
    assert counted(cast.tenant) == {"accepted": 1}


def test_marks_and_other_quantities_are_stored_and_are_content(cast: Cast) -> None:
    said: dict[str, Any] = {"marks": ["test", "batch"], "quantities": {"images": "2", "steps": 30}, "status": "failed"}
    assert outcome(send(cast.tenant, event(**said))) == (1, 0, 0, [])
    stored = stored_events()["e-1"].numbers
    assert (stored["images"], stored["steps"], stored["audio_seconds"]) == (2, 30, 0)
    assert text_of(stored["marks"]) == "batch+failed+test"
    again = {**said, "marks": ["batch", "test", "test"], "quantities": {"steps": "30", "images": 2}}
    assert outcome(send(cast.tenant, event(**again))) == (0, 1, 0, [])
    assert outcome(send(cast.tenant, event(**{**said, "marks": ["batch"]}))) == (0, 0, 1, [])
    kept = EventConflict.objects.get().content
    assert (kept["marks"], kept["images"], kept["steps"]) == ("batch+failed", "2", "30")


def test_the_same_event_again_is_a_duplicate_however_it_is_spelled(cast: Cast) -> None:
    send(cast.tenant, event())
    again = event(input="100", occurred_at="2026-03-10T14:00:00+02:00", tenant=cast.tenant.slug, cached_input=0)
    assert outcome(send(cast.tenant, again, event())) == (0, 2, 0, [])
    assert how_many() == (1, 1, 1)
    assert counted(cast.tenant) == {"accepted": 1, "duplicate": 2}


def test_the_same_id_with_other_content_is_kept_aside_as_a_conflict(cast: Cast) -> None:
    send(cast.tenant, event())
    for _ in range(2):
        assert outcome(send(cast.tenant, event(output=21))) == (0, 0, 1, [])
    kept = EventConflict.objects.get()
    assert (kept.event_id, kept.content["output"]) == ("e-1", "21")
    assert stored_events()["e-1"].numbers["output"] == 20


def test_within_one_call_the_first_stands(cast: Cast) -> None:
    taken = send(cast.tenant, event(), event(), event(output=21), event("e-2"))
    assert outcome(taken) == (2, 1, 1, [])
    assert stored_events()["e-1"].numbers["output"] == 20


def test_ids_are_unique_per_reporter_and_source_only(cast: Cast) -> None:
    send(cast.tenant, event(), event(source="gateway-2"))
    assert outcome(send(cast.outsider, event())) == (1, 0, 0, [])
    assert how_many() == (3, 3, 3)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"id": ...}, "missing", "id"),
    ({"source": ...}, "missing", "source"),
    ({"occurred_at": ...}, "missing", "occurred_at"),
    ({"model": ...}, "missing", "model"),
    ({"input": ...}, "missing", "input"),
    ({"output": ...}, "missing", "output"),
    ({"prompt": "secret words"}, "unknown_field", "prompt"),
    ({"id": ""}, "bad_length", "id"),
    ({"id": "i" * 201}, "bad_length", "id"),
    ({"id": 7}, "wrong_type", "id"),
    ({"input": None}, "wrong_type", "input"),
    ({"input": True}, "wrong_type", "input"),
    ({"input": -1}, "negative", "input"),
    ({"output": "-1"}, "negative", "output"),
    ({"input": 1.5}, "fractional", "input"),
    ({"input": "1.5"}, "fractional", "input"),
    ({"input": "ten"}, "not_a_number", "input"),
    ({"input": ""}, "not_a_number", "input"),
    ({"input": "١٢"}, "not_a_number", "input"),
    ({"input": 2**53 - 1}, "absurd", "input"),
    ({"input": 2**63}, "absurd", "input"),
    ({"cache_write": 10**18}, "absurd", "cache_write"),
    ({"cached_input": 101}, "cached_exceeds_input", "cached_input"),
    ({"reasoning": 21}, "reasoning_exceeds_output", "reasoning"),
    ({"occurred_at": "yesterday"}, "bad_time", "occurred_at"),
    ({"occurred_at": "2026-03-10T12:00:00"}, "bad_time", "occurred_at"),
    ({"occurred_at": 1_773_144_000}, "bad_time", "occurred_at"),
    ({"occurred_at": "1970-01-01T00:00:00Z"}, "bad_time", "occurred_at"),
    ({"occurred_at": "2026-03-10T12:06:01Z"}, "time_in_future", "occurred_at"),
    ({"tenant": "outsider"}, "unknown_tenant", "tenant"),
    ({"tenant": "nobody"}, "unknown_tenant", "tenant"),
    ({"deployment": "nowhere"}, "unknown_deployment", "deployment"),
    ({"key": "a\0b"}, "bad_character", ""),
    ({"marks": ["batch", "priority"]}, "contradiction", "marks"),
    ({"marks": ["interrupted"]}, "wrong_type", "marks[0]"),
    ({"marks": "batch"}, "wrong_type", "marks"),
    ({"status": "lost"}, "wrong_type", "status"),
    ({"quantities": {"images": -1}}, "negative", "quantities.images"),
    ({"quantities": {"images": 10**18}}, "absurd", "quantities.images"),
    ({"quantities": {"steps": "1.5"}}, "fractional", "quantities.steps"),
    ({"quantities": {"steps": "ten"}}, "not_a_number", "quantities.steps"),
    ({"quantities": {"tokens": 1}}, "wrong_type", "quantities"),
]


@pytest.mark.parametrize(
    ("fields", "code", "field"), BAD, ids=[f"{number}-{code}" for number, (_, code, _) in enumerate(BAD)]
)
def test_a_bad_event_is_rejected_by_itself(cast: Cast, fields: dict[str, Any], code: str, field: str) -> None:
    taken = send(cast.tenant, event("before"), event(**fields), event("after"))
    assert outcome(taken) == (2, 0, 0, [(1, code, field)])
    assert stored_events().keys() == {"before", "after"}
    assert counted(cast.tenant) == {"accepted": 2, f"rejected:{code}": 1}


@pytest.mark.parametrize("item", [None, 7, "text", [], [event()], {"id": {"deep": []}}])
def test_what_is_no_event_at_all_is_rejected_by_itself(cast: Cast, item: object) -> None:
    taken = send(cast.tenant, event(), item)
    assert (taken.accepted, len(taken.rejected), taken.rejected[0].index) == (1, 1, 1)


def test_outcomes_add_up_to_what_was_sent(cast: Cast) -> None:
    send(cast.tenant, event("known"), event("other"))
    sent = [event("known"), event("other", output=1), event("new"), event("new"), event("bad", input=-1), 7]
    taken = send(cast.tenant, *sent)
    assert taken.accepted + taken.duplicates + taken.conflicts + len(taken.rejected) == len(sent)
    assert outcome(taken)[:3] == (1, 2, 1)


@pytest.mark.parametrize("payload", [b"", b"{}", b"null", b"[", b"[]", b"\xff", b'{"events": []}', b"[" * 100_000])
def test_a_body_that_is_no_list_of_events_is_refused_and_counted(cast: Cast, payload: bytes) -> None:
    with pytest.raises(EventsUnreadable):
        ingest_events(reporter=cast.tenant, payload=payload, now=NOW)
    assert counted(cast.tenant) == {"events_malformed": 1}


def test_too_many_events_or_bytes_are_refused(cast: Cast) -> None:
    with pytest.raises(EventsUnreadable):
        send(cast.tenant, *[7] * (EVENTS_MAX + 1))
    with pytest.raises(EventsTooLarge):
        ingest_events(reporter=cast.tenant, payload=b" " * (EVENTS_BYTES_MAX + 1), now=NOW)
    assert how_many() == (0, 0, 0)


def test_ten_thousand_events_are_one_call_with_few_queries(cast: Cast, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8):
        taken = send(cast.tenant, *(event(f"e-{number}") for number in range(EVENTS_MAX)))
    assert taken.accepted == EVENTS_MAX
    assert how_many() == (EVENTS_MAX,) * 3


def test_usage_of_nothing_is_zero_and_stays_zero(cast: Cast) -> None:
    send(cast.tenant, event(input=0, output=0))
    assert set(counts_of(stored_events()["e-1"]).values()) == {0}


def bind(deployment: Deployment, model: str, *, to_at: Any = None) -> None:
    node = make_node(make_cluster(deployment.provider, slug=f"cluster-{deployment.slug}"))
    Binding.objects.create(
        deployment=deployment, endpoint=make_endpoint(node, model), model=model, from_at=EPOCH, to_at=to_at
    )


def stored_deployment(event_id: str = "e-1") -> UUID | None:
    return stored_events()[event_id].deployment_id


def test_the_only_deployment_that_serves_the_model_gets_the_event(cast: Cast, deployment: Deployment) -> None:
    bind(deployment, MODEL)
    bind(make_deployment(cast.provider, cast.tenant), "other-model")
    send(cast.tenant, event())
    assert stored_deployment() == deployment.id


def test_of_two_that_serve_the_model_nobody_gets_it_unless_it_is_named(cast: Cast) -> None:
    deployments = [make_deployment(cast.provider, cast.tenant) for _ in range(2)]
    for deployment in deployments:
        bind(deployment, MODEL)
    send(cast.tenant, event())
    assert stored_deployment() is None
    send(cast.tenant, event("named", deployment=deployments[1].slug))
    assert stored_deployment("named") == deployments[1].id


def test_a_binding_that_ended_before_does_not_count(cast: Cast) -> None:
    bind(make_deployment(cast.provider, cast.tenant), MODEL, to_at=NOON)
    send(cast.tenant, event())
    assert stored_deployment() is None


def test_a_deployment_without_endpoints_serves_gateways_only(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event())
    assert stored_deployment() == deployment.id


def test_a_provider_reports_for_tenants_it_serves_and_no_others(cast: Cast, deployment: Deployment) -> None:
    elsewhere = make_deployment(cast.outsider, cast.tenant)
    taken = send(
        cast.provider,
        event("1", tenant=cast.tenant.slug),
        event("2", tenant=cast.outsider.slug),
        event("3"),
        event("4", tenant=cast.tenant.slug, deployment=elsewhere.slug),
    )
    assert outcome(taken) == (
        1,
        0,
        0,
        [(1, "unknown_tenant", "tenant"), (2, "missing", "tenant"), (3, "unknown_deployment", "deployment")],
    )
    stored = stored_events()["1"]
    assert (stored.tenant_id, stored.deployment_id) == (cast.tenant.id, deployment.id)
    assert stored.reporter_id == cast.provider.id


def test_the_operator_reports_for_any_tenant(cast: Cast, deployment: Deployment) -> None:
    taken = send(
        cast.operator, event("1", tenant=cast.tenant.slug, deployment=deployment.slug), event("2", tenant="provider")
    )
    assert outcome(taken) == (1, 0, 0, [(1, "unknown_tenant", "tenant")])


@pytest.mark.django_db(transaction=True)
def test_many_callers_with_the_same_events_at_once_store_each_once(cast: Cast) -> None:
    """G33: every event is sent several times, shuffled, in calls that overlap at the same time."""
    batches = [[event(f"e-{number}") for number in range(start, start + 200)] for start in range(0, 400, 50)]

    def deliver(seed: int) -> int:
        try:
            mine = list(batches[seed % len(batches)])
            Random(seed).shuffle(mine)
            return send(cast.tenant, *mine).accepted
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(deliver, range(24)))
    distinct = {one["id"] for batch in batches for one in batch}
    assert accepted == len(distinct)
    assert how_many() == (accepted,) * 3
    assert stored_events().keys() == distinct
    assert EventConflict.objects.count() == 0
    assert sum(counted(cast.tenant).values()) == 24 * 200
    assert roll_up_events(now=NOW) == len(distinct)
    assert total(quantity="input") == 100 * len(distinct)


@pytest.mark.django_db(transaction=True)
def test_two_callers_with_one_id_and_two_contents_give_one_event_and_one_conflict(cast: Cast) -> None:
    def deliver(output: int) -> EventsTaken:
        try:
            return send(cast.tenant, event(output=output))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(deliver, [1, 2]))
    assert sorted(one.accepted for one in taken) == [0, 1]
    assert sorted(one.conflicts for one in taken) == [0, 1]
    assert how_many() == (1, 1, 1)
    assert EventConflict.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_before_the_commit_leaves_neither_event_nor_queue(cast: Cast) -> None:
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: send(cast.tenant, event()))
    assert how_many() == (0, 0, 0)
    assert send(cast.tenant, event()).accepted == 1


@pytest.mark.parametrize("table", ["metering_eventcall", "metering_eventconflict"])
@pytest.mark.parametrize("change", ["UPDATE {} SET received_at = now()", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_events(cast: Cast, table: str, change: str) -> None:
    send(cast.tenant, event(), event(output=21))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(table))


@pytest.mark.parametrize("table", ["metering_batch", "metering_eventcall", "metering_eventconflict"])
def test_the_database_refuses_to_empty_what_is_append_only(cast: Cast, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_truncate")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_truncate")
