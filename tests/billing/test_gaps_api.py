"""Gaps accepted over HTTP: what is missing is read with the draft, and named when it is accepted."""

from __future__ import annotations

import pytest

from billing.charging import ensure_periods
from billing.models import Contract
from tests.billing.test_closing_api import client_of, get, send
from tests.billing.world import APRIL, HOUR, MARCH, make_world


@pytest.mark.django_db
def test_a_gap_is_read_with_the_draft_and_accepted_by_the_provider_alone() -> None:
    world = make_world()
    world.lease(1, rolled_to_at=APRIL - HOUR)
    ensure_periods(contract=world.contract, now=MARCH)
    Contract.objects.update(grace_hours=30_000)
    address = f"drafts/{world.period().pk}"
    provider, tenant = client_of(world.provider), client_of(world.tenant)
    draft = get(provider, address)
    [wait] = draft["waiting_for"]
    assert (wait["kind"], wait["name"], wait["accepted_reason"]) == ("node", world.nodes[0].name, "")
    assert [each["name"] for each in draft["actions"]] == ["close", "accept_gaps"]
    body = {"gaps": [wait["gap"]], "reason": "it burned"}
    send(tenant, "post", f"{address}/gaps/accept", body, 404)
    assert send(provider, "post", f"{address}/gaps/accept", {**body, "gaps": []}, 422)["code"] == "wrong_gap"
    assert send(provider, "post", f"{address}/gaps/accept", {**body, "gaps": ["node:x"]}, 422)["code"] == "wrong_gap"
    [accepted] = send(provider, "post", f"{address}/gaps/accept", body)["waiting_for"]
    assert (accepted["accepted_reason"], accepted["gap"]) == ("it burned", wait["gap"])
    assert [each["name"] for each in get(provider, address)["actions"]] == ["close"]
    assert get(tenant, address)["waiting_for"] == [accepted]
    assert send(provider, "post", f"{address}/close", {})["state"] == "closed"
    again = send(provider, "post", f"{address}/gaps/accept", body, 409)
    assert again["code"] == "nothing_to_accept"
