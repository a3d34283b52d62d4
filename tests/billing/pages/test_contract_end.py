"""Ending a contract by mouse, from both sides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from billing.agreements.drafting import propose
from billing.charging import ensure_periods
from billing.models import Amendment, Contract, ContractState
from tests.billing.agreements.agreed import PRICES, accepted, new_lease, offered, provider
from tests.billing.pages.reading import text_of
from tests.billing.pages.test_contracts import read, signed_in
from tests.billing.world import World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST = NOW.replace(day=1, hour=0, minute=0, second=0)
LAST_MONTH = (FIRST - timedelta(days=1)).replace(day=1)
END = NOW + timedelta(days=3)
BUTTON = "End this contract…"


@kept
def world(cast: Cast) -> World:
    made = make_world(tokens=PRICES, from_at=LAST_MONTH, parties=(cast.provider, cast.tenant))
    made.lease(1, from_at=LAST_MONTH, now=LAST_MONTH)
    ensure_periods(contract=made.contract, now=NOW)
    return made


def typed(at: datetime) -> str:
    """As a browser sends a field of date and time."""
    return at.strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(("proposer", "side"), [("alice", "t"), ("petra", "p")])
def test_either_side_ends_it_from_the_button_to_the_last_word(
    cast: Cast, world: World, proposer: str, side: str
) -> None:
    clients = {"t": signed_in(cast.alice), "p": signed_in(cast.petra)}
    mine, theirs = clients.pop(side), clients.popitem()
    contract = f"/{side}/contracts/{world.contract.id}/"
    assert BUTTON in read(mine, contract)
    assert world.contract.time_zone in read(mine, f"{contract}end/")

    answer = mine.post(f"{contract}end/", {"ends_at": typed(END), "note": "We move."})

    made = Amendment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/{side}/amendments/{made.id}/")
    assert (made.ends_at, made.note, made.person) == (END, "We move.", getattr(cast, proposer).email)
    words = read(mine, answer["Location"])
    for text in (
        "With this amendment the contract ends",
        "Ends",
        "We move.",
        "Change the end",
        "By the terms proposed",
    ):
        assert text in words, text
    assert BUTTON not in read(mine, contract)
    assert mine.post(answer["Location"], {"action": "offer"}).status_code == 302
    made.refresh_from_db()
    for client, there in ((mine, side), theirs[::-1]):
        assert "the contract ends" in read(client, f"/{there}/amendments/{made.id}/")
        word = {"action": "accept", "name": "Sample", "sha256": made.sha256}
        assert client.post(f"/{there}/amendments/{made.id}/", word).status_code == 302
    ended = Contract.objects.get(pk=world.contract.pk)
    assert (ended.state, ended.to_at) == (ContractState.TERMINATED, END)
    words = read(mine, contract)
    assert "Terminated" in words
    assert BUTTON not in words
    assert "Draft an amendment" not in words


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.parametrize(
    ("ends_at", "said"),
    [
        (typed(LAST_MONTH), "too early"),
        ("soon", "is no time"),
        ("", "required"),
        ("2026-01-01T00:00", "too early"),
    ],
)
def test_what_is_refused_is_said_at_the_field_and_what_was_typed_stays(
    cast: Cast, world: World, ends_at: str, said: str
) -> None:
    alice = signed_in(cast.alice)
    answer = alice.post(f"/t/contracts/{world.contract.id}/end/", {"ends_at": ends_at, "note": "kept words"})
    assert answer.status_code == 422
    assert said in " ".join(answer.context["form"].errors["ends_at"])
    assert "kept words" in answer.content.decode()
    assert not Amendment.objects.exists()


@pytest.mark.usefixtures("told_contexts")
def test_the_draft_s_date_is_changed_in_the_contract_s_time(cast: Cast, world: World) -> None:
    Contract.objects.filter(pk=world.contract.pk).update(time_zone="Asia/Tokyo")
    petra, address = signed_in(cast.petra), f"/p/contracts/{world.contract.id}/end/"
    petra.post(address, {"ends_at": typed(END + timedelta(hours=9)), "note": "n"})
    made = Amendment.objects.get()
    assert made.ends_at == END
    page = petra.get(f"{address}?draft={made.id}")
    assert page.context["form"]["ends_at"].value() == typed(END + timedelta(hours=9))
    assert page.context["form"]["note"].value() == "n"
    given = {"ends_at": typed(END + timedelta(days=1, hours=9)), "note": "later", "draft": str(made.id)}
    assert petra.post(address, given).status_code == 302
    made.refresh_from_db()
    assert (Amendment.objects.count(), made.ends_at, made.note) == (1, END + timedelta(days=1), "later")
    assert f"end/?draft={made.id}" in petra.get(f"/p/amendments/{made.id}/").content.decode()
    assert petra.get(f"/p/contracts/{world.contract.id}/amend/?draft={made.id}").status_code == 404


def test_a_second_proposal_beside_an_open_one_is_refused_on_the_page(cast: Cast, world: World) -> None:
    offered(world, new_lease(world.make_slices(1), from_at=END.isoformat()), now=NOW)
    answer = signed_in(cast.alice).post(f"/t/contracts/{world.contract.id}/end/", {"ends_at": typed(END)})
    assert answer.status_code == 422
    assert "not decided yet" in text_of(answer)
    assert Amendment.objects.count() == 1


def test_drafts_that_are_no_end_or_not_one_s_own_are_not_there(cast: Cast, world: World) -> None:
    address = f"/p/contracts/{world.contract.id}/end/"
    petra, alice = signed_in(cast.petra), signed_in(cast.alice)
    change = propose(
        contract_id=world.contract.id,
        changes=[new_lease(world.make_slices(1), from_at=END.isoformat())],
        by=provider(world),
        now=NOW,
    )
    for draft in (str(change.id), str(uuid4()), "nothing"):
        assert petra.get(f"{address}?draft={draft}").status_code == 404
        assert petra.post(address, {"ends_at": typed(END), "draft": draft}).status_code == 404
    Amendment.objects.filter(pk=change.pk).update(ends_at=END)
    assert petra.get(f"{address}?draft={change.id}").status_code == 200
    assert alice.get(f"/t/contracts/{world.contract.id}/end/?draft={change.id}").status_code == 404


def test_who_may_only_read_and_who_is_no_party_end_nothing(cast: Cast, world: World) -> None:
    address = f"/t/contracts/{world.contract.id}/end/"
    bob, charlie = signed_in(cast.bob), signed_in(cast.charlie)
    assert BUTTON not in read(bob, f"/t/contracts/{world.contract.id}/")
    for client, status in ((bob, 403), (charlie, 404)):
        assert client.get(address).status_code == client.post(address, {"ends_at": typed(END)}).status_code == status
    assert charlie.get(f"/p/contracts/{world.contract.id}/end/").status_code == 404
    assert not Amendment.objects.exists()


def test_an_ended_contract_has_no_end_to_propose(cast: Cast, world: World) -> None:
    drafted = propose(contract_id=world.contract.id, changes=(), by=provider(world), now=NOW, ends_at=END)
    petra = signed_in(cast.petra)
    petra.post(f"/p/amendments/{drafted.id}/", {"action": "offer"})
    drafted.refresh_from_db()
    accepted(world, drafted, now=NOW)
    answer = petra.post(f"/p/contracts/{world.contract.id}/end/", {"ends_at": typed(END - timedelta(days=1))})
    assert answer.status_code == 422
    assert "terminated" in text_of(answer)
