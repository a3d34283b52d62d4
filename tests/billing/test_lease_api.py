"""Capacity, quotes and leases by API: a walk from question to early end, and clear refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.leasing import record_steps
from billing.models import Quote, Term
from clusters.models import Allocation
from tests.billing.world import H100, World, make_world
from tests.factories import make_cast
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

FROM = (timezone.now() + timedelta(days=10)).replace(minute=0, second=0, microsecond=0)
TO = FROM + timedelta(days=14)


def text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Program:
    """A program with a key of an organization."""

    def __init__(self, organization: Organization) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {api_key(organization)}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path: str, **body: object) -> Any:
        return self.client.post(f"/api/v1/{path}", body, content_type="application/json")


@kept
def cast() -> Cast:
    return make_cast()


@kept
def world(cast: Cast) -> World:
    made = make_world(gpus={H100: "2.35"}, parties=(cast.provider, cast.tenant), time_zone="America/New_York")
    made.make_slices(4)
    return made


def span(count: int = 2, **more: Any) -> dict[str, Any]:
    return {"model": H100, "count": count, "from": text(FROM), "to": text(TO), **more}


def test_what_is_free_is_told_with_its_price(cast: Cast, world: World) -> None:
    answer = Program(cast.tenant).get("capacity", **span(contract=world.contract.number)).json()
    assert (answer["free"], answer["enough"], answer["nodes"]) == (4, True, 1)
    assert answer["earliest_start"] == text(FROM)
    assert (answer["price_per_gpu_hour"], answer["currency"]) == ("2.35", "USD")


def test_what_is_not_free_is_told_with_the_earliest_start(cast: Cast, world: World) -> None:
    tenant = Program(cast.tenant)
    quote = tenant.post("quotes", contract=world.contract.number, **span(3)).json()
    tenant.post(f"quotes/{quote['id']}/reserve")
    answer = tenant.get("capacity", **span(2)).json()
    assert (answer["free"], answer["enough"], answer["nodes"]) == (1, False, 0)
    assert answer["earliest_start"] == text(TO)
    assert answer["price_per_gpu_hour"] == "2.35"


def test_a_tenant_is_told_of_its_own_providers_only(cast: Cast, world: World) -> None:
    make_world(gpus={H100: "1"}).make_slices(9)
    assert Program(cast.tenant).get("capacity", **span()).json()["free"] == 4
    outsider = Program(cast.outsider)
    assert outsider.get("capacity", **span()).json()["free"] == 0
    assert outsider.get("capacity", **span(contract=world.contract.number)).status_code == 404


def test_a_lease_is_quoted_reserved_extended_and_ended(cast: Cast, world: World) -> None:
    tenant = Program(cast.tenant)
    made = tenant.post("quotes", contract=world.contract.number, **span())
    assert made.status_code == 201
    quote = made.json()
    assert quote["amount"] == "1579.2"
    assert not Allocation.objects.exists()
    first, again = (tenant.post(f"quotes/{quote['id']}/reserve") for _ in range(2))
    assert (first.status_code, first.json()["ref"]) == (201, again.json()["ref"])
    lease = first.json()
    assert (lease["state"], lease["slices"], lease["share_permille"]) == ("reserved", 2, 2_000)
    assert tenant.get(f"quotes/{quote['id']}").json()["lease"] == lease["ref"]

    later = TO + timedelta(days=7)
    extended = tenant.post(f"leases/{lease['ref']}/extend", to=text(later)).json()
    assert extended["to"] == text(later)
    ended = tenant.post(f"leases/{lease['ref']}/end", at=text(FROM + timedelta(days=1))).json()
    assert ended["to"] == text(FROM + timedelta(days=1))
    assert [step["step"] for step in ended["steps"]] == ["reserved", "extended", "ended_early"]
    assert {step["reason"] for step in ended["steps"]} == {None}
    record_steps(term_id=Term.objects.get(ref=lease["ref"]).pk, now=TO)
    ended = tenant.get(f"leases/{lease['ref']}").json()
    assert [step["reason"] for step in ended["steps"] if step["step"] == "ended"] == ["ended_early"]
    assert Program(cast.provider).get("leases").json()["leases"] == [ended]
    assert Program(cast.outsider).get("leases").json()["leases"] == []
    assert Program(cast.outsider).get(f"leases/{lease['ref']}").status_code == 404
    assert Program(cast.outsider).post(f"quotes/{quote['id']}/reserve").status_code == 404
    assert Program(cast.outsider).post(f"leases/{lease['ref']}/end", at=text(FROM)).status_code == 404


def test_what_is_held_past_the_end_is_recorded_by_its_provider(cast: Cast, world: World) -> None:
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    lease = world.lease(1, from_at=ended - timedelta(days=1), to_at=ended, now=ended)
    tenant, provider = Program(cast.tenant), Program(cast.provider)
    assert tenant.post(f"leases/{lease.ref}/hold-over", to=text(FROM)).status_code == 404
    held = [provider.post(f"leases/{lease.ref}/hold-over", to=text(ended + timedelta(days=3))) for _ in range(2)]
    assert [each.status_code for each in held] == [200, 200]
    assert held[0].json() == held[1].json()
    assert held[0].json()["to"] == text(ended + timedelta(days=3))
    assert [step["step"] for step in held[0].json()["steps"]] == ["held_over"]
    assert provider.post(f"leases/{lease.ref}/hold-over", to=text(FROM)).json()["code"] == "wrong_terms"


def test_too_much_is_refused_with_what_would_do(cast: Cast, world: World) -> None:
    refused = Program(cast.tenant).post("quotes", contract=world.contract.number, **span(5))
    assert refused.status_code == 409
    assert (refused.json()["code"], refused.json()["earliest_start"]) == ("not_enough_free", None)
    assert refused.json()["field"] == "count"
    assert "Example: a smaller count, such as count=1" in refused.json()["detail"]
    assert not Quote.objects.exists()


@pytest.mark.parametrize(
    ("asked", "examples"),
    [
        ({"from": "2026-11-01T01:30"}, ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"]),
        ({"to": "2027-03-14T02:30"}, ["2027-03-14T01:30:00-05:00", "2027-03-14T03:30:00-04:00"]),
        ({"from": "Monday"}, ["2026-11-30T08:00:00Z", "2026-11-30T08:00"]),
    ],
)
def test_local_time_that_is_twice_or_never_is_refused_with_both_instants(
    cast: Cast, world: World, asked: dict[str, str], examples: list[str]
) -> None:
    answer = Program(cast.tenant).get("capacity", **span(contract=world.contract.number) | asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_instant")
    assert answer.json()["field"] == next(iter(asked))
    assert answer.json()["examples"] == examples


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"count": 0}, 400, "invalid"),
        ({"kind": "half"}, 400, "invalid"),
        ({"model": ""}, 400, "invalid"),
        ({"to": text(FROM)}, 422, "wrong_wish"),
        ({"profile": "1g.10gb"}, 422, "wrong_wish"),
        ({"model": "NVIDIA Q9000"}, 422, "wrong_wish"),
    ],
)
def test_a_question_that_cannot_be_is_refused_with_its_field(
    cast: Cast, world: World, asked: dict[str, object], status: int, code: str
) -> None:
    caller = Program(cast.tenant)
    for answer in (
        caller.get("capacity", **span() | asked),
        caller.post("quotes", contract=world.contract.number, **span() | asked),
    ):
        told = answer.json()
        assert (answer.status_code, told["code"]) == (status, code)
        about = told if status == 422 else told["errors"][0]
        assert about["field"] in (*asked, "kind")
        assert about["detail"]
        assert about.get("example") or "count" not in asked
    assert not Quote.objects.exists()


def test_a_card_that_all_hold_is_no_unknown_one(cast: Cast, world: World) -> None:
    answer = Program(cast.tenant).get("capacity", **span(9))
    assert (answer.status_code, answer.json()["enough"]) == (200, False)


def test_a_body_that_is_no_object_is_refused(cast: Cast, world: World) -> None:
    answer = Program(cast.tenant).client.post("/api/v1/quotes", [1], content_type="application/json")
    assert answer.status_code == 400


def test_an_end_in_the_past_is_refused(cast: Cast, world: World) -> None:
    tenant = Program(cast.tenant)
    quote = tenant.post("quotes", contract=world.contract.number, **span()).json()
    lease = tenant.post(f"quotes/{quote['id']}/reserve").json()
    answer = tenant.post(f"leases/{lease['ref']}/end", at="2026-03-01T00:00:00Z")
    assert (answer.status_code, answer.json()["code"]) == (422, "in_the_past")
