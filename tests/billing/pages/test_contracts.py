from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from billing.agreements.drafting import withdraw
from billing.charging import ensure_periods
from billing.leasing import SWEEP, extend_lease
from billing.models import Amendment, Contract, LeaseStep
from billing.queries.agreements import contracts_of
from billing.quoting import quote_lease, reserve_quote
from clusters.capacity import Wish
from tests.billing.agreements.agreed import PRICES, accepted, lease_wording, new_lease, offered, provider, share_wording
from tests.billing.agreements.test_api import Program, draft
from tests.billing.pages.reading import text_of
from tests.billing.world import H100, MARCH, MODEL, World, make_world
from tests.factories import Cast, make_contract, make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

FIRST = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = (FIRST - timedelta(days=1)).replace(day=1)
AHEAD = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)


def make_agreed(cast: Cast) -> World:
    """A contract with a lease and a share, used last month."""
    world = make_world(tokens=PRICES, gpus={H100: "2"}, from_at=LAST_MONTH, parties=(cast.provider, cast.tenant))
    world.lease(1, from_at=LAST_MONTH + timedelta(days=4), to_at=LAST_MONTH + timedelta(days=6))
    world.share(now=LAST_MONTH).use({"output": 1_000_000}, at=LAST_MONTH + timedelta(days=4))
    ensure_periods(contract=world.contract, now=FIRST)
    return world


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return text_of(answer)


def filled(client: Client, path: str) -> dict[str, Any]:
    """What a browser would send of a form as it stands."""
    form: Any = client.get(path).context["form"]
    return {name: form[name].value() for name in form.fields if form[name].value() not in (None, "", False)}


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


world = kept(make_agreed)


def test_both_sides_list_and_read_a_contract(cast: Cast, world: World) -> None:
    for person, side, party in ((cast.alice, "t", cast.provider), (cast.petra, "p", cast.tenant)):
        client = signed_in(person)
        assert party.name in read(client, f"/{side}/contracts/")
        words = read(client, f"/{side}/contracts/{world.contract.id}/")
        for text in ("GPU lease", "2.35", "Share of token revenue", "30", "version 1", "entered by the platform"):
            assert text in words
        assert world.contract.versions.latest("number").sha256 in words
    assert world.contract.number not in read(signed_in(cast.charlie), "/t/contracts/")


def test_a_version_that_came_of_a_lease_s_step_names_who_took_it(cast: Cast, world: World) -> None:
    world.make_slices(1)
    wished = Wish(H100, 1, AHEAD, AHEAD + timedelta(days=7))
    quote = quote_lease(contract=world.contract, wish=wished, asked_by=cast.tenant, now=datetime.now(UTC))
    lease = reserve_quote(quote_id=quote.id, by=cast.alice.email, now=datetime.now(UTC))
    extend_lease(lease=lease, to_at=AHEAD + timedelta(days=14), by=SWEEP, now=datetime.now(UTC), step=LeaseStep.RENEWED)
    page = f"contracts/{world.contract.id}/"
    own, other = (read(signed_in(each), f"/{side}/{page}") for each, side in ((cast.alice, "t"), (cast.petra, "p")))
    assert f"{lease.ref} · reserved {cast.alice.name}, {cast.tenant.name}, " in own
    assert f"{lease.ref} · reserved {cast.alice.email}, " in other
    for words in (own, other):
        assert f"{lease.ref} · renewed by the platform, as the lease says, " in words


@pytest.mark.usefixtures("told_contexts")
def test_contracts_are_listed_in_pages_at_the_same_cost(
    cast: Cast, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    petra, alice = signed_in(cast.petra), signed_in(cast.alice)
    with CaptureQueriesContext(connection) as captured:
        assert petra.get("/p/contracts/").context["pagination"] is None
    others = [make_organization(f"listed-{place:02d}") for place in range(52)]
    for each in others:
        make_contract(cast.provider, each, world.book, from_at=LAST_MONTH)
    with django_assert_max_num_queries(len(captured)):
        first = petra.get("/p/contracts/")
    assert first.context["pagination"].summary == "1 to 50 of 53"
    second = petra.get(first.context["pagination"].next_url)
    shown = [row["contract"].pk for answer in (first, second) for row in answer.context["rows"]]
    assert shown == [each.pk for each in contracts_of(cast.provider)]
    assert petra.get("/p/contracts/?page=x").status_code == 404
    # A tenant's list is of its own contracts alone, however many its provider has.
    assert [row["contract"].pk for row in alice.get("/t/contracts/").context["rows"]] == [world.contract.pk]


def test_an_offer_is_read_with_its_difference_and_accepted_by_both(cast: Cast, world: World) -> None:
    share = world.contract.terms.get(kind="token_share")
    made = offered(
        world, {"ref": share.ref, "from_at": AHEAD.isoformat(), "wording": share_wording()}, now=datetime.now(UTC)
    )
    alice, petra = signed_in(cast.alice), signed_in(cast.petra)
    assert "an offer waits" in read(alice, "/t/contracts/")
    words = read(alice, f"/t/amendments/{made.id}/")
    for text in ("share in percent", "$113.13", "$113.02", "Nobody has accepted yet", made.sha256, "Decline"):
        assert text in words
    assert "First version" not in words, "the contract had one before its first amendment"
    blank = alice.post(f"/t/amendments/{made.id}/", {"action": "accept", "name": " ", "sha256": made.sha256})
    assert blank.status_code == 422
    assert "Write your name" in blank.content.decode()
    stale = alice.post(f"/t/amendments/{made.id}/", {"action": "accept", "name": "A", "sha256": "0"})
    assert stale.status_code == 409
    word = {"action": "accept", "sha256": made.sha256}
    for client, side, name in ((alice, "t", "Alice Sample"), (petra, "p", "Petra Sample")):
        answer = client.post(f"/{side}/amendments/{made.id}/", {**word, "name": name})
        assert answer.status_code == 302
    made.refresh_from_db()
    assert made.state == "accepted"
    words = read(alice, f"/t/contracts/{world.contract.id}/")
    assert "Alice Sample" in words
    assert "Petra Sample" in words
    settled = read(petra, f"/p/amendments/{made.id}/")
    assert "It is version" in settled
    assert "share in percent" in settled, "what was agreed stays to be read in words"
    assert "$113.13" not in settled, "what it costs is on the invoices from now on"


@pytest.mark.usefixtures("told_contexts")
def test_a_provider_drafts_an_amendment_by_form_adds_a_change_and_offers_it(cast: Cast, world: World) -> None:
    share = world.contract.terms.get(kind="token_share")
    petra = signed_in(cast.petra)
    address = f"/p/contracts/{world.contract.id}/amend/"
    assert "Share in percent" in read(petra, f"{address}?term={share.ref}")
    stamp = AHEAD.strftime("%Y-%m-%dT%H:%M:%S")
    given = {**filled(petra, f"{address}?term={share.ref}"), "term": share.ref, "from_at": stamp}
    assert given["w-share_percent"] == "30"
    given["w-share_percent"] = "20"
    wrong = petra.post(address, {**given, "w-share_percent": "120"})
    assert wrong.status_code == 422
    assert "100" in text_of(wrong)
    answer = petra.post(address, given)
    made = Amendment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/p/amendments/{made.id}/")
    assert made.changes[0]["wording"]["share_percent"] == "20"
    world.make_slices(2)
    lease = {**filled(petra, f"{address}?kind=lease"), "kind": "lease", "draft": str(made.id), "from_at": stamp}
    lease |= {"w-accelerator_model": H100, "cards": "2", "w-price_per_gpu_hour": "2"}
    many = petra.post(address, {**lease, "cards": "9"})
    assert "are free then" in many.content.decode()
    answer = petra.post(address, lease)
    assert answer.status_code == 302, answer.content.decode()
    made.refresh_from_db()
    assert [len(change["slices"] or ()) for change in made.changes] == [0, 2]
    assert signed_in(cast.alice).get(f"/t/amendments/{made.id}/").status_code == 404
    assert petra.post(f"/p/amendments/{made.id}/", {"action": "offer"}).status_code == 302
    assert "GPU lease" in read(signed_in(cast.alice), f"/t/amendments/{made.id}/")


def test_a_contract_is_drafted_by_form(cast: Cast, world: World) -> None:
    world.make_slices(1)
    assert world.book is not None
    given = {
        "party": cast.tenant.slug,
        "currency": "USD",
        "time_zone": "Europe/Berlin",
        "begins_at": AHEAD.strftime("%Y-%m-%dT%H:%M"),
        "price_book": str(world.book.id),
        "kind": "storage",
        "from_at": AHEAD.strftime("%Y-%m-%dT%H:%M"),
        "w-price_per_gb_month": "0.07",
    }
    petra = signed_in(cast.petra)
    assert "Price per GB and month" in read(petra, "/p/contracts/new/?kind=storage")
    for changed, said in (
        ({"party": "nobody"}, "no organization of this name"),
        ({"time_zone": "Mars/Olympus"}, "no IANA time zone"),
        ({"currency": "EUR"}, "price book must be in EUR"),
        ({"begins_at": "2026-10-25T02:30"}, "twice"),
    ):
        answer = petra.post("/p/contracts/new/", {**given, **changed})
        assert answer.status_code == 422
        assert said in answer.content.decode()
    answer = petra.post("/p/contracts/new/", given)
    assert answer.status_code == 302, answer.content.decode()
    drafted = Contract.objects.get(state="draft")
    assert drafted.tenant == cast.tenant
    assert "a draft of yours" in read(petra, "/p/contracts/")


def test_who_may_only_read_decides_nothing(cast: Cast, world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1), from_at=AHEAD.isoformat()), now=datetime.now(UTC))
    bob = signed_in(cast.bob)
    assert "Decline" not in read(bob, f"/t/amendments/{made.id}/")
    assert bob.post(f"/t/amendments/{made.id}/", {"action": "decline"}).status_code == 404
    assert bob.get(f"/t/contracts/{world.contract.id}/amend/").status_code == 403
    alice = signed_in(cast.alice)
    assert alice.post(f"/t/amendments/{made.id}/", {"action": "sing"}).status_code == 404
    assert alice.post(f"/t/amendments/{made.id}/", {"action": "decline"}).status_code == 302
    again = offered(world, {**made.changes[0], "wording": lease_wording()}, now=datetime.now(UTC))
    withdraw(amendment_id=again.id, by=provider(world), now=datetime.now(UTC))
    assert "Withdrawn" in read(alice, f"/t/amendments/{again.id}/")
    last = offered(world, made.changes[0], now=datetime.now(UTC))
    assert accepted(world, last, now=datetime.now(UTC)).version is not None


@pytest.mark.usefixtures("told_contexts")
def test_a_price_rule_is_drafted_by_form_and_read_in_words_by_both(cast: Cast, world: World) -> None:
    assert world.book is not None
    version = world.book.versions.get()
    petra = signed_in(cast.petra)
    address = f"/p/contracts/{world.contract.id}/amend/"
    stamp = AHEAD.strftime("%Y-%m-%dT%H:%M:%S")
    given = {**filled(petra, f"{address}?kind=price_rule"), "kind": "price_rule", "from_at": stamp}
    given |= {"w-notice_days": "30", "w-lock.from_at": AHEAD.isoformat()}
    given |= {"w-rise_cap.percent_per_year": "5", "w-rise_cap.from_at": AHEAD.isoformat()}
    own = {"model": MODEL, "quantity": "output", "price_per_mtok": "0.5"}
    given |= {f"w-overrides.0.{part}": value for part, value in own.items()}
    both = petra.post(address, {**given, "w-pin.price_version_id": str(version.id)})
    assert both.status_code == 422
    assert "locked or pinned, not both" in text_of(both)
    wrong = petra.post(address, {**given, "w-lock.from_at": "soon"})
    assert wrong.status_code == 422
    assert "An instant has an offset from UTC. Example: 2026-12-01T00:00:00Z" in text_of(wrong)
    answer = petra.post(address, given)
    assert answer.status_code == 302, text_of(answer)
    made = Amendment.objects.get()
    assert petra.post(f"/p/amendments/{made.id}/", {"action": "offer"}).status_code == 302
    made.refresh_from_db()
    alice = signed_in(cast.alice)
    said = ("Price rule", "30 days after it is announced", "prices are locked", "as long as the contract runs", "5%")
    for client, side in ((alice, "t"), (petra, "p")):
        words = read(client, f"/{side}/amendments/{made.id}/")
        for text in (*said, "$0.50", "Costs differ"):
            assert text in words, (side, text)
    accepted(world, made, datetime.now(UTC))
    for client, side in ((alice, "t"), (petra, "p")):
        words = read(client, f"/{side}/contracts/{world.contract.id}/")
        for text in (*said, "$0.50"):
            assert text in words, (side, text)
    assert signed_in(cast.charlie).get(f"/t/contracts/{world.contract.id}/").status_code == 404
    ref = world.contract.terms.get(kind="price_rule").ref
    again = filled(petra, f"{address}?term={ref}")
    assert (again["w-notice_days"], again["w-rise_cap.percent_per_year"]) == (30, "5")


@pytest.mark.usefixtures("told_contexts")
def test_a_first_version_is_accepted_where_the_contract_is_read(cast: Cast) -> None:
    world = make_world(from_at=MARCH, parties=(cast.provider, cast.tenant))
    petra = Program(cast.provider)
    made = petra.post("/api/v1/contracts", draft(world, world.make_slices(1)), 201)
    offer = petra.post(f"/api/v1/amendments/{made['id']}/offer")
    path = f"/contracts/{made['contract_id']}/"
    assert "Accept this contract" not in read(signed_in(cast.bob), f"/t{path}")
    for person, side in ((cast.alice, "t"), (cast.petra, "p")):
        client = signed_in(person)
        words = read(client, f"/{side}{path}")
        assert "Accept this contract" in words
        assert "Amendment 1" not in words
        assert offer["sha256"] in words
        offered_at = client.get(f"/{side}{path}").context["offer"]["url"]
        assert client.post(offered_at, {"action": "accept", "name": "A", "sha256": offer["sha256"]}).status_code == 302
        assert "Accept this contract" not in read(client, f"/{side}{path}")
        assert "First version of" in read(client, offered_at)
    assert Contract.objects.get(pk=made["contract_id"]).state == "active"
