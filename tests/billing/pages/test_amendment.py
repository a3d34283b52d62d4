"""Who is no party gets 404 of contracts and amendments, and changes nothing, whatever is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from billing.agreements.drafting import propose
from billing.models import Acceptance, Amendment, AmendmentState
from tests.billing.agreements.agreed import PRICES, accepted, new_lease, offered, provider
from tests.billing.pages.reading import text_of
from tests.billing.world import H100, World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(microsecond=0)
AHEAD = (NOW + timedelta(days=2)).isoformat()


@kept
def world(cast: Cast) -> World:
    return make_world(
        tokens=PRICES, gpus={H100: "2"}, from_at=NOW - timedelta(days=9), parties=(cast.provider, cast.tenant)
    )


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def offer_of(world: World) -> Amendment:
    return offered(world, new_lease(world.make_slices(1), from_at=AHEAD), now=NOW)


made = kept(offer_of)


@pytest.mark.parametrize("side", ["t", "p"])
@pytest.mark.parametrize("action", ["accept", "decline", "withdraw", "offer", "sing", ""])
def test_an_outsider_decides_nothing_and_learns_nothing(cast: Cast, side: str, action: str, made: Amendment) -> None:
    charlie = signed_in(cast.charlie)
    address = f"/{side}/amendments/{made.id}/"
    given = {"action": action, "name": "Charlie", "sha256": made.sha256}
    answers = [charlie.get(address), charlie.post(address, given)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all(made.sha256 not in answer.content.decode() for answer in answers)
    made.refresh_from_db()
    assert made.state == AmendmentState.OFFERED
    assert not Acceptance.objects.exists()


@pytest.mark.parametrize("side", ["t", "p"])
def test_an_outsider_drafts_nothing_for_a_contract_of_others(cast: Cast, world: World, side: str) -> None:
    address = f"/{side}/contracts/{world.contract.id}/amend/"
    given = {"kind": "storage", "from_at": AHEAD, "w-price_per_gb_month": "0.07"}
    charlie = signed_in(cast.charlie)
    assert charlie.get(address).status_code == charlie.post(address, given).status_code == 404
    assert charlie.get(f"/{side}/contracts/{uuid4()}/amend/").status_code == 404
    assert not Amendment.objects.exists()


def test_a_draft_is_not_there_for_the_other_party(cast: Cast, world: World) -> None:
    made = propose(
        contract_id=world.contract.id,
        changes=[new_lease(world.make_slices(1), from_at=AHEAD)],
        by=provider(world),
        now=NOW,
    )
    assert signed_in(cast.alice).get(f"/t/amendments/{made.id}/").status_code == 404
    assert signed_in(cast.alice).get(f"/t/contracts/{world.contract.id}/amend/?draft={made.id}").status_code == 404
    assert signed_in(cast.petra).get(f"/p/amendments/{made.id}/").status_code == 200


def test_a_draft_of_another_contract_takes_no_change(cast: Cast, world: World) -> None:
    other = make_world(parties=(cast.provider, cast.tenant), from_at=NOW - timedelta(days=9))
    made = propose(
        contract_id=other.contract.id,
        changes=[new_lease(other.make_slices(1), from_at=AHEAD)],
        by=provider(other),
        now=NOW,
    )
    petra = signed_in(cast.petra)
    for draft in (made.id, uuid4()):
        assert petra.get(f"/p/contracts/{world.contract.id}/amend/?draft={draft}").status_code == 404
    assert petra.get(f"/p/contracts/{world.contract.id}/amend/?draft=nothing").status_code == 200


def test_a_refused_word_is_said_on_the_page(cast: Cast, made: Amendment) -> None:
    alice, address = signed_in(cast.alice), f"/t/amendments/{made.id}/"
    blank = alice.post(address, {"action": "accept", "name": " ", "sha256": made.sha256})
    other = alice.post(address, {"action": "accept", "name": "Alice", "sha256": "0" * 64})
    own = alice.post(address, {"action": "withdraw"})
    assert (blank.status_code, other.status_code) == (422, 409)
    assert own.status_code == 409
    assert "name" in text_of(blank)
    made.refresh_from_db()
    assert made.state == AmendmentState.OFFERED
    assert not Acceptance.objects.exists()


def test_what_is_decided_is_decided_once(cast: Cast, world: World, made: Amendment) -> None:
    accepted(world, made, now=NOW)
    alice, address = signed_in(cast.alice), f"/t/amendments/{made.id}/"
    assert alice.post(address, {"action": "decline"}).status_code == 409
    made.refresh_from_db()
    assert made.state == AmendmentState.ACCEPTED
    assert "Accepted" in text_of(alice.get(address))


def test_a_visitor_is_asked_to_sign_in(world: World, made: Amendment) -> None:
    for address in (f"/t/amendments/{made.id}/", f"/p/contracts/{world.contract.id}/amend/"):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert "/login" in answer.headers["Location"] or "sign" in answer.headers["Location"]
