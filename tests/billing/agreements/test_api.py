from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.agreements.difference_shapes import ContractDifferenceSerializer, TermDifferenceSerializer
from billing.charging import ensure_periods
from billing.models import Amendment, Contract
from clusters.models import Slice
from tenants.api_keys import issue_key
from tenants.models import Organization
from tests.billing.agreements.agreed import PRICES, lease_wording, new_lease, share_wording
from tests.billing.world import H100, MARCH, MODEL, World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

LIST = "/api/v1/contracts"
SCOPES = ("contracts:read", "contracts:write")
FIRST = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = (FIRST - timedelta(days=1)).replace(day=1)


class Program:
    """A program with a key of an organization."""

    def __init__(self, organization: Organization, scopes: tuple[str, ...] = SCOPES) -> None:
        issued = issue_key(organization=organization, name="sync", scopes=scopes, actor="test", now=MARCH)
        self.client = Client(headers={"Authorization": f"Bearer {issued.secret}"})

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        answer = self.client.post(path, body or {}, content_type="application/json")
        assert answer.status_code == status, answer.content
        return answer.json()

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.put(path, body, content_type="application/json").json()


def draft(world: World, slices: list[Slice], **changed: Any) -> dict[str, Any]:
    assert world.book is not None
    return {
        "provider": world.provider.slug,
        "tenant": world.tenant.slug,
        "currency": "USD",
        "time_zone": "Europe/Berlin",
        "from_at": "2026-03-01T00:00",
        "price_book_id": str(world.book.id),
        "changes": [new_lease(slices)],
        **changed,
    }


@kept
def world(cast: Cast) -> World:
    return make_world(tokens=PRICES, parties=(cast.provider, cast.tenant))


def test_a_contract_is_drafted_offered_and_accepted_by_both(cast: Cast) -> None:
    world = make_world(tokens=PRICES, gpus={H100: "2"}, parties=(cast.provider, cast.tenant))
    petra, alice, charlie = Program(cast.provider), Program(cast.tenant), Program(cast.outsider)
    made = petra.post(LIST, draft(world, world.make_slices(2)), 201)
    assert (made["state"], made["actions"], made["sha256"]) == ("draft", ["edit", "offer", "withdraw"], "")
    assert len(alice.get(LIST).json()["contracts"]) == 1
    address = f"/api/v1/amendments/{made['id']}"
    assert alice.get(address).status_code == 404

    edited = petra.put(address, {"changes": [{**made["changes"][0], "wording": lease_wording("2.50")}]})
    assert edited["difference"]["terms"][0]["words"][-1] == {
        "field": "price_per_gpu_hour",
        "before": None,
        "after": "2.5",
    }
    offered = petra.post(f"{address}/offer", {"days": 30})
    seen = alice.get(address).json()
    assert seen["actions"] == ["accept", "decline"]
    assert (seen["sha256"], seen["document"]) == (offered["sha256"], offered["document"])
    word = {"name": "Alice Sample", "sha256": seen["sha256"]}
    assert alice.post(f"{address}/accept", word)["actions"] == ["decline"]
    done = petra.post(f"{address}/accept", {**word, "name": "Petra Sample"})
    assert (done["state"], done["version"], done["difference"]) == ("accepted", 1, None)

    contract = f"{LIST}/{made['contract_id']}"
    read = alice.get(contract).json()
    assert read == petra.get(contract).json()
    assert (read["state"], read["from_at"], read["open_amendment_id"]) == ("active", "2026-02-28T23:00:00Z", None)
    assert read["terms"][0]["wordings"][0]["wording"]["price_per_gpu_hour"] == "2.5"
    [version] = alice.get(f"{contract}/versions").json()["versions"]
    assert (version["sha256"], version["amendment"]) == (seen["sha256"], 1)
    assert [each["name"] for each in version["accepted_by"]] == ["Alice Sample", "Petra Sample"]
    assert [each["number"] for each in alice.get(f"{contract}/amendments").json()["amendments"]] == [1]
    for path in (contract, f"{contract}/versions", f"{contract}/amendments", address):
        assert charlie.get(path).status_code == 404
    assert charlie.get(LIST).json() == {"contracts": [], "next_cursor": None}


def test_an_amendment_shows_what_it_changes_in_words_and_in_last_month_s_money(cast: Cast) -> None:
    """Half of 2.35 for the 48 hours that one card was held, and 20 % instead of 30 % of 1.10."""
    world = make_world(tokens=PRICES, from_at=LAST_MONTH, parties=(cast.provider, cast.tenant))
    start = LAST_MONTH + timedelta(days=4)
    lease = world.lease(1, from_at=start, to_at=start + timedelta(days=2))
    shared = world.share(now=LAST_MONTH)
    shared.use({"output": 1_000_000}, at=start)
    ensure_periods(contract=world.contract, now=FIRST)
    alice = Program(cast.tenant)
    ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    change = {"ref": shared.term.ref, "from_at": ahead, "wording": share_wording()}
    made = alice.post(f"{LIST}/{world.contract.id}/amendments", {"changes": [change], "note": "cheaper"}, 201)
    shown = made["difference"]
    assert shown.keys() == ContractDifferenceSerializer().fields.keys()
    assert {*shown["terms"][0]} == {*TermDifferenceSerializer().fields}
    assert shown["from_at"] == LAST_MONTH.isoformat().replace("+00:00", "Z")
    assert (shown["before"], shown["after"], shown["currency"]) == ("113.13", "113.02", "USD")
    [term] = shown["terms"]
    assert term["words"] == [{"field": "share_percent", "before": "30", "after": "20"}]
    assert (term["before"], term["after"], term["ref"]) == ("0.33", "0.22", shared.term.ref)
    ending = {"ref": shared.term.ref, "from_at": ahead, "wording": None}
    edited = alice.put(f"/api/v1/amendments/{made['id']}", {"changes": [ending]})
    assert (edited["difference"]["after"], edited["difference"]["terms"][0]["ends"]) == ("112.80", True)
    more = new_lease(world.make_slices(1), from_at=ahead)
    with_new = alice.put(f"/api/v1/amendments/{made['id']}", {"changes": [more]})
    hours = (FIRST - LAST_MONTH) / timedelta(hours=1)
    assert Decimal(with_new["difference"]["after"]) == Decimal("113.13") + 3 * Decimal(hours)
    assert lease.ref not in {each["ref"] for each in with_new["difference"]["terms"]}
    assert Amendment.objects.get().effective_at > FIRST


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"tenant": "nobody"}, "tenant"),
        ({"currency": "EUR"}, "price_book_id"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"from_at": "2026-03-29T02:30"}, "from_at"),
        ({"from_at": "2026-10-25T02:30"}, "from_at"),
        ({"to_at": "2026-03-01T00:00"}, "to_at"),
        ({"price_book_id": "00000000-0000-0000-0000-000000000001"}, "price_book_id"),
        ({"changes": []}, "changes"),
        (
            {"changes": [{"from_at": "2026-03-05T00:00:00Z", "wording": share_wording("101")}]},
            "changes[0].wording.share_percent",
        ),
    ],
)
def test_what_is_wrong_is_answered_with_field_reason_and_example(
    cast: Cast, changed: dict[str, Any], field: str, world: World
) -> None:
    before = Contract.objects.count()
    problem = Program(cast.provider).post(LIST, draft(world, world.make_slices(1), **changed), 422)
    assert (problem["code"], problem["field"]) == ("wrong_terms", field)
    assert problem["reason"]
    assert problem["example"]
    assert Contract.objects.count() == before


def test_a_third_party_drafts_nothing_for_others_and_nobody_decides_for_another(cast: Cast) -> None:
    world = make_world(tokens={(MODEL, "input"): "1"}, parties=(cast.provider, cast.tenant))
    body = draft(world, world.make_slices(1))
    assert Program(cast.outsider).post(LIST, body, 422)["field"] == "provider"
    made = Program(cast.provider).post(LIST, body, 201)
    address = f"/api/v1/amendments/{made['id']}"
    for verb in ("offer", "decline", "withdraw"):
        Program(cast.outsider).post(f"{address}/{verb}", {}, 404)
    Program(cast.provider).post(f"{address}/offer")
    assert Program(cast.provider).post(f"{address}/offer", {}, 409)["code"] == "amendment_closed"
    word = {"name": "Charlie", "sha256": made["sha256"] or "0" * 64}
    Program(cast.outsider).post(f"{address}/accept", word, 404)
    assert Program(cast.tenant).post(f"{address}/accept", word, 409)["code"] == "other_terms"
    assert Program(cast.tenant).post(f"{address}/withdraw", {}, 409)["code"] == "amendment_closed"
    assert Program(cast.tenant).post(f"{address}/decline")["state"] == "declined"
    drafted = Program(cast.provider).post(f"{LIST}/{made['contract_id']}/amendments", {"changes": body["changes"]}, 201)
    assert Program(cast.provider).post(f"/api/v1/amendments/{drafted['id']}/withdraw")["state"] == "withdrawn"
    reader = Program(cast.provider, ("contracts:read",))
    reader.post(LIST, body, 403)
