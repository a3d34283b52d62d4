"""Bay or pump: for both parties of a contract, and for a prospect."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.billing.costly import AT
from tests.billing.pages.reading import text_of
from tests.billing.world import H100, MODEL, World, make_world
from tests.factories import Cast

pytestmark = pytest.mark.django_db

MARCH = "month=2026-03"


def made(cast: Cast) -> World:
    world = make_world(
        tokens={(MODEL, "input"): "0.60", (MODEL, "output"): "0.80"},
        gpus={H100: "2"},
        parties=(cast.provider, cast.tenant),
    )
    world.share(percent="50").use({"input": 10**9}, at=AT)
    return world


def test_both_parties_see_the_same_four_amounts_and_crossings(cast: Cast, client: Client) -> None:
    made(cast)
    for person, side in ((cast.alice, "t"), (cast.petra, "p")):
        client.force_login(person)
        page = text_of(client.get(f"/{side}/compare/?{MARCH}&gpus=1"))
        assert "Lease $1,488.00" in page
        assert "Token price $600.00" in page
        assert "Share of 50% $300.00 cheapest at this usage" in page
        assert "Base rent and share $744.00" in page
        assert "Token price Lease 2.48B 248.0%" in page
        assert "1.00B tokens, 744.0 GPU-hours held" in page


def test_the_terms_can_be_changed_in_the_address(cast: Cast, client: Client) -> None:
    made(cast)
    client.force_login(cast.alice)
    page = text_of(client.get(f"/t/compare/?{MARCH}&gpus=2&gpu_price=0.10&share=10&rent=50"))
    assert "Lease $148.80" in page
    assert "Share of 10% $60.00" in page
    assert "Base rent and share $60.00" in page


def test_a_prospects_expected_usage_is_priced_by_a_book(cast: Cast, client: Client) -> None:
    world = made(cast)
    assert world.book is not None
    client.force_login(cast.petra)
    query = f"{MARCH}&book={world.book.id}&model={MODEL}&input=2000000000&cached_input=0&output=1000000000&gpus=1"
    page = text_of(client.get(f"/p/compare/?{query}"))
    assert "Token price $2,000.00" in page
    assert "Share of 30% $600.00" in page
    client.force_login(cast.alice)
    assert client.get(f"/t/compare/?{query}").status_code == 404


def test_what_has_no_price_is_said_to_be_left_out(cast: Cast, client: Client) -> None:
    made(cast)
    client.force_login(cast.alice)
    page = text_of(client.get(f"/t/compare/?{MARCH}&gpus=0"))
    assert "Left out, because a price is missing or nothing is held: Lease" in page


def test_without_a_contract_or_before_it_there_is_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert "Nothing to compare" in text_of(client.get("/t/compare/"))
    made(cast)
    assert "Nothing to compare" in text_of(client.get("/t/compare/?month=2026-01"))


@pytest.mark.parametrize("query", ["gpus=x", "share=140", "rent=-1", "contract=C-none", "book=none", "month=soon"])
def test_what_cannot_be_asked_is_not_there(cast: Cast, client: Client, query: str) -> None:
    made(cast)
    client.force_login(cast.petra)
    assert client.get(f"/p/compare/?{query}").status_code == 404
