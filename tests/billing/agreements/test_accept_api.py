"""What a contract has on offer is accepted by the contract's id: both parties, by name and by the hash they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.billing.agreements.test_api import LIST, Program, draft
from tests.billing.world import MARCH, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def world(cast: Cast) -> World:
    return make_world(from_at=MARCH, parties=(cast.provider, cast.tenant))


@pytest.fixture
def offered(world: World) -> dict[str, Any]:
    """A contract whose provider offers its first version."""
    petra = Program(world.provider)
    made = petra.post(LIST, draft(world, world.make_slices(2)), 201)
    petra.post(f"/api/v1/amendments/{made['id']}/offer")
    read: dict[str, Any] = petra.get(f"{LIST}/{made['contract_id']}").json()
    return read


def test_a_first_version_is_accepted_by_both_by_name_and_hash(world: World, offered: dict[str, Any]) -> None:
    assert offered["state"] == "offered"
    petra, alice = Program(world.provider), Program(world.tenant)
    address, word = f"{LIST}/{offered['id']}/accept", {"sha256": offered["offered_sha256"]}
    once = alice.post(address, {**word, "name": "Alice Sample"})
    assert (once["state"], once["version"]) == ("offered", 0)
    done = petra.post(address, {**word, "name": "Petra Sample"})
    assert (done["state"], done["version"], done["offered_sha256"]) == ("active", 1, None)
    [version] = alice.get(f"{LIST}/{offered['id']}/versions").json()["versions"]
    assert version["sha256"] == offered["offered_sha256"]
    said = [(each["name"], each["sha256"]) for each in version["accepted_by"]]
    assert said == [("Alice Sample", word["sha256"]), ("Petra Sample", word["sha256"])]


def test_what_is_not_on_offer_is_not_accepted(world: World, offered: dict[str, Any]) -> None:
    alice, address = Program(world.tenant), f"{LIST}/{offered['id']}/accept"
    told = alice.post(address, {"name": "Alice", "sha256": "0" * 64}, 409)
    assert told["code"] == "other_terms"
    assert alice.post(address, {"sha256": offered["offered_sha256"]}, 400)["code"] == "invalid"
    told = alice.post(f"{LIST}/{world.contract.id}/accept", {"name": "Alice", "sha256": "0" * 64}, 409)
    assert told["code"] == "amendment_closed"


def test_a_reader_s_key_and_an_outsider_accept_nothing(cast: Cast, world: World, offered: dict[str, Any]) -> None:
    address, word = f"{LIST}/{offered['id']}/accept", {"name": "A", "sha256": offered["offered_sha256"]}
    Program(world.tenant, ("contracts:read",)).post(address, word, 403)
    Program(cast.outsider).post(address, word, 404)
