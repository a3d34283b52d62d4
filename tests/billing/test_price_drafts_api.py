"""Drafts of price lists by API: begun, edited as they were read, thrown away, published, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import PriceBook, PriceDraft, PriceVersion
from billing.pricing import publish_prices
from tests.billing.announced import BEFORE
from tests.factories import make_price_book
from tests.tenants.calling import call, secret_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def book(cast: Cast) -> PriceBook:
    made = make_price_book(cast.provider)
    now = datetime.now(UTC)
    publish_prices(book=made, effective_at=now - DAY, prices=BEFORE, now=now)
    return made


def begin(client: Client, cast: Cast, book: PriceBook) -> Any:
    ahead = (datetime.now(UTC) + 40 * DAY).isoformat()
    answer = call(
        client, secret_of(cast.provider), "post", "price-drafts", {"price_book_id": str(book.pk), "effective_at": ahead}
    )
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_draft_is_begun_edited_and_published(cast: Cast, client: Client, book: PriceBook) -> None:
    secret, draft = secret_of(cast.provider), begin(client, cast, book)
    assert len(draft["prices"]) == len(BEFORE)
    path = f"price-drafts/{draft['id']}"
    edited = {"revision": draft["revision"], "effective_at": draft["effective_at"], "prices": draft["prices"][:1]}
    answer = call(client, secret, "put", path, edited)
    assert (answer.status_code, len(answer.json()["prices"])) == (200, 1)
    stale = call(client, secret, "put", path, edited)
    assert (stale.status_code, stale.json()["code"]) == (409, "draft_changed")
    published = call(client, secret, "post", f"{path}/publish", {"revision": answer.json()["revision"]})
    assert published.status_code == 201
    assert PriceVersion.objects.get(pk=published.json()["price_version_id"]).number == published.json()["number"]
    assert call(client, secret, "get", path).status_code == 404
    assert call(client, secret, "get", "price-drafts").json()["price_drafts"] == []


def test_a_draft_is_thrown_away_once(cast: Cast, client: Client, book: PriceBook) -> None:
    secret, draft = secret_of(cast.provider), begin(client, cast, book)
    assert [one["id"] for one in call(client, secret, "get", "price-drafts").json()["price_drafts"]] == [draft["id"]]
    assert call(client, secret, "delete", f"price-drafts/{draft['id']}").status_code == 204
    assert call(client, secret, "delete", f"price-drafts/{draft['id']}").status_code == 404
    assert not PriceDraft.objects.exists()


def test_nobody_else_finds_it_and_what_is_wrong_is_named(cast: Cast, client: Client, book: PriceBook) -> None:
    draft = begin(client, cast, book)
    path = f"price-drafts/{draft['id']}"
    for other in (cast.tenant, cast.outsider):
        assert call(client, secret_of(other), "get", path).status_code == 404
        assert call(client, secret_of(other), "get", "price-drafts").json()["price_drafts"] == []
    wrong = {"revision": draft["revision"], "effective_at": draft["effective_at"], "prices": [{"model": "m"}]}
    answer = call(client, secret_of(cast.provider), "put", path, wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_prices")
    assert PriceDraft.objects.get().revision == draft["revision"]
