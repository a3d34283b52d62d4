"""The API of certified revenue: the tenant states, both parties read, wrong calls say what is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.charging import ensure_periods
from billing.models import RevenueStatement
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

FILE = "item,amount,currency\nsample-model,120.00,USD\nrefunds,-20.00,USD\n"


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={(MODEL, "output"): "1"}, parties=(cast.provider, cast.tenant))


@kept
def shared(world: World) -> Shared:
    made = share(world, Witness.GATEWAY, base="certified_revenue", statements={"due_days": 21})
    made.use({"output": 100_000_000})
    ensure_periods(contract=world.contract, now=APRIL + timedelta(days=1))
    return made


def call(client: Client, organization: Organization, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {api_key(organization)}"}
    if body is None:
        return client.get(path, headers=headers)
    return client.post(path, body, content_type="application/json", headers=headers)


def path_of(world: World) -> str:
    return f"/api/v1/contracts/{world.contract.id}/revenue-statements"


def body_of(shared: Shared, **changed: Any) -> dict[str, Any]:
    given = {"term": shared.term.ref, "period_from": "2026-03-01T00:00:00Z", "certified_by": "Ada", "document": FILE}
    return {**given, **changed}


def test_a_tenant_states_and_both_parties_read(client: Client, world: World, shared: Shared) -> None:
    answer = call(client, world.tenant, path_of(world), body_of(shared))
    assert answer.status_code == 201
    made = answer.json()
    assert (made["net_revenue_amount"], made["certified_by"], made["currency"]) == ("100.00", "Ada", "USD")
    assert call(client, world.tenant, path_of(world), body_of(shared)).status_code == 200
    for party in (world.tenant, world.provider):
        found = call(client, party, path_of(world)).json()
        assert [one["id"] for one in found["statements"]] == [made["id"]]
        due = found["due"][-1]
        assert (due["state"], due["statement_id"], due["metered_amount"]) == ("stated", made["id"], "100.00")
        assert (due["difference_amount"], due["difference_percent"], due["within_tolerance"]) == (
            "0.00",
            "0.0000",
            True,
        )
        file = call(client, party, f"{path_of(world)}/{made['id']}/document")
        assert file.content.decode() == FILE
        assert file.headers["ETag"] == f'"{made["sha256"]}"'
        assert "attachment" in file.headers["Content-Disposition"]


def test_what_is_due_says_that_it_waits(client: Client, world: World, shared: Shared) -> None:
    due = call(client, world.provider, path_of(world)).json()["due"][-1]
    assert (due["term"], due["state"]) == (shared.term.ref, "estimated")
    assert (due["difference_amount"], due["within_tolerance"], due["statement_id"]) == (None, None, None)


def test_a_provider_states_nothing(client: Client, world: World, shared: Shared) -> None:
    answer = call(client, world.provider, path_of(world), body_of(shared))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_the_tenant")


@pytest.mark.parametrize(
    ("changed", "answered"),
    [
        ({"term": "S-9999"}, (422, "wrong_statement")),
        ({"document": "item,amount,currency\nx,1,EUR\n"}, (422, "wrong_statement")),
        ({"period_from": "yesterday"}, (400, "statement_malformed")),
        ({"document": "x" * 3_000_000}, (413, "body_too_large")),
    ],
)
def test_a_wrong_statement_is_refused_and_says_why(
    client: Client, world: World, shared: Shared, changed: dict[str, str], answered: tuple[int, str]
) -> None:
    answer = call(client, world.tenant, path_of(world), body_of(shared, **changed))
    assert (answer.status_code, answer.json()["code"]) == answered
    assert not RevenueStatement.objects.exists()


def test_a_body_that_is_no_json_is_refused(client: Client, world: World) -> None:
    assert call(client, world.tenant, path_of(world), "nothing").json()["code"] == "statement_malformed"


def test_a_file_is_of_its_own_contract(client: Client, world: World, shared: Shared) -> None:
    made = call(client, world.tenant, path_of(world), body_of(shared)).json()
    other = make_world(parties=(world.provider, world.tenant))
    assert call(client, world.tenant, f"{path_of(other)}/{made['id']}/document").status_code == 404
