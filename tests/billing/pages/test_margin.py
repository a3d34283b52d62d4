"""The provider's margin pages: one sum everywhere, what sells below cost, and nobody else's."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.margins import sum_day
from tenants.models import Role
from tests.billing.costly import AT, DAY, Costly, enter, make_costly
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import H100, MODEL
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db

FIFTH = date(2026, 3, 5)
PAGE = "/p/margin/?month=2026-03"


def made(cast: Cast, price: str = "10", *, costs: bool = True) -> Costly:
    costly = make_costly(parties=(cast.provider, cast.tenant), price=price)
    if costs:
        enter(costly.cluster)
    for day in (FIFTH, FIFTH + DAY):
        sum_day(provider_id=cast.provider.id, day=day, now=AT + 2 * DAY)
    return costly


costly = kept(made)


def test_page_and_file_show_one_sum_whatever_it_is_grouped_by(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    for by in ("model", "tenant", "cluster", "day"):
        page = text_of(client.get(f"{PAGE}&by={by}"))
        assert "$58.00" in page
        assert f"{chr(0x2212)}$86.38" in page  # 58 less 96 of cards, 0.375 of energy and 48 of overhead
        rows = rows_of(client.get(f"/p/margin.csv?month=2026-03&by={by}"))
        assert sum(Decimal(row["earned"]) for row in rows) == 58
        assert sum(Decimal(row["profit"]) for row in rows) == Decimal("-86.375")


def test_cost_stands_against_price_per_million_tokens_and_per_gpu_hour(
    cast: Cast, client: Client, costly: Costly
) -> None:
    client.force_login(cast.petra)
    page = text_of(client.get(PAGE))
    assert "Cost against price, per 1M tokens" in page
    assert "$10.00 $1.75" in page  # 1 GPU-hour, 2.5 kWh and a 48th of the day's overhead
    assert "Cost against price, per GPU-hour" in page
    assert "$2.00 $1.51" in page
    assert "+82.5%" in page


def test_the_days_sum_to_what_was_worked_out_in_few_queries(
    cast: Cast, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, costly: Costly
) -> None:
    client.force_login(cast.petra)
    with django_assert_max_num_queries(20):
        client.get(PAGE)


def test_what_sells_below_cost_is_said_first(cast: Cast, client: Client) -> None:
    made(cast, price="1")
    client.force_login(cast.petra)
    page = text_of(client.get(PAGE))
    assert f"{MODEL} sells below cost." in page
    assert "it earned $1.00 and cost $1.75 on 5 Mar: $0.75 lost." in page
    assert "is-bad" in client.get(PAGE).content.decode()


def test_without_costs_no_margin_is_claimed(cast: Cast, client: Client) -> None:
    made(cast, costs=False)
    client.force_login(cast.petra)
    page = text_of(client.get(PAGE))
    assert "Profit – $58.00 earned; enter the costs to see what is left" in page
    assert "Profit is not known. 0.0 of " in page
    assert "sells below cost" not in page
    assert "100.0%" not in page
    assert 'href="/p/costs/"' in client.get(PAGE).content.decode()
    by_model = text_of(client.get(f"/p/margin/{MODEL}/?month=2026-03"))
    assert "Profit – $10.00 earned" in by_model
    for by in ("model", "tenant", "cluster", "day"):
        rows = rows_of(client.get(f"/p/margin.csv?month=2026-03&by={by}"))
        unknown = {(row["profit"], row["gpu_cost"], row["energy_cost"], row["overhead_cost"]) for row in rows}
        assert unknown == {("", "", "", "")}
        assert sum(Decimal(row["earned"]) for row in rows) == 58


def test_a_models_page_has_its_clusters_tenants_and_days(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    page = text_of(client.get(f"/p/margin/{MODEL}/?month=2026-03"))
    assert costly.cluster.name in page
    assert cast.tenant.name in page
    assert "Thu 5 Mar" in page
    assert "$10.00" in page
    card = text_of(client.get(f"/p/margin/{H100}/?month=2026-03"))
    assert "per GPU-hour" in card
    assert client.get("/p/margin/unheard-of/?month=2026-03").status_code == 404
    assert "Nothing was worked out for these days" in text_of(client.get(f"/p/margin/{MODEL}/?month=2026-01"))


def test_each_link_to_a_model_keeps_the_days_and_the_cluster(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    page = client.get(f"{PAGE}&cluster={costly.cluster.slug}").content.decode()
    links = re.findall(rf'href="(/p/margin/{MODEL}/[^"]*)"', page)
    assert len(links) == 2, "beside its bar, and in the sums"
    for link in links:
        assert unescape(link) == f"/p/margin/{MODEL}/?month=2026-03&cluster={costly.cluster.slug}"


def test_nothing_yet_says_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No clusters yet" in text_of(client.get(PAGE))
    made(cast)
    empty = client.get("/p/margin/?month=2026-01")
    assert "Nothing was worked out for these days" in text_of(empty)
    assert 'href="/p/margin/simulate/"' in empty.content.decode()


def test_income_in_another_currency_is_listed_apart(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    page = text_of(client.get(f"{PAGE}&currency=EUR"))
    assert "compared with nothing: $58.00" in page


@pytest.mark.parametrize("query", ["month=2026-13", "by=colour", "currency=dollars"])
def test_what_cannot_be_asked_is_not_there(cast: Cast, client: Client, query: str) -> None:
    client.force_login(cast.petra)
    assert client.get(f"/p/margin/?{query}").status_code == 404


def test_a_developer_sees_no_money(cast: Cast, client: Client) -> None:
    client.force_login(make_user("dev@example.com", cast.provider, Role.DEVELOPER))
    assert client.get(PAGE).status_code == 403
