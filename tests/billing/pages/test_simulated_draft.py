"""A price draft from what was simulated: the right prices of the right book, and nobody is told."""

from __future__ import annotations

import pytest
from django.test import Client

from billing.models import PriceBook, PriceDraft, PriceVersion
from tenants.models import Role
from tests.billing.costly import Costly, make_costly
from tests.billing.pages.test_simulation import PAGE, made
from tests.billing.world import MODEL
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db

DRAFT = "/p/margin/simulate/draft/"


def book_of(costly: Costly) -> PriceBook:
    assert costly.world.book is not None
    return costly.world.book


costly = kept(made)


@kept
def cheap(cast: Cast) -> Costly:
    return made(cast, price="1")


def test_a_simulated_percentage_becomes_a_draft_of_the_book_and_tells_nobody(
    cast: Cast, client: Client, costly: Costly
) -> None:
    book = book_of(costly)
    client.force_login(cast.petra)
    page = client.get(f"{PAGE}&pct=34").content.decode()
    assert "Draft announced change" in page
    assert f'name="book" value="{book.id}"' in page
    answer = client.post(DRAFT, {"book": str(book.id), "pct": "34", "month": "2026-03"})
    draft = PriceDraft.objects.get()
    assert answer["location"] == f"/p/prices/draft/{draft.id}/"
    assert {row["price_per_mtok"] for row in draft.prices if row["model"] == MODEL} == {"13.4"}
    assert draft.effective_at > draft.created_at
    assert PriceVersion.objects.filter(book=book).count() == 1
    assert "13.4" in client.get(answer["location"]).content.decode()


@pytest.mark.parametrize(("scope", "price"), [("thin", "2"), (MODEL, "2"), ("another", "1"), ("", "2")])
def test_a_draft_changes_the_models_that_were_simulated(
    cast: Cast, client: Client, scope: str, price: str, cheap: Costly
) -> None:
    book = book_of(cheap)
    client.force_login(cast.petra)
    client.post(DRAFT, {"book": str(book.id), "pct": "100", "scope": scope, "month": "2026-03"})
    prices = {row["price_per_mtok"] for row in PriceDraft.objects.get().prices if row["model"] == MODEL}
    assert prices == {price}


@pytest.mark.parametrize("wrong", [{"pct": "900"}, {"pct": ""}, {"book": "x"}, {"scope": "thin", "month": "soon"}])
def test_a_draft_that_cannot_be_is_not_stored(
    cast: Cast, client: Client, wrong: dict[str, str], costly: Costly
) -> None:
    book = book_of(costly)
    client.force_login(cast.petra)
    asked = {"book": str(book.id), "pct": "5", "month": "2026-03", **wrong}
    assert client.post(DRAFT, asked).status_code == 404
    assert not PriceDraft.objects.exists()


def test_a_draft_is_of_the_providers_own_book_and_by_who_sets_prices(cast: Cast, client: Client) -> None:
    book = book_of(make_costly())
    client.force_login(cast.petra)
    asked = {"book": str(book.id), "pct": "5"}
    assert client.post(DRAFT, asked).status_code == 404
    assert client.get(DRAFT).status_code == 405
    client.force_login(make_user("dev@example.com", cast.provider, Role.DEVELOPER))
    assert client.post(DRAFT, asked).status_code == 403
    client.force_login(cast.charlie)
    assert client.post(DRAFT, asked).status_code == 404
    assert not PriceDraft.objects.exists()


def test_no_draft_is_offered_of_a_version_or_of_nothing(cast: Cast, client: Client, costly: Costly) -> None:
    version = book_of(costly).versions.get()
    client.force_login(cast.petra)
    assert "Draft announced" not in client.get(f"{PAGE}&version={version.id}").content.decode()
    assert "Draft announced" not in client.get("/p/margin/simulate/?month=2026-01").content.decode()
