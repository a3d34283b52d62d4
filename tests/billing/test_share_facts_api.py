"""The API of refunds and findings of audits: each by its party, read by both, refused with the field."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import TermFact
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
    made = share(world, Witness.GATEWAY, exclusions=[{"rule": "refunds"}])
    made.use({"output": 100_000_000}, at=APRIL)
    ensure_periods(contract=world.contract, now=APRIL + timedelta(days=1))
    world.rolled(world.nodes[0], APRIL)
    close_period(period_id=world.period().id, now=APRIL + timedelta(days=3))
    return made


def call(client: Client, organization: Organization, world: World, what: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {api_key(organization)}"}
    path = f"/api/v1/contracts/{world.contract.id}/{what}"
    if body is None:
        return client.get(path, headers=headers)
    return client.post(path, body, content_type="application/json", headers=headers)


def refund(shared: Shared, **changed: Any) -> dict[str, Any]:
    given = {
        "term": shared.term.ref,
        "refund": "R-1",
        "period_from": "2026-04-01T00:00:00Z",
        "deployment_id": str(shared.deployment.id),
        "model": MODEL,
        "token_class": "output",
        "tokens": 5,
    }
    return {**given, **changed}


def audit(shared: Shared, **changed: Any) -> dict[str, Any]:
    given = {
        "term": shared.term.ref,
        "audit": "A-1",
        "period_from": "2026-03-01T00:00:00Z",
        "reported_share_amount": "30",
        "found_share_amount": "40.50",
        "cost_amount": "0",
    }
    return {**given, **changed}


def test_a_tenant_states_a_refund_and_both_read_it(client: Client, world: World, shared: Shared) -> None:
    answer = call(client, world.tenant, world, "refunds", refund(shared))
    assert answer.status_code == 201
    made = answer.json()
    assert (made["refund"], made["tokens"], made["token_class"], made["term"]) == ("R-1", 5, "output", shared.term.ref)
    assert call(client, world.tenant, world, "refunds", refund(shared)).status_code == 200
    for party in (world.tenant, world.provider):
        assert call(client, party, world, "refunds").json()["refunds"] == [made]
        assert call(client, party, world, "audit-findings").json()["audit_findings"] == []


def test_a_provider_states_a_finding_and_both_read_it(client: Client, world: World, shared: Shared) -> None:
    answer = call(client, world.provider, world, "audit-findings", audit(shared))
    assert answer.status_code == 201
    made = answer.json()
    assert (made["audit"], made["reported_share_amount"], made["found_share_amount"]) == ("A-1", "30", "40.5")
    assert call(client, world.provider, world, "audit-findings", audit(shared)).status_code == 200
    for party in (world.tenant, world.provider):
        assert call(client, party, world, "audit-findings").json()["audit_findings"] == [made]
        assert call(client, party, world, "refunds").json()["refunds"] == []


def test_a_tenant_disputes_a_finding_and_then_accepts_it(client: Client, world: World, shared: Shared) -> None:
    made = call(client, world.provider, world, "audit-findings", audit(shared)).json()
    assert (made["state"], made["answer_by"], made["counts_from"]) == ("open", None, None)
    said = {"term": shared.term.ref, "audit": "A-1"}
    told = call(client, world.tenant, world, "audit-answers", {**said, "accepts": False, "note": "Not our tokens"})
    assert (told.status_code, told.json()["state"], told.json()["note"]) == (200, "disputed", "Not our tokens")
    told = call(client, world.tenant, world, "audit-answers", {**said, "accepts": True})
    assert told.json()["state"] == "settled"
    [listed] = call(client, world.provider, world, "audit-findings").json()["audit_findings"]
    assert listed["state"] == "settled"
    assert listed["settled_by"] == listed["answered_by"] != made["recorded_by"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"accepts": "perhaps"}, (400, "accepts")),
        ({"audit": "A-9"}, (422, "No audit")),
        ({"term": "S-9"}, (422, "S-9")),
        ({"note": "x" * 1001}, (400, "note")),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(
    client: Client, world: World, shared: Shared, changed: dict[str, Any], told: tuple[int, str]
) -> None:
    call(client, world.provider, world, "audit-findings", audit(shared))
    given = {"term": shared.term.ref, "audit": "A-1", "accepts": True, **changed}
    answer = call(client, world.tenant, world, "audit-answers", given)
    assert answer.status_code == told[0]
    assert told[1] in answer.json()["detail"]
    assert TermFact.objects.count() == 1


def test_the_other_party_is_told_so(client: Client, world: World, shared: Shared) -> None:
    for party, what, body in (
        (world.provider, "refunds", refund(shared)),
        (world.tenant, "audit-findings", audit(shared)),
    ):
        answer = call(client, party, world, what, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_the_party")
    assert not TermFact.objects.exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tokens": 0}, (400, "tokens")),
        ({"tokens": "many"}, (400, "tokens")),
        ({"token_class": "cached_input"}, (400, "token_class")),
        ({"deployment_id": "d1"}, (400, "deployment_id")),
        ({"tokens": 200_000_000}, (422, "100000000 were counted")),
        ({"period_from": "2026-03-01T00:00:00Z"}, (409, "is closed")),
        ({"term": "S-9"}, (422, "S-9")),
    ],
)
def test_a_wrong_refund_says_what_is_wrong(
    client: Client, world: World, shared: Shared, changed: dict[str, Any], told: tuple[int, str]
) -> None:
    answer = call(client, world.tenant, world, "refunds", refund(shared, **changed))
    assert answer.status_code == told[0]
    assert told[1] in answer.json()["detail"]
    assert not TermFact.objects.exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"cost_amount": "-1"}, (400, "cost_amount")),
        ({"found_share_amount": "1e400"}, (400, "found_share_amount")),
        ({"period_from": "soon"}, (400, "period_from")),
        ({"found_share_amount": "30"}, (422, "nothing to settle")),
        ({"period_from": "2026-04-01T00:00:00Z"}, (422, "is open")),
    ],
)
def test_a_wrong_finding_says_what_is_wrong(
    client: Client, world: World, shared: Shared, changed: dict[str, Any], told: tuple[int, str]
) -> None:
    answer = call(client, world.provider, world, "audit-findings", audit(shared, **changed))
    assert answer.status_code == told[0]
    assert told[1] in answer.json()["detail"]
    assert not TermFact.objects.exists()


@pytest.mark.parametrize("what", ["refunds", "audit-findings"])
def test_others_find_nothing(client: Client, cast: Cast, world: World, what: str) -> None:
    assert call(client, cast.outsider, world, what).status_code == 404
    assert call(client, cast.outsider, world, what, {}).status_code == 404
    assert call(client, world.tenant, world, what, []).status_code == 400
