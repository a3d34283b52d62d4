"""A lease's page: terms, what is held, what was charged, and to whom it is shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.contracting import add_lease
from billing.models import Charge, LeaseEvent, TermFact
from billing.queries.leases import lease_detail
from tenants.models import Role
from tests import factories
from tests.billing.pages.let_floor import LetFloor, let_floor, let_now
from tests.billing.world import H100, MARCH, World, make_world
from tests.factories import Cast
from tests.kept import kept

DAY = timedelta(days=1)
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)


let = kept(let_now)


def now() -> datetime:
    return datetime.now(UTC)


def read(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


@kept
def world(cast: Cast) -> World:
    return make_world(parties=(cast.provider, cast.tenant), gpus={H100: "2.35"})


@pytest.mark.django_db
def test_a_running_lease_shows_its_terms_and_what_it_earned(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    words = read(client, f"/p/leases/{let.long.ref}/")
    assert f"{let.long.ref} running" in words
    assert let.contracts[0].number in words
    assert "$1.12 per GPU-hour, agreed" in words
    assert "Northwind Robotics" in words
    assert "days left" in words
    assert "Charged per day" in words
    for position in range(4):
        assert f"{let.floor.busy.name} · GPU {position} running whole card 100%" in words
    charged = sum((charge.amount for charge in Charge.objects.filter(term_ref=let.long.ref)), Decimal(0))
    assert charged > 0
    assert f"${charged:,.2f}" in words


@pytest.mark.django_db
def test_hours_so_far_and_charges_agree_to_the_second(cast: Cast) -> None:
    at = now()
    made = let_floor(cast.provider, cast.tenant, at)
    detail = lease_detail(cast.provider, made.long.ref, at)
    assert detail is not None
    assert detail.charged_gpu_seconds * 1000 == detail.held_gpu_ms
    assert detail.share_permille == 4000
    hours = Decimal(detail.held_gpu_ms) / 3_600_000
    assert abs(detail.charged - hours * Decimal("1.12")) < Decimal("0.000001")
    assert detail.charged_to_at == at.replace(microsecond=0)


@pytest.mark.django_db
def test_a_booked_lease_has_the_books_price_and_nothing_charged(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    words = read(client, f"/p/leases/{let.booked.ref}/")
    assert f"{let.booked.ref} reserved" in words
    assert "not begun" in words
    assert "nothing charged yet" in words
    assert re.search(r"\$2\.35 per GPU-hour, Book \d+ v1", words)
    assert "2 GPUs" in words
    assert "Charged per day" not in words


@pytest.mark.django_db
def test_a_lease_that_is_over_and_one_of_parts(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    assert f"{let.past.ref} ended" in read(client, f"/p/leases/{let.past.ref}/")
    parts = read(client, f"/p/leases/{let.parts.ref}/")
    assert "3g.40gb 50%" in parts
    assert "2g.20gb 28.6%" in parts
    assert "0.79 GPUs" in parts


@pytest.mark.django_db
def test_a_lease_is_held_over_by_its_provider_once_it_is_over(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    assert "Held past its end" not in read(client, f"/p/leases/{let.long.ref}/")
    page = f"/p/leases/{let.past.ref}/"
    assert "Held past its end" in read(client, page)
    assert let.past.to_at is not None
    early = client.post(f"{page}hold-over/", {"hold-at": f"{let.past.to_at - DAY:%Y-%m-%dT%H:%M}"})
    assert early.status_code == 422
    assert "Held until" in unescape(early.content.decode())
    until = let.past.to_at + timedelta(hours=1)
    answer = client.post(f"{page}hold-over/", {"hold-at": f"{until:%Y-%m-%dT%H:%M}"})
    assert answer.headers["Location"] == page
    event = LeaseEvent.objects.get(term=let.past)
    assert (event.step, event.to_at, event.by) == ("held_over", until.replace(second=0), cast.petra.email)
    client.force_login(cast.alice)
    assert client.post(f"{page}hold-over/", {"hold-at": "2030-01-01T00:00"}).status_code == 404


@pytest.mark.django_db
def test_a_provider_states_an_outage_and_both_sides_read_it(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    page = f"/p/leases/{let.long.ref}/"
    words = read(client, page)
    assert "No outage is on record." in words
    assert "cannot be taken back" in words
    assert "maintenance (takes off nothing by this contract)" in words
    start = let.long.from_at + DAY
    sent = {
        "out-what": "",
        "out-cause": "maintenance",
        "out-from_at": f"{start:%Y-%m-%dT%H:%M}",
        "out-to_at": f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M}",
    }
    early = client.post(f"{page}outage/", {**sent, "out-from_at": f"{let.long.from_at - DAY:%Y-%m-%dT%H:%M}"})
    assert early.status_code == 422
    assert "did not hold the cards" in unescape(early.content.decode())
    assert "Example:" not in early.content.decode(), "beside boxes that take nothing else"
    unsaid = client.post(f"{page}outage/", {**sent, "out-cause": ""})
    assert (unsaid.status_code, "This field is required." in unsaid.content.decode()) == (422, True)
    assert not TermFact.objects.exists()
    card = str(let.long.allocations.values_list("allocation__slice__accelerator_id", flat=True)[0])
    assert client.post(f"{page}outage/", {**sent, "out-what": card}).headers["Location"] == page
    assert client.post(f"{page}outage/", sent).headers["Location"] == page
    assert TermFact.objects.filter(term=let.long).count() == 4
    assert f"{let.floor.busy.name} · GPU" in read(client, page).partition("Outages")[2].partition("State an outage")[0]
    assert client.post(f"{page}outage/", sent).headers["Location"] == page
    assert "It was stated already." in read(client, page)
    client.force_login(cast.alice)
    seen = read(client, f"/t/leases/{let.long.ref}/")
    assert f"3 GPUs {cast.petra.email}" in seen
    assert let.floor.busy.name not in seen
    assert "State an outage" not in seen
    assert client.post(f"{page}outage/", sent).status_code == 404


@pytest.mark.django_db
def test_who_may_not_change_leases_states_no_outage(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(factories.make_user("view@example.com", cast.provider, Role.VIEWER))
    page = f"/p/leases/{let.long.ref}/"
    assert "State an outage" not in read(client, page)
    assert client.post(f"{page}outage/", {}).status_code == 403


@pytest.mark.django_db
def test_a_lease_without_a_price_says_so(cast: Cast, client: Client) -> None:
    world = make_world(parties=(cast.provider, cast.tenant))
    lease = world.lease(1, price=None)
    client.force_login(cast.petra)
    words = read(client, f"/p/leases/{lease.ref}/")
    assert "no price in force" in words
    assert "no end set" in words
    assert "runs until it is ended" in words


@pytest.mark.django_db
def test_what_is_held_ends_with_now_and_counts_parts(cast: Cast, world: World) -> None:
    quarter = factories.make_slice(factories.make_accelerator(world.make_node()), 250)
    lease = add_lease(
        contract=world.contract, slices=[quarter], from_at=MARCH, to_at=None, price_per_gpu_hour=None, now=MARCH
    )
    detail = lease_detail(cast.provider, lease.ref, MARCH + 8 * timedelta(hours=1))
    assert detail is not None
    assert detail.held_gpu_ms == 2 * 3_600_000
    assert detail.book_price is not None
    assert detail.book_price.price_per_gpu_hour == Decimal("2.35")
    before = lease_detail(cast.provider, lease.ref, MARCH - DAY)
    assert before is not None
    assert (before.held_gpu_ms, before.share_permille) == (0, 250)


@pytest.mark.django_db
def test_another_provider_and_its_own_tenant_find_nothing(cast: Cast, client: Client, let: LetFloor) -> None:
    for person in (cast.charlie, cast.alice):
        client.force_login(person)
        assert client.get(f"/p/leases/{let.long.ref}/").status_code == 404
    assert lease_detail(cast.outsider, let.long.ref, now()) is None
    client.force_login(cast.petra)
    assert client.get("/p/leases/L-9999999/").status_code == 404
    assert client.post(f"/p/leases/{let.long.ref}/").status_code == 405


@pytest.mark.django_db
def test_what_it_earned_is_for_those_who_read_invoices(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(factories.make_user("dev@example.com", cast.provider, Role.DEVELOPER))
    words = read(client, f"/p/leases/{let.long.ref}/")
    assert "GPU-hours so far" in words
    assert "Charged" not in words
    client.force_login(factories.make_user("bill@example.com", cast.provider, Role.BILLING))
    assert client.get(f"/p/leases/{let.long.ref}/").status_code == 403


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_the_cost_of_the_page_does_not_grow_with_the_lease(cast: Cast, client: Client, world: World) -> None:
    small, large = world.lease(2), world.lease(200)
    client.force_login(cast.petra)
    assert _queries(client, small.ref) == _queries(client, large.ref)
    assert _queries(client, large.ref) <= 20
    page = client.get(f"/p/leases/{large.ref}/")
    assert len(page.context["allocations"]) == 200
    assert page.context["left_out"] == 0


@pytest.mark.django_db
def test_the_newest_allocations_are_shown_and_all_are_counted(cast: Cast, client: Client, world: World) -> None:
    lease = world.lease(201, to_at=MARCH + DAY)
    detail = lease_detail(cast.provider, lease.ref, MARCH + 2 * DAY)
    assert detail is not None
    assert (detail.allocation_count, len(detail.allocations)) == (201, 200)
    assert detail.held_gpu_ms == 201 * 24 * 3_600_000
    client.force_login(cast.petra)
    assert "1 older one counts in the figures above" in read(client, f"/p/leases/{lease.ref}/")


def _queries(client: Client, ref: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/p/leases/{ref}/").status_code == 200
    return len(captured)
