"""Ending a contract by program: either party proposes it, both accept it, nobody else learns of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.charging import ensure_periods
from billing.models import Amendment, BillingPeriod, Contract, ContractState
from tests.billing.agreements.agreed import PRICES, share_wording
from tests.billing.agreements.test_api import LIST, Program
from tests.billing.world import World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST = NOW.replace(day=1, hour=0, minute=0, second=0)
LAST_MONTH = (FIRST - timedelta(days=1)).replace(day=1)
END = NOW + timedelta(days=2)


def said(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@kept
def world(cast: Cast) -> World:
    made = make_world(tokens=PRICES, from_at=LAST_MONTH, parties=(cast.provider, cast.tenant))
    made.lease(1, from_at=LAST_MONTH + timedelta(days=4), to_at=NOW + timedelta(days=30), now=LAST_MONTH)
    made.share(now=LAST_MONTH).use({"output": 1_000_000}, at=LAST_MONTH + timedelta(days=4))
    ensure_periods(contract=made.contract, now=NOW)
    BillingPeriod.objects.filter(to_at__lte=NOW).update(state="closed", closed_at=FIRST)
    return made


@kept
def address(world: World) -> str:
    return f"{LIST}/{world.contract.id}/amendments"


@pytest.mark.parametrize("proposer", ["tenant", "provider"])
def test_either_party_proposes_the_end_and_both_bring_it_about(
    cast: Cast, world: World, address: str, proposer: str
) -> None:
    programs = {"tenant": Program(cast.tenant), "provider": Program(cast.provider)}
    other = programs["provider" if proposer == "tenant" else "tenant"]
    refs = set(world.contract.terms.values_list("ref", flat=True))
    made = programs[proposer].post(address, {"ends_at": said(END), "note": "We move."}, 201)
    assert (made["ends_at"], made["effective_at"], made["note"]) == (said(END), said(END), "We move.")
    assert {each["ref"] for each in made["changes"]} == refs
    assert all(each["wording"] is None for each in made["changes"])
    assert made["difference"]["after"] == "0.00"
    assert {each["ref"]: each["ends"] for each in made["difference"]["terms"]} == dict.fromkeys(refs, True)
    one = f"/api/v1/amendments/{made['id']}"
    assert other.get(one).status_code == 404

    offered = programs[proposer].post(f"{one}/offer")
    assert other.get(one).json()["ends_at"] == said(END)
    for name, program in programs.items():
        assert Contract.objects.get(pk=world.contract.pk).to_at is None
        done = program.post(f"{one}/accept", {"name": name, "sha256": offered["sha256"]})

    assert (done["state"], done["actions"], done["ends_at"]) == ("accepted", [], said(END))
    read = other.get(f"{LIST}/{world.contract.id}").json()
    assert (read["state"], read["to_at"], read["open_amendment_id"]) == ("terminated", said(END), None)
    assert {each["to_at"] for each in read["terms"]} == {said(END)}
    latest = other.get(f"{LIST}/{world.contract.id}/versions").json()["versions"][0]
    assert (latest["number"], latest["sha256"]) == (done["version"], offered["sha256"])
    assert programs[proposer].post(address, {"ends_at": said(END)}, 409)["code"] == "amendment_closed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ends_at": said(FIRST - timedelta(days=3))}, "ends_at"),
        ({"ends_at": said(FIRST)}, "ends_at"),
        ({"ends_at": "soon"}, "ends_at"),
        ({"ends_at": "1999-01-01T00:00"}, "ends_at"),
        ({"ends_at": " 12 "}, "ends_at"),
        ({"ends_at": said(END), "changes": [{"from_at": said(END), "wording": share_wording()}]}, "changes"),
        ({"ends_at": None}, "changes"),
        ({"ends_at": None, "changes": []}, "changes"),
        ({"note": "nothing"}, "changes"),
        ({}, "changes"),
    ],
)
def test_what_is_no_end_is_refused_with_the_field_and_nothing_is_stored(
    cast: Cast, address: str, body: dict[str, Any], field: str
) -> None:
    problem = Program(cast.provider).post(address, body, 422)
    assert (problem["code"], problem["field"]) == ("wrong_terms", field)
    assert problem["reason"]
    assert problem["example"]
    assert not Amendment.objects.exists()


def test_the_example_of_a_refusal_is_taken(cast: Cast, address: str) -> None:
    petra = Program(cast.provider)
    example = petra.post(address, {"ends_at": said(LAST_MONTH)}, 422)["example"]
    assert petra.post(address, {"ends_at": example}, 201)["ends_at"] == example


def test_a_draft_of_an_end_is_edited_and_one_amendment_is_open_at_a_time(
    cast: Cast, world: World, address: str
) -> None:
    petra = Program(cast.provider)
    made = petra.post(address, {"ends_at": said(END)}, 201)
    one = f"/api/v1/amendments/{made['id']}"
    later = END + timedelta(days=9)
    assert petra.put(one, {"ends_at": said(later), "note": "later"})["effective_at"] == said(later)
    early = petra.put(one, {"ends_at": said(LAST_MONTH)})
    assert (early["code"], early["field"]) == ("wrong_terms", "ends_at")
    assert petra.get(one).json()["ends_at"] == said(later)
    assert petra.post(address, {"ends_at": said(END)}, 409)["code"] == "amendment_open"
    ref = world.contract.terms.get(kind="token_share").ref
    change = {"ref": ref, "from_at": said(END), "wording": share_wording()}
    other = petra.put(one, {"changes": [change]})
    assert (other["ends_at"], len(other["changes"])) == (None, 1)
    assert Program(cast.outsider).client.put(one, {}, content_type="application/json").status_code == 404


def test_a_third_party_and_a_reader_end_nothing(cast: Cast, world: World, address: str) -> None:
    Program(cast.outsider).post(address, {"ends_at": said(END)}, 404)
    Program(cast.provider, ("contracts:read",)).post(address, {"ends_at": said(END)}, 403)
    assert not Amendment.objects.exists()
    world.contract.refresh_from_db()
    assert world.contract.state == ContractState.ACTIVE
