"""The provider's pages of its price books: versions side by side, one version, and who was told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import PriceBook
from billing.price_notices import see_notice
from billing.pricing import publish_prices
from tenants.models import Role
from tests.billing.announced import BEFORE, DAY, announce
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_price_book, make_user

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC)


def test_versions_stand_side_by_side_with_change_and_effect(cast: Cast, client: Client) -> None:
    announced = announce(cast, now())
    client.force_login(cast.petra)
    answer = client.get("/p/prices/")
    assert 'data-l="v1 ' in answer.content.decode(), "on a phone each price says of which version it is"
    page = text_of(answer)
    assert "v1 in force since" in page
    assert "v2 announced, starts" in page
    assert "11 days' notice" in page
    assert page.count("+34.0%") == 3
    # Ten days at 100.00: input 560.00 and output 440.00 dearer by 34 %.
    assert "+$190.40" in page
    assert "+$149.60" in page
    assert "The last 30 days of all contracts: $1,000.00, at v2 $1,340.00 (+$340.00)." in page
    assert "v2: 1 contract told , 0 opened it, 0 keep prices of their own." in page
    see_notice(notice_id=announced.notice.id, tenant=cast.tenant, by=cast.bob.email, now=now())
    assert "1 opened it" in text_of(client.get("/p/prices/"))


def test_one_version_says_what_it_changes_and_who_is_told(cast: Cast, client: Client) -> None:
    announced = announce(cast, now())
    client.force_login(cast.petra)
    page = text_of(client.get(f"/p/prices/v/{announced.version.id}/"))
    assert "Version 2" in page
    assert "$0.3752" in page
    assert announced.world.contract.number in page
    assert "0 / 2" in page
    assert "not yet" in page
    assert "+$340.00" in page
    first = announced.world.book.versions.get(number=1) if announced.world.book else None
    assert first is not None
    assert "Nobody was told" in text_of(client.get(f"/p/prices/v/{first.id}/"))


def test_the_file_has_every_price_of_every_version(cast: Cast, client: Client) -> None:
    announced = announce(cast, now())
    client.force_login(cast.petra)
    rows = rows_of(client.get("/p/prices.csv"))
    assert len(rows) == 6
    risen = [row for row in rows if row["version"] == "2" and row["quantity"] == "output"]
    assert [(row["unit"], row["price"], row["standing"]) for row in risen] == [("price_per_mtok", "1.474", "announced")]
    assert risen[0]["effective_at_utc"] == announced.effective_at.isoformat()


def test_a_provider_without_a_book_is_told_how_to_begin_and_opens_one(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No price book yet" in text_of(client.get("/p/prices/"))
    assert client.get("/p/prices.csv").status_code == 404
    answer = client.post("/p/prices/books/new/", {"name": "Europe", "currency": "eur"})
    book = PriceBook.objects.get()
    assert (answer.status_code, book.currency, book.provider) == (302, "EUR", cast.provider)
    assert "No prices yet" in text_of(client.get("/p/prices/"))
    again = client.post("/p/prices/books/new/", {"name": "Europe", "currency": "EUR"})
    assert again.status_code == 422
    assert "has a price book" in text_of(again)
    wrong = client.post("/p/prices/books/new/", {"name": "Mars", "currency": "XQZ"})
    assert "This is no currency. Example: USD" in text_of(wrong)


def test_a_provider_chooses_among_its_books_and_sees_no_other(cast: Cast, client: Client) -> None:
    first, second = make_price_book(cast.provider, "Aa"), make_price_book(cast.provider, "Bb", "EUR")
    other = make_price_book(cast.outsider)
    publish_prices(book=second, effective_at=now() - DAY, prices={next(iter(BEFORE)): Decimal(7)}, now=now())
    client.force_login(cast.petra)
    assert "€7.00" in text_of(client.get(f"/p/prices/?book={second.id}"))
    assert "€7.00" not in text_of(client.get(f"/p/prices/?book={first.id}"))
    assert client.get(f"/p/prices/?book={other.id}").status_code == 404


def test_who_may_only_read_sees_prices_and_no_buttons(cast: Cast, client: Client) -> None:
    announced = announce(cast, now())
    client.force_login(make_user("vera@example.com", cast.provider, Role.VIEWER))
    page = text_of(client.get("/p/prices/"))
    assert "New version" not in page
    assert client.post("/p/prices/draft/", {"book": str(announced.version.book_id)}).status_code == 403
    assert client.get("/p/prices/books/new/").status_code == 403
