"""The API of metering over HTTP: batches, events, usage, gaps, residuals; and who sees nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Signal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from metering.ingest import Sent
from metering.models import Batch, IngestCount, NodeCursor
from metering.rollup_events import roll_up_events
from metering.wire import BATCH_BYTES_MAX
from tenants.api_keys import issue_key
from tests.factories import make_deployment, make_endpoint
from tests.metering.fleet import (
    MODEL,
    NOON,
    NOON_MS,
    URL,
    FakeAgent,
    column,
    make_agent,
    meter,
    roll_up,
)
from tests.metering.stored import how_many
from tests.metering.test_events import event, send
from tests.metering.test_ingest import outcome

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

WINDOW = "from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00Z"


def program(organization: Organization, *scopes: str) -> dict[str, str]:
    issued = issue_key(organization=organization, name="sample", scopes=scopes, actor="test", now=timezone.now())
    return {"Authorization": f"Bearer {issued.secret}"}


def reader(organization: Organization) -> dict[str, str]:
    return program(organization, "usage:read")


def get(path: str, headers: dict[str, str]) -> Any:
    return Client().get(path, headers=headers)


def deliver(sent: Sent, **headers: str) -> Any:
    return Client().post(
        "/api/v1/batches",
        sent.body,
        content_type="application/json",
        headers={
            "Content-Encoding": sent.content_encoding,
            "Forecourt-Node": sent.node,
            "Forecourt-Signature": sent.signature,
            "Forecourt-Sent-At": timezone.now().isoformat(),
            **headers,
        },
    )


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    return make_agent(cast.provider)


@pytest.fixture
def used(cast: Cast, agent: FakeAgent) -> FakeAgent:
    """Two hours of engine usage of a deployment, and what the gateway reported of it."""
    make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    times = [NOON_MS + 600_000 * index for index in range(13)]
    agent.ship(column(meter(), [100 * index for index in range(13)], times), outcomes=[outcome(NOON_MS)])
    roll_up(agent.node)
    send_events(cast.tenant, [event(f"e-{number}", output=55) for number in range(10)])
    roll_up_events(now=NOON)
    return agent


def send_events(organization: Organization, events: object) -> Any:
    return Client().post(
        "/api/v1/events",
        json.dumps(events),
        content_type="application/json",
        headers=program(organization, "events:write"),
    )


def test_a_batch_is_taken_and_taken_again(agent: FakeAgent) -> None:
    sent = agent.seal(registers=[column(meter(), [1, 2], [NOON_MS, NOON_MS + 1])])
    first, again = deliver(sent), deliver(sent)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == {
        "seq": 1, "received": 2, "accepted": 2, "duplicates": 0, "conflicts": 0, "quarantined": 0, "next_seq": 2,
        "wire_version": 2,
    }  # fmt: skip
    assert abs(Batch.objects.get().clock_skew_ms or 0) < 60_000


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Forecourt-Node": "nobody"}, 404, "node_unknown"),
        ({"Forecourt-Signature": "QUJD"}, 401, "signature_invalid"),
        ({"Content-Encoding": "identity"}, 400, "batch_malformed"),
    ],
)
def test_a_refused_batch_says_why(agent: FakeAgent, headers: dict[str, str], status: int, code: str) -> None:
    response = deliver(agent.seal(), **headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert not Batch.objects.exists()


def test_a_batch_out_of_the_chain_is_told_what_is_expected(agent: FakeAgent) -> None:
    agent.seal()
    response = deliver(agent.seal())
    assert response.status_code == 409
    problem = response.json()
    assert (problem["code"], problem["expected_seq"], problem["expected_prev_hash"]) == ("out_of_chain", 1, "0" * 64)


def test_a_body_over_the_limit_is_413_and_counted(agent: FakeAgent) -> None:
    response = deliver(Sent(str(agent.node.id), b"\0" * (BATCH_BYTES_MAX + 1), "zstd", ""))
    assert (response.status_code, response.json()["code"]) == (413, "batch_too_large")
    assert IngestCount.objects.get().outcome == "batch_too_large"


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_the_database_cannot_take_now_is_asked_for_again(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    sent = agent.seal(registers=[column(meter(), [1], [NOON_MS])])
    holding, done = Signal(), Signal()

    def hold() -> None:
        try:
            with transaction.atomic():
                NodeCursor.objects.select_for_update().get(node=agent.node)
                holding.set()
                assert done.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holding.wait(30)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        try:
            response = deliver(sent)
        finally:
            done.set()
            connection.close()
        held.result()
    assert (response.status_code, response.json()["code"], response["Retry-After"]) == (503, "unavailable", "10")
    assert deliver(sent).status_code == 200


def test_only_post_delivers_batches(db: None) -> None:
    response = Client().get("/api/v1/batches")
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_events_are_answered_item_by_item(cast: Cast) -> None:
    response = send_events(cast.tenant, [event(), event(), event(output=3), event("bad", input=-1)])
    assert response.status_code == 200
    assert response.json() == {
        "accepted": 1,
        "duplicates": 1,
        "conflicts": 1,
        "rejected": [
            {"index": 3, "code": "negative", "field": "input", "detail": "Tokens cannot be negative."},
        ],
    }


def test_events_need_a_key_with_the_scope(cast: Cast) -> None:
    for headers in ({}, {"Authorization": "Bearer fk_wrong"}, reader(cast.tenant)):
        response = Client().post("/api/v1/events", "[]", content_type="application/json", headers=headers)
        assert response.status_code in {401, 403}
    assert how_many() == (0, 0, 0)


@pytest.mark.parametrize(("text", "status"), [("{", 400), ("[]", 400), (" " * (9 << 20), 413)])
def test_a_call_that_cannot_be_read_is_refused_as_a_whole(cast: Cast, text: str, status: int) -> None:
    response = Client().post(
        "/api/v1/events", text, content_type="application/json", headers=program(cast.tenant, "events:write")
    )
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"


def test_usage_is_summed_by_day_witness_and_class_in_strings(cast: Cast, used: FakeAgent) -> None:
    answer = get(f"/api/v1/usage?{WINDOW}", reader(cast.tenant)).json()
    assert (answer["granularity"], answer["tz"], answer["next_cursor"]) == ("day", "UTC", None)
    rows = {(row["witness"], row["class"]): row for row in answer["usage"]}
    assert rows["engine", "output"]["value"] == "1200"
    assert rows["gateway", "output"]["value"] == "550"
    assert rows["gateway", "input"]["value"] == "1000"
    assert rows["gateway", "requests"]["value"] == "10"
    assert rows["engine", "output"]["at"] == "2026-03-10T00:00:00Z"
    assert rows["engine", "output"]["model"] == MODEL


def test_usage_is_told_by_hour_in_a_zone_and_by_deployment(cast: Cast, used: FakeAgent) -> None:
    query = f"/api/v1/usage?{WINDOW}&granularity=hour&tz=Asia/Shanghai&group_by=deployment,class&witness=engine"
    rows = get(query, reader(cast.tenant)).json()["usage"]
    assert [(row["at"], row["value"]) for row in rows] == [
        ("2026-03-10T19:00:00+08:00", "0"),
        ("2026-03-10T20:00:00+08:00", "600"),
        ("2026-03-10T21:00:00+08:00", "600"),
    ]
    assert all(row["deployment"].startswith("deployment-") for row in rows)


def test_pages_follow_each_other_without_repeating(cast: Cast, used: FakeAgent) -> None:
    headers = reader(cast.tenant)
    query = f"/api/v1/usage?{WINDOW}&granularity=hour"
    whole = get(query, headers).json()["usage"]
    answer = get(f"{query}&limit=2", headers).json()
    paged = answer["usage"]
    while answer["next_cursor"]:
        answer = get(f"{query}&limit=2&cursor={answer['next_cursor']}", headers).json()
        assert 1 <= len(answer["usage"]) <= 2
        paged += answer["usage"]
    assert paged == whole
    assert len(whole) > 2


@pytest.mark.parametrize("path", ["usage", "usage/gaps", "usage/residuals"])
def test_charlie_sees_nothing_of_it(cast: Cast, used: FakeAgent, path: str) -> None:
    answer = get(f"/api/v1/{path}?{WINDOW}", reader(cast.outsider)).json()
    assert answer.get("usage", []) == answer.get("gaps", []) == answer.get("residuals", []) == []
    assert answer.get("silent", []) == []


@pytest.mark.parametrize("path", ["usage", "usage/gaps", "usage/residuals"])
def test_reading_needs_a_key_with_the_scope(cast: Cast, path: str) -> None:
    url = f"/api/v1/{path}?{WINDOW}"
    assert get(url, {}).status_code in {401, 403}
    assert get(url, program(cast.tenant, "events:write")).status_code == 403
    assert get(url, reader(cast.tenant)).status_code == 200


def test_gaps_are_for_the_provider_and_the_endpoints_tenant(cast: Cast, used: FakeAgent) -> None:
    for organization in (cast.provider, cast.tenant):
        answer = get(f"/api/v1/usage/gaps?{WINDOW}", reader(organization)).json()
        (gap,) = answer["gaps"]
        assert (gap["node"], gap["subject_id"], gap["reason"]) == (used.node.name, URL, "timeout")
        (silent,) = answer["silent"]
        assert (silent["node"], silent["to_at"], silent["reason"]) == (used.node.name, None, "silent")


def test_residuals_compare_the_witnesses(cast: Cast, used: FakeAgent) -> None:
    answer = get(f"/api/v1/usage/residuals?{WINDOW}&class=output", reader(cast.provider)).json()
    (row,) = answer["residuals"]
    assert (row["engine"], row["gateway"], row["difference"], row["unexplained"]) == ("1200", "550", "650", "650")
    assert row["at"] is None
    hourly = get(f"/api/v1/usage/residuals?{WINDOW}&class=output&granularity=hour", reader(cast.provider)).json()
    assert [one["difference"] for one in hourly["residuals"] if one["difference"] != "0"] == ["50", "600"]


WRONG = [
    ("", {"from", "to"}),
    ("from=2026-03-10&to=2026-03-11", {"from", "to"}),
    ("from=2026-03-11T00:00:00Z&to=2026-03-11T00:00:00Z", {"to"}),
    (f"{WINDOW}&granularity=week", {"granularity"}),
    (f"{WINDOW}&tz=Mars/Olympus", {"tz"}),
    (f"{WINDOW}&tz=../etc/passwd", {"tz"}),
    (f"{WINDOW}&group_by=colour", {"group_by"}),
    (f"{WINDOW}&class=gold", {"class"}),
    (f"{WINDOW}&witness=nobody", {"witness"}),
    (f"{WINDOW}&model=", {"model"}),
    (f"{WINDOW}&model=%00", {"model"}),
    (f"{WINDOW}&limit=0", {"limit"}),
    (f"{WINDOW}&limit=501", {"limit"}),
    (f"{WINDOW}&limit=ten", {"limit"}),
    (f"{WINDOW}&limit=²", {"limit"}),
    (f"{WINDOW}&cursor=!", {"cursor"}),
    (f"{WINDOW}&cursor=LTE=", {"cursor"}),
    (f"{WINDOW}&colour=red&limit=0", {"colour", "limit"}),
    ("from=0001-01-01T00:00:00%2B14:00&to=2026-03-11T00:00:00Z", {"from"}),
    ("from=2020-01-01T00:00:00Z&to=2026-03-11T00:00:00Z&granularity=hour", {"to"}),
]


@pytest.mark.parametrize(("query", "fields"), WRONG, ids=range(len(WRONG)))
def test_wrong_parameters_are_400_and_all_of_them_are_named(cast: Cast, query: str, fields: set[str]) -> None:
    response = get(f"/api/v1/usage?{query}", reader(cast.tenant))
    assert response.status_code == 400
    problem = response.json()
    assert problem["code"] == "invalid"
    assert {one["field"] for one in problem["errors"]} == fields


def test_an_offset_may_come_with_its_plus_unescaped(cast: Cast) -> None:
    query = "from=2026-03-10T00:00:00+01:00&to=2026-03-11T00:00:00+01:00"
    answer = get(f"/api/v1/usage?{query}", reader(cast.tenant)).json()
    assert answer["from"] == "2026-03-09T23:00:00Z"


def test_the_openapi_document_names_every_parameter_and_answer(db: None) -> None:
    schema = Client().get("/api/v1/schema", headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    usage = schema["paths"]["/api/v1/usage"]["get"]
    assert {one["name"] for one in usage["parameters"]} >= {"from", "to", "granularity", "tz", "group_by", "cursor"}
    assert set(schema["paths"]) >= {
        "/api/v1/enrol",
        "/api/v1/enrolment-tokens",
        "/api/v1/events",
        "/api/v1/usage",
        "/api/v1/usage/gaps",
        "/api/v1/usage/residuals",
    }
    answer = schema["components"]["schemas"]["UsageTotal"]["properties"]
    assert "class" in answer
    assert "from" in schema["components"]["schemas"]["Usage"]["properties"]


def test_the_window_is_half_open(cast: Cast, used: FakeAgent) -> None:
    query = "from=2026-03-10T12:00:00Z&to=2026-03-10T13:00:00Z&witness=engine"
    (row,) = get(f"/api/v1/usage?{query}", reader(cast.tenant)).json()["usage"]
    assert row["value"] == "600"


def test_usage_by_key_is_told_to_the_tenant(cast: Cast) -> None:
    send(cast.tenant, event("a", key="web"), event("b", key="night"), event("c"))
    roll_up_events(now=NOON)
    query = f"/api/v1/usage?{WINDOW}&granularity=total"
    found = get(f"{query}&group_by=key&class=input", reader(cast.tenant)).json()["usage"]
    assert [(one["key"], one["value"]) for one in found] == [("night", "100"), ("web", "100"), (None, "100")]
    only = get(f"{query}&key=web&class=output", reader(cast.tenant)).json()["usage"]
    assert [one["value"] for one in only] == ["20"]
