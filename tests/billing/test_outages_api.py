"""Outages of a lease by API: its provider states them, both parties read them beside what the meter says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import TermFact
from metering.control_models import Silence, SilenceEnd
from tests.billing.world import H100, World, make_world
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from billing.models import Term
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
ENDED = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
BEGAN = ENDED - timedelta(days=2)


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@kept
def world(cast: Cast) -> World:
    return make_world(gpus={H100: "2.35"}, parties=(cast.provider, cast.tenant), time_zone="America/New_York")


@kept
def lease(world: World) -> Term:
    return world.lease(2, from_at=BEGAN, to_at=ENDED, now=BEGAN)


def call(client: Client, organization: Organization, lease: Term, body: Any = None, **headers: str) -> Any:
    path = f"/api/v1/leases/{lease.ref}/outages"
    headers["Authorization"] = f"Bearer {api_key(organization)}"
    if body is None:
        return client.get(path, headers=headers)
    return client.post(path, body, content_type="application/json", headers=headers)


def outage(**changed: Any) -> dict[str, Any]:
    return {"cause": "maintenance", "from": text(BEGAN + HOUR), "to": text(BEGAN + 3 * HOUR), **changed}


def cards(lease: Term) -> list[str]:
    return sorted(str(each) for each in lease.allocations.values_list("allocation__slice__accelerator_id", flat=True))


def test_a_provider_states_an_outage_and_both_parties_read_it(
    client: Client, cast: Cast, world: World, lease: Term
) -> None:
    node = world.nodes[-1]
    Silence.objects.create(node=node, from_at=BEGAN, to_at=BEGAN + HOUR, end=SilenceEnd.MISSED, found_at=BEGAN)
    first = call(client, cast.provider, lease, outage())
    assert first.status_code == 201
    assert first.json() == {**outage(), "accelerator_ids": cards(lease)}
    again = call(client, cast.provider, lease, outage(accelerator_ids=cards(lease)[:1]))
    assert again.status_code == 200
    assert TermFact.objects.count() == 2
    for party in (cast.tenant, cast.provider):
        stated, measured = call(client, party, lease).json()["outages"]
        assert (stated["told_by"], stated["cause"], stated["from"]) == ("provider", "maintenance", text(BEGAN + HOUR))
        assert stated["stated_by"].startswith("key ")
        assert measured == {
            "cause": "node_silent",
            "accelerator_ids": cards(lease),
            "told_by": "meter",
            "stated_by": None,
            "stated_at": None,
            "from": text(BEGAN),
            "to": text(BEGAN + HOUR),
        }


def test_only_its_provider_states_one_and_outsiders_find_no_lease(client: Client, cast: Cast, lease: Term) -> None:
    refused = call(client, cast.tenant, lease, outage())
    assert (refused.status_code, refused.json()["code"]) == (403, "not_the_party")
    assert call(client, cast.outsider, lease, outage()).status_code == 404
    assert call(client, cast.outsider, lease).status_code == 404
    assert not TermFact.objects.exists()


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"to": text(ENDED + HOUR)}, (422, "wrong_outage", "from")),
        ({"to": "2999-01-01T00:00:00Z"}, (422, "wrong_outage", "to")),
        ({"cause": "Planned work"}, (422, "wrong_outage", "cause")),
        ({"accelerator_ids": ["00000000-0000-0000-0000-000000000009"]}, (422, "wrong_outage", "accelerator_ids")),
        ({"from": "2026-11-01T01:30:00"}, (400, "invalid_instant", "from")),
    ],
)
def test_a_wrong_outage_is_refused_with_its_field(
    client: Client, cast: Cast, lease: Term, changed: dict[str, Any], refused: tuple[int, str, str]
) -> None:
    answer = call(client, cast.provider, lease, outage(**changed))
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == refused
    assert not TermFact.objects.exists()


def test_a_call_that_is_sent_again_with_its_key_is_answered_as_the_first_time(
    client: Client, cast: Cast, lease: Term
) -> None:
    first, again = (call(client, cast.provider, lease, outage(), **{"Idempotency-Key": "o-1"}) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert TermFact.objects.count() == 2
