"""The API of held differences: both parties read and answer, and wrong answers say what is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.charging import ensure_periods
from billing.models import WitnessAnswer
from metering.models import Witness
from tests.billing.sharing import share
from tests.billing.world import APRIL, MODEL, Shared, World, make_world
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={(MODEL, "output"): "1"}, parties=(cast.provider, cast.tenant))


@kept
def shared(world: World) -> Shared:
    made = share(world, Witness.GATEWAY, outside_tolerance="hold_and_ask")
    made.use({"output": 100}, witness=Witness.GATEWAY)
    made.use({"output": 90}, witness=Witness.ENGINE)
    ensure_periods(contract=world.contract, now=APRIL + timedelta(days=1))
    return made


def call(client: Client, organization: Organization, world: World, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {api_key(organization)}"}
    path = f"/api/v1/contracts/{world.contract.id}/witness-differences"
    if body is None:
        return client.get(path, headers=headers)
    return client.post(path, body, content_type="application/json", headers=headers)


def body_of(shared: Shared, **changed: Any) -> dict[str, Any]:
    given = {
        "term": shared.term.ref,
        "deployment_id": str(shared.deployment.id),
        "model": MODEL,
        "token_class": "output",
        "from_at": "2026-03-01T00:00:00Z",
        "tokens": 95,
    }
    return {**given, **changed}


def test_both_parties_read_and_settle_a_difference(client: Client, world: World, shared: Shared) -> None:
    for party in (world.tenant, world.provider):
        (row,) = call(client, party, world).json()["differences"]
        assert (row["engine_tokens"], row["gateway_tokens"], row["period_state"]) == (90, 100, "open")
        assert (row["tenant_tokens"], row["provider_tokens"]) == (None, None)
    assert call(client, world.tenant, world, body_of(shared)).json() == {"tokens": 95, "settled": False}
    (row,) = call(client, world.provider, world).json()["differences"]
    assert (row["tenant_tokens"], row["provider_tokens"]) == (95, None)
    assert call(client, world.provider, world, body_of(shared)).json() == {"tokens": 95, "settled": True}
    assert call(client, world.tenant, world).json()["differences"] == []
    again = call(client, world.provider, world, body_of(shared, tokens=99))
    assert (again.status_code, again.json()["code"]) == (409, "already_settled")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tokens": -1}, (400, "tokens")),
        ({"token_class": "reasoning"}, (400, "token_class")),
        ({"from_at": "March"}, (400, "from_at")),
        ({"tokens": 101}, (422, "lies between")),
        ({"model": "other"}, (422, "is held")),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(
    client: Client, world: World, shared: Shared, changed: dict[str, Any], told: tuple[int, str]
) -> None:
    answer = call(client, world.tenant, world, body_of(shared, **changed))
    assert answer.status_code == told[0]
    assert told[1] in answer.json()["detail"]
    assert not WitnessAnswer.objects.exists()


def test_others_find_nothing_and_a_contract_without_a_share_holds_nothing(
    client: Client, cast: Cast, world: World
) -> None:
    assert call(client, world.tenant, world).json()["differences"] == []
    assert call(client, cast.outsider, world).status_code == 404
    assert call(client, cast.outsider, world, {}).status_code == 404
