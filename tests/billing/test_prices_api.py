"""Price books and versions by the API: read by both parties, published once, refused with field and example."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import IndexSource, PriceBook, PriceNotice, PriceVersion
from billing.price_index import import_prices
from billing.pricing import publish_prices
from tests.billing.announced import OUTPUT, announce
from tests.billing.litellm_sample import price_file
from tests.billing.test_api import Program, csv_of
from tests.factories import make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

BOOKS, VERSIONS = "/api/v1/price-books", "/api/v1/price-versions"
ROW = {"model": "sample-large", "quantity": "output", "price_per_mtok": "1.474"}
DAY = timedelta(days=1)


def program(organization: Organization) -> Program:
    return Program(organization, ("prices:read", "prices:write"))


def post(caller: Program, path: str, body: object, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return caller.client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def version(book: PriceBook, *rows: dict[str, Any], days: int = 12) -> dict[str, Any]:
    at = datetime.now(UTC).replace(microsecond=0) + days * DAY
    return {"price_book_id": str(book.id), "effective_at": at.isoformat(), "prices": list(rows)}


@kept
def book(cast: Cast) -> PriceBook:
    return make_price_book(cast.provider)


def test_a_version_is_published_once_and_its_tenant_reads_it(cast: Cast) -> None:
    world = announce(cast, datetime.now(UTC)).world
    assert world.book is not None
    body, seller = version(world.book, ROW, days=30), program(cast.provider)
    first = post(seller, VERSIONS, body, key="n-1")
    assert (first.status_code, first.json()["number"], first.json()["standing"]) == (201, 3, "announced")
    again = post(seller, VERSIONS, body, key="n-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert post(seller, VERSIONS, {**body, "prices": []}, key="n-1").json()["code"] == "idempotency_key_reused"
    assert post(seller, VERSIONS, body).json()["code"] == "price_version_exists"
    assert PriceVersion.objects.count() == 3
    assert PriceNotice.objects.filter(version=first.json()["id"]).count() == 1
    buyer = program(cast.tenant)
    assert buyer.get(f"{VERSIONS}/{first.json()['id']}").json() == first.json()
    assert first.json()["prices"] == [ROW]
    assert post(buyer, VERSIONS, body).status_code == 404
    assert program(cast.outsider).get(f"{VERSIONS}/{first.json()['id']}").status_code == 404


def test_versions_are_listed_in_pages_and_as_a_file(cast: Cast, book: PriceBook) -> None:
    now = datetime.now(UTC)
    for days in range(5):
        publish_prices(book=book, effective_at=now + days * DAY, prices={OUTPUT: Decimal(days)}, now=now)
    caller = program(cast.provider)
    seen, cursor = [], ""
    while True:
        page = caller.get(f"{VERSIONS}?limit=2{cursor}").json()
        seen += [one["number"] for one in page["price_versions"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor'].replace('+', '%2B')}"
    assert seen == [1, 2, 3, 4, 5]
    rows = csv_of(caller.get(f"{VERSIONS}?price_book_id={book.id}", Accept="text/csv"))
    assert [(row["version"], row["price"], row["unit"]) for row in rows][:2] == [
        ("1", "0", "price_per_mtok"),
        ("2", "1", "price_per_mtok"),
    ]
    assert caller.get(f"{VERSIONS}?cursor=soon").status_code == 400


def test_versions_of_one_instant_come_one_after_another(cast: Cast) -> None:
    now = datetime.now(UTC)
    for _ in range(3):
        publish_prices(book=make_price_book(cast.provider), effective_at=now, prices={OUTPUT: Decimal(1)}, now=now)
    later = make_price_book(cast.provider)
    publish_prices(book=later, effective_at=now + DAY, prices={OUTPUT: Decimal(1)}, now=now)
    caller = program(cast.provider)
    page = caller.get(f"{VERSIONS}?limit=2").json()
    rest = caller.get(f"{VERSIONS}?limit=2&cursor={page['next_cursor']}").json()
    found = [one["price_book_id"] for one in (*page["price_versions"], *rest["price_versions"])]
    assert len(set(found)) == len(found) == 4
    assert found[-1] == str(later.id)
    assert rest["next_cursor"] is None


def test_a_book_is_opened_once(cast: Cast) -> None:
    seller = program(cast.provider)
    made = post(seller, BOOKS, {"name": "Europe", "currency": "eur"}, key="b-1")
    assert (made.status_code, made.json()["currency"], made.json()["provider"]) == (201, "EUR", "provider")
    assert post(seller, BOOKS, {"name": "Europe", "currency": "eur"}, key="b-1").json() == made.json()
    assert post(seller, BOOKS, {"name": "Europe", "currency": "EUR"}).json()["code"] == "price_book_exists"
    assert post(seller, BOOKS, {"name": "Mars", "currency": "XQZ"}).json()["field"] == "currency"
    assert [book["name"] for book in seller.get(BOOKS).json()["price_books"]] == ["Europe"]
    assert post(program(cast.tenant), BOOKS, {"name": "x", "currency": "EUR"}).status_code == 404
    assert program(cast.tenant).get(BOOKS).json() == {"price_books": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"model": "m", "quantity": "output"}, "prices[0]"),
        ({"model": "m", "quantity": "output", "price_per_mtok": "-1"}, "prices[0].price_per_mtok"),
        ({"model": "m", "quantity": "images", "price_per_mtok": "1"}, "prices[0].price_per_mtok"),
        ({"model": "m", "quantity": "output", "price_per_mtok": "1", "context_over": 7}, "prices[0].price_per_mtok"),
    ],
)
def test_a_wrong_price_is_refused_with_field_reason_and_example(
    cast: Cast, row: dict[str, Any], field: str, book: PriceBook
) -> None:
    answer = post(program(cast.provider), VERSIONS, version(book, row))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["field"]) == ("wrong_prices", field)
    assert problem["reason"]
    assert problem["example"]
    assert not PriceVersion.objects.exists()


def test_a_price_for_what_is_counted_comes_too_late(cast: Cast) -> None:
    world = announce(cast, datetime.now(UTC)).world
    assert world.book is not None
    answer = post(program(cast.provider), VERSIONS, version(world.book, ROW, days=-5))
    assert (answer.status_code, answer.json()["code"]) == (409, "price_too_late")
    assert answer.json()["field"] == "effective_at"


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"price_book_id": "x"}'])
def test_a_body_that_cannot_be_read_is_a_400(cast: Cast, body: bytes) -> None:
    answer = program(cast.provider).client.post(VERSIONS, body, content_type="application/json")
    assert answer.status_code == 400


def test_public_prices_are_read_in_pages_with_source_and_date(cast: Cast) -> None:
    today = datetime.now(UTC)
    import_prices(source=IndexSource.LITELLM, content=price_file(), as_of=today.date(), now=today)
    caller = program(cast.tenant)
    first = caller.get("/api/v1/price-index?limit=4").json()
    rest = caller.get(f"/api/v1/price-index?limit=100&cursor={first['next_cursor']}").json()
    assert (len(first["prices"]), len(rest["prices"]), rest["next_cursor"]) == (4, 6, None)
    [image] = caller.get("/api/v1/price-index?search=IMAGE").json()["prices"]
    assert (image["price"], image["unit"], image["as_of"]) == ("0.04", "per_image", today.date().isoformat())
