"""One event by its name, for those it belongs to; and what happens when the database takes nothing."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test import Client

from clusters.models import Deployment
from metering.admission import BODIES_MAX, RETRY_AFTER_S, ingest_gate
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.fleet import MODEL
from tests.metering.stored import how_many
from tests.metering.test_api import program, reader
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast


def read(organization: Organization, **parameters: str) -> Any:
    return Client().get(f"/api/v1/events?{urlencode(parameters)}", headers=reader(organization))


NAMED = {"source": "gateway-1", "id": "e-1"}


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_an_event_is_read_with_the_other_content_that_came_under_its_id(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event(key="team", cached_input=3, samples=2), event("e-2"))
    send(cast.tenant, event(output=21, status="failed", marks=["free"], quantities={"images": 3}))
    shown = read(cast.tenant, **NAMED).json()
    (conflict,) = shown.pop("conflicts")
    assert shown == {
        "id": "e-1",
        "source": "gateway-1",
        "reporter": cast.tenant.slug,
        "tenant": cast.tenant.slug,
        "deployment": deployment.slug,
        "model": MODEL,
        "key": "team",
        "occurred_at": "2026-03-10T12:00:00Z",
        "received_at": "2026-03-10T12:01:00Z",
        "input": "100",
        "cached_input": "3",
        "cache_write": "0",
        "output": "20",
        "reasoning": "0",
        "samples": 2,
        "status": "complete",
        "marks": [],
        "quantities": {},
    }
    assert conflict == {
        **{name: shown[name] for name in shown if name not in ("id", "source", "reporter")},
        "deployment": None,
        "key": "",
        "cached_input": "0",
        "output": "21",
        "samples": 1,
        "status": "failed",
        "marks": ["free"],
        "quantities": {"images": "3"},
    }


def test_an_event_belongs_to_its_reporter_its_tenant_and_the_provider_of_its_deployment(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    send(cast.operator, event(tenant=cast.tenant.slug))
    named = {**NAMED, "reporter": cast.operator.slug}
    readers = (cast.tenant, cast.operator, cast.provider, cast.outsider)
    assert [read(organization, **named).status_code for organization in readers] == [200, 200, 200, 404]
    assert read(cast.tenant, **NAMED).status_code == 404
    assert read(cast.tenant, **{**named, "reporter": "no\0body"}).status_code == 404


def test_an_id_that_a_gateway_gave_to_two_tenants_tells_neither_of_the_other(
    cast: Cast, deployment: Deployment
) -> None:
    send(cast.operator, event(tenant=cast.tenant.slug))
    send(
        cast.operator,
        event(tenant=cast.outsider.slug, key="secret", output=21),
        event(tenant=cast.tenant.slug, output=22),
    )
    send(cast.operator, event(tenant=cast.tenant.slug, deployment=deployment.slug, output=23))
    named = {**NAMED, "reporter": cast.operator.slug}

    def outputs(organization: Organization) -> list[str]:
        return [one["output"] for one in read(organization, **named).json()["conflicts"]]

    assert outputs(cast.operator) == ["21", "22", "23"]
    assert outputs(cast.tenant) == ["22", "23"]
    assert outputs(cast.provider) == ["23"]


@pytest.mark.parametrize("changed", [{"source": ""}, {"id": ""}, {"source": "a\0"}, {"id": "i" * 201}])
def test_a_name_that_no_event_can_have_is_refused(cast: Cast, changed: dict[str, str]) -> None:
    refused = read(cast.tenant, **(NAMED | changed))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")


def test_reading_needs_the_scope(cast: Cast) -> None:
    headers = program(cast.tenant, "events:write")
    assert Client().get(f"/api/v1/events?{urlencode(NAMED)}", headers=headers).status_code == 403


def test_a_full_server_turns_a_call_away_before_it_is_read(cast: Cast) -> None:
    headers = program(cast.tenant, "events:write")
    with ExitStack() as places:
        for _ in range(BODIES_MAX):
            places.enter_context(ingest_gate.entered())
        answer = Client().post("/api/v1/events", b"never read", content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_S)


def test_a_database_that_takes_nothing_is_said_and_nothing_is_stored(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    headers = program(cast.tenant, "events:write")

    def post(*events: object) -> Any:
        body = json.dumps(events)
        return Client().post("/api/v1/events", body, content_type="application/json", headers=headers)

    assert post().status_code == 400
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        answer = post(event())
        transaction.set_rollback(True)
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "unavailable", "10")
    assert "could not be stored" in caplog.text
    assert how_many() == (0, 0, 0)
