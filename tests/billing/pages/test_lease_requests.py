"""From question to lease in the portal, each step a form: and what is refused says why, with the form as it was."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from billing.holding import SliceTaken, WrongTerms
from billing.lease_steps import InThePast, NoPriceInForce, NotOpen
from billing.leasing import LeaseOver
from billing.models import Quote, Term
from billing.pages.lease_requests import refusal_words
from billing.queries.lease_list import steps_of
from billing.quoting import NotEnoughFree, QuoteExpired, quote_lease, reserve_quote
from billing.rating.lease_wording import AtEnd, EarlyEnd, LeaseWording
from clusters.capacity import Wish, WrongWish
from clusters.models import Allocation, Slice, SliceKind
from metering.pages.node_lines import short_model
from tests.billing.world import H100, World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

NEXT = (datetime.now(UTC) + timedelta(days=10)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)


def asked(world: World, count: int = 2, days: int = 14, **more: Any) -> dict[str, str]:
    return {
        "contract": world.contract.number,
        "what": f"{H100}|whole|",
        "count": str(count),
        "from_at": NEXT.isoformat(timespec="minutes"),
        "to_at": (NEXT + timedelta(days=days)).isoformat(timespec="minutes"),
        **more,
    }


def text_of(answer: object) -> str:
    content: bytes = answer.content  # type: ignore[attr-defined]  # an answer of the test client
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", content.decode())))


@kept
def world(cast: Cast) -> World:
    made = make_world(gpus={H100: "2.35"}, parties=(cast.provider, cast.tenant), time_zone="America/New_York")
    made.make_slices(4)
    return made


def test_a_part_of_a_card_is_named_by_choice_quote_list_and_lease(cast: Cast, world: World, client: Client) -> None:
    card = Slice.objects.filter(accelerator__node__cluster__provider=cast.provider)[0].accelerator
    for place in range(4):
        Slice.objects.create(
            accelerator=card,
            kind=SliceKind.FRACTION,
            label=f"part-{place}",
            share_permille=250,
            created_at=datetime.now(UTC),
        )
    client.force_login(cast.alice)
    assert f"¼ × {H100}" in text_of(client.get("/t/leases/new/"))
    client.post("/t/leases/quote/", asked(world, what=f"{H100}|fraction|0250"))
    assert f"2 × ¼ × {short_model(H100)}" in text_of(client.get("/t/leases/"))
    lease = reserve_quote(quote_id=Quote.objects.get().id, by="alice", now=datetime.now(UTC))
    assert f"2 × ¼ × {short_model(H100)}" in text_of(client.get("/t/leases/?view=list"))
    assert f"2 × ¼ × {H100}" in text_of(client.get(f"/t/leases/{lease.ref}/"))
    client.force_login(cast.petra)
    assert text_of(client.get(f"/p/leases/{lease.ref}/")).count(f"2 × ¼ × {H100}") == 2


def test_a_tenant_walks_from_question_to_lease_and_to_its_end(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    assert "The answer comes at once" in text_of(client.get("/t/leases/new/"))
    answer = text_of(client.get("/t/leases/new/", asked(world)))
    assert "Yes. 4 are free over the whole time. It fits on 1 node." in answer
    assert "$2.35 per GPU-hour now" in answer
    assert client.post("/t/leases/quote/", asked(world)).status_code == 302
    quote = Quote.objects.get()
    assert "Prices that stand" in text_of(client.get("/t/leases/"))
    assert not Allocation.objects.exists()
    client.force_login(cast.petra)
    assert quote.number in text_of(client.get("/p/leases/"))
    client.force_login(cast.alice)
    for _ in range(2):
        client.post(f"/t/leases/quotes/{quote.id}/reserve/")
    lease = Term.objects.get()
    assert Allocation.objects.count() == 2
    assert "reserved" in text_of(client.get(f"/t/leases/{lease.ref}/"))
    later = (NEXT + timedelta(days=20)).isoformat(timespec="minutes")
    assert client.post(f"/t/leases/{lease.ref}/extend/", {"extend-at": later}).status_code == 302
    sooner = (NEXT + timedelta(days=2)).isoformat(timespec="minutes")
    assert client.post(f"/t/leases/{lease.ref}/end/", {"end-at": sooner}).status_code == 302
    page = text_of(client.get(f"/t/leases/{lease.ref}/"))
    assert f"extended to {NEXT + timedelta(days=20):%-d %b %Y}" in page
    recorded = [step.recorded_at.astimezone(ZoneInfo("America/New_York")) for step in steps_of(lease)]
    assert len(recorded) > 1, "each step is on record"
    for at in recorded:
        assert f"entered {at:%-d %b %Y}" in page, "in the contract's zone, where it may be yesterday still"
    assert "ended early" in page


def test_both_sides_read_on_the_lease_what_its_end_costs(cast: Cast, world: World, client: Client) -> None:
    begins = NEXT.replace(tzinfo=UTC)
    wording = LeaseWording(
        price_per_gpu_hour=Decimal("2.1"),
        deposit_amount=Decimal(500),
        at_end=AtEnd.RENEW,
        renew_days=14,
        early_end=EarlyEnd.SHARE_OF_REMAINDER,
        early_end_percent_of_remainder=Decimal(40),
        holdover_percent=Decimal(150),
    )
    quote = quote_lease(
        contract=world.contract,
        wish=Wish(H100, 1, begins, begins + timedelta(days=3)),
        asked_by=world.tenant,
        now=datetime.now(UTC),
        wording=wording,
    )
    lease = reserve_quote(quote_id=quote.id, by="alice", now=datetime.now(UTC))
    for person, side in ((cast.alice, "t"), (cast.petra, "p")):
        client.force_login(person)
        page = text_of(client.get(f"/{side}/leases/{lease.ref}/"))
        assert "Deposit $500.00 Renewed by, days 14 Ended early a share of the remainder is paid" in page
        assert "Early end, percent of the remainder 40% Percent of the price past the end 150%" in page
        assert page.count("Card model") == 1
        assert "it is renewed" not in page, "said once, above"


def test_a_tenant_takes_cards_at_once(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    found = re.search(r'name="from_at" value="([^"]+)"', client.get("/t/leases/new/").content.decode())
    assert found, "the form begins with now"
    now = datetime.now(UTC)
    begins = datetime.fromisoformat(found[1]).replace(tzinfo=ZoneInfo("America/New_York"))
    assert timedelta(0) <= now - begins < timedelta(minutes=2)
    wished = asked(world, from_at=found[1])
    assert "Yes. 4 are free" in text_of(client.get("/t/leases/new/", wished))
    assert client.post("/t/leases/quote/", wished).status_code == 302
    client.post(f"/t/leases/quotes/{Quote.objects.get().id}/reserve/")
    lease = Term.objects.get()
    assert lease.from_at >= now.replace(microsecond=0)
    assert "running" in text_of(client.get(f"/t/leases/{lease.ref}/"))


def test_where_local_time_is_twice_there_is_room_for_its_offset(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    november = next(day for day in (date(NEXT.year + ahead, 11, 1) for ahead in (0, 1)) if day > NEXT.date())
    twice = f"{november + timedelta(days=6 - november.weekday())}T01:30"  # its first Sunday, as New York turns back
    page = client.get("/t/leases/new/", asked(world, to_at=twice)).content.decode()
    kinds = dict(re.findall(r'<input type="([^"]+)" name="(from_at|to_at)"', page))
    assert kinds == {"datetime-local": "from_at", "text": "to_at"}
    assert client.get("/t/leases/new/", asked(world, to_at=f"{twice}:00-05:00")).status_code == 200


def test_what_is_not_free_is_answered_with_when_it_is(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    assert "At no time within two years" in text_of(client.get("/t/leases/new/", asked(world, 5)))
    client.post("/t/leases/quote/", asked(world, 3))
    reserve_quote(quote_id=Quote.objects.get().id, by="alice", now=datetime.now(UTC))
    answer = text_of(client.get("/t/leases/new/", asked(world, 2)))
    assert "Not then. 1 is free over the whole time." in answer
    assert "Enough is free for as long from" in answer
    assert "UTC UTC" not in answer
    refused = client.post("/t/leases/quote/", asked(world, 2))
    assert refused.status_code == 409
    assert "Not enough is free then" in text_of(refused)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"from_at": "2026-11-01T01:30"}, "2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00"),
        ({"to_at": "Monday"}, "is no time"),
        ({"count": "0"}, "greater than or equal to 1"),
        ({"to_at": NEXT.isoformat()}, "The end must lie after the start"),
        ({"from_at": "2026-03-02T00:00"}, "This time is over. Give a later one."),
        ({"contract": "C-none"}, "is not one of the available choices"),
    ],
)
def test_a_wrong_field_is_shown_beside_it(
    cast: Cast, world: World, client: Client, wrong: dict[str, Any], words: str
) -> None:
    client.force_login(cast.alice)
    answer = client.get("/t/leases/new/", asked(world, **wrong))
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert client.post("/t/leases/quote/", asked(world, **wrong)).status_code == 422
    assert not Quote.objects.exists()


def test_an_end_that_cannot_be_is_shown_beside_its_field(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    client.post("/t/leases/quote/", asked(world))
    client.post(f"/t/leases/quotes/{Quote.objects.get().id}/reserve/")
    lease = Term.objects.get()
    past = client.post(f"/t/leases/{lease.ref}/end/", {"end-at": "2020-01-01T00:00"})
    assert past.status_code == 422
    assert "This time is over" in text_of(past)
    assert client.post(f"/t/leases/{lease.ref}/extend/", {"extend-at": ""}).status_code == 422


def test_an_expired_price_is_not_reserved(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    client.post("/t/leases/quote/", asked(world))
    Quote.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    answer = client.post(f"/t/leases/quotes/{Quote.objects.get().id}/reserve/", follow=True)
    assert "The price no longer stands" in text_of(answer)
    assert not Term.objects.exists()


def test_only_who_may_asks_and_only_for_their_own(cast: Cast, world: World, client: Client) -> None:
    client.force_login(cast.alice)
    client.post("/t/leases/quote/", asked(world))
    quote = Quote.objects.get()
    client.force_login(cast.bob)
    assert client.get("/t/leases/new/").status_code == 403
    assert client.post(f"/t/leases/quotes/{quote.id}/reserve/").status_code == 403
    client.force_login(cast.charlie)
    assert client.post(f"/t/leases/quotes/{quote.id}/reserve/").status_code == 404
    assert client.post("/t/leases/L-1/end/", {"end-at": "2030-01-01"}).status_code == 404


def test_where_nothing_can_be_asked_it_says_what_comes_first(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    first = client.get("/t/leases/new/")
    assert "No contract is running" in text_of(first)
    assert "from_at" not in first.content.decode()
    assert 'href="/t/contracts/"' in first.content.decode()
    make_world(gpus={H100: "2.35"}, parties=(cast.provider, cast.tenant))
    assert "No cards yet" in text_of(client.get("/t/leases/new/"))


def test_every_refusal_has_words() -> None:
    problems = (
        NotEnoughFree, NoPriceInForce, QuoteExpired, NotOpen, InThePast, LeaseOver, SliceTaken, WrongTerms, WrongWish,
    )  # fmt: skip
    assert len({refusal_words(problem("x")) for problem in problems}) == len(problems)
