from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.models import Invoice
from billing.queries.usage_sums import usage_overview
from metering.models import Witness
from tenants.models import Role
from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.factories import Cast, make_price_book, make_price_version, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db

MARCH_PAGE = "/t/usage/?month=2026-03"


month = kept(make_march)


@kept
def world(cast: Cast) -> World:
    return make_world(parties=(cast.provider, cast.tenant))


def test_page_file_query_and_invoice_show_one_total(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(MARCH_PAGE))
    rows = rows_of(client.get("/t/usage.csv?month=2026-03"))
    assert month.invoice.total == Decimal("2487.98")
    assert usage_overview(cast.tenant, MARCH, APRIL, "UTC").total == month.invoice.total
    assert sum(Decimal(row["amount"]) for row in rows) == month.invoice.total
    assert page.count("$2,487.98") >= 2


def test_a_month_shows_its_tokens_prices_leases_and_savings(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(MARCH_PAGE))
    assert "1–31 March 2026 · days are UTC, as on your invoice" in page
    assert "70.0M" in page  # 20 × (2.0 + 0.4 + 1.0 + 0.1) M
    assert "10.0M out · 50.0M in · 10.0M cached" in page
    assert "$0.28 / $0.07 / $1.10" in page
    assert "$0.12 / – / $0.48" in page
    assert "1,056 h 1 lease, $2,481.60" in page
    assert "16.7 %" in page  # 10 of 60 M
    assert "saved $0.63" in page  # 10 × (0.28 − 0.07) × 30 %
    assert "$6.38 for tokens, $2,481.60 for GPU leases." in page


def test_each_day_leads_to_its_hours(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get(MARCH_PAGE).content.decode()
    assert 'href="/t/usage/2026-03-04/"' in page
    assert page.count('class="col measured"') == 31


def test_the_columns_can_be_stacked_by_model(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get(f"{MARCH_PAGE}&group=model")
    assert f"Tokens per day {SMALL} {LARGE} Type Model" in text_of(page)
    assert 'aria-current="true">Model' in page.content.decode()
    assert "month=2026-03" in page.content.decode()


def test_one_model_can_be_looked_at_alone(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(f"{MARCH_PAGE}&model={SMALL}"))
    rows = rows_of(client.get(f"/t/usage.csv?month=2026-03&model={SMALL}"))
    assert "Total of what is chosen $1.01" in page
    assert "GPU-hours" not in page
    assert {row["model"] for row in rows} == {SMALL}
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal("1.01")


def test_the_file_names_its_zone_and_holds_every_day(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    answer = client.get("/t/usage.csv?month=2026-03")
    rows = rows_of(answer)
    assert answer["Content-Disposition"] == 'attachment; filename="usage-tenant-2026-03-01-to-2026-03-31-UTC.csv"'
    assert rows[0]["day (UTC)"] == "2026-03-01"
    assert len(rows) == 20 + 20 + 22
    large = [row for row in rows if row["model"] == LARGE]
    assert sum(int(row["input_tokens"]) for row in large) == 40_000_000
    assert sum(int(row["cached_input_tokens"]) for row in large) == 10_000_000
    lease = [row for row in rows if row["kind"] == "lease"]
    assert {row["input_tokens"] for row in lease} == {""}
    assert sum(Decimal(row["gpu_seconds"]) for row in lease) == 1056 * 3600
    assert sum(Decimal(row["exact_amount"]) for row in large) == Decimal("5.37")


def test_usage_without_a_price_shouts(cast: Cast, client: Client, month: Month) -> None:
    month.large.use({"cache_write": 1_200_000}, at=MARCH, model=LARGE)
    client.force_login(cast.alice)
    page = client.get(MARCH_PAGE)
    assert "1.2M tokens without a price." in text_of(page)
    assert 'class="notice bad" role="alert"' in page.content.decode()


def test_the_two_witnesses_are_compared_in_words(cast: Cast, client: Client, month: Month) -> None:
    month.large.use({"input": 39_000_000, "output": 8_000_000}, witness=Witness.ENGINE, model=LARGE)
    client.force_login(cast.alice)
    page = text_of(client.get(MARCH_PAGE))
    assert (
        "The gateway, which bills, counted 48,000,000 tokens, the engine 47,000,000: 1,000,000 more "
        "(2.13%; 1.00% is allowed)." in page
    )
    assert "does not hold" in page
    assert "Only the gateway counted (22,000,000 tokens); the engine has nothing to compare with." in page


def test_a_price_change_keeps_old_days_at_the_old_price(cast: Cast, client: Client) -> None:
    world = make_world(tokens={("m", "output"): "1.00"}, parties=(cast.provider, cast.tenant))
    assert world.book is not None
    shared = world.share(percent="100", model="m")
    make_price_version(world.book, number=2, effective_at=MARCH + timedelta(days=10), tokens={("m", "output"): "3.00"})
    shared.use({"output": 1_000_000}, at=MARCH + timedelta(days=2), model="m")
    shared.use({"output": 1_000_000}, at=MARCH + timedelta(days=12), model="m")
    client.force_login(cast.alice)
    page = text_of(client.get(MARCH_PAGE))
    assert "$4.00" in page
    assert "– / – / $3.00" in page


def test_an_empty_month_says_so_and_offers_others(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get("/t/usage/"))
    assert "Nothing used yet" in page
    assert "This month" in page
    assert rows_of(client.get("/t/usage.csv")) == []


@pytest.mark.parametrize("query", ["month=x", "from=2026-02-30&to=2026-03-01", "month=2026-99"])
def test_days_that_do_not_exist_are_not_found(cast: Cast, client: Client, query: str) -> None:
    client.force_login(cast.alice)
    assert client.get(f"/t/usage/?{query}").status_code == 404
    assert client.get(f"/t/usage.csv?{query}").status_code == 404


def test_a_year_is_drawn_by_month(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get("/t/usage/?from=2026-01-01&to=2026-12-31")
    assert "Tokens per month" in text_of(page)
    assert "Busiest month: March 2026." in text_of(page)


def test_currencies_are_never_mixed(cast: Cast, client: Client, month: Month) -> None:
    book = make_price_book(cast.provider, currency="EUR")
    euros = make_world(currency="EUR", parties=(cast.provider, cast.tenant), from_at=MARCH + timedelta(days=1))
    assert book.currency == euros.contract.currency
    euros.lease(1, price="1.00", from_at=MARCH + timedelta(days=30), to_at=APRIL)
    client.force_login(cast.alice)
    assert "€24.00" in text_of(client.get(f"{MARCH_PAGE}&currency=EUR"))
    dollars = text_of(client.get(f"{MARCH_PAGE}&currency=USD"))
    assert "$2,487.98" in dollars
    assert "€" not in dollars


def test_days_are_those_of_the_contract(cast: Cast, client: Client) -> None:
    world = make_world(
        time_zone="Asia/Shanghai", tokens={("m", "output"): "1.00"}, parties=(cast.provider, cast.tenant)
    )
    shared = world.share(percent="100", model="m")
    shared.use({"output": 1_000_000}, at=MARCH + timedelta(days=4, hours=17), model="m")
    client.force_login(cast.alice)
    assert "days are Asia/Shanghai, as on your invoice" in text_of(client.get(MARCH_PAGE))
    answer = client.get("/t/usage.csv?month=2026-03")
    assert "Asia-Shanghai.csv" in answer["Content-Disposition"]
    assert [row["day (Asia/Shanghai)"] for row in rows_of(answer)] == ["2026-03-06"]


def test_recent_invoices_are_shown_to_those_who_may_read_them(cast: Cast, client: Client, month: Month) -> None:
    developer = make_user("dev@example.com", cast.tenant, Role.DEVELOPER)
    number = month.invoice.number
    client.force_login(cast.bob)
    assert str(number) in text_of(client.get(MARCH_PAGE))
    client.force_login(developer)
    page = client.get(MARCH_PAGE)
    assert page.status_code == 200
    assert str(number) not in text_of(page)


def test_nobody_sees_the_usage_of_another_tenant(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.charlie)
    page = text_of(client.get(MARCH_PAGE))
    assert LARGE not in page
    assert "2,487.98" not in page
    assert rows_of(client.get("/t/usage.csv?month=2026-03")) == []


def test_a_provider_has_no_tenant_pages_and_a_stranger_signs_in(cast: Cast, client: Client) -> None:
    assert client.get("/t/usage/").status_code == 302
    client.force_login(cast.petra)
    assert client.get("/t/usage/").status_code == 404
    assert client.get("/t/usage.csv").status_code == 404


def test_the_number_of_queries_does_not_grow(
    cast: Cast, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, month: Month
) -> None:
    client.force_login(cast.alice)
    with django_assert_max_num_queries(40) as few:
        client.get(MARCH_PAGE)
    for index in range(12):
        shared = month.world.share(model=f"model-{index}")
        shared.use({"input": 5, "output": 5}, at=MARCH + timedelta(days=index), model=f"model-{index}")
        month.world.lease(1, from_at=MARCH, to_at=APRIL)
    with django_assert_max_num_queries(40) as many:
        client.get(MARCH_PAGE)
    assert len(many.captured_queries) == len(few.captured_queries)
    assert Invoice.objects.count() == 1


def test_a_chosen_card_is_swapped_without_scripts_being_needed(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get(MARCH_PAGE).content.decode()
    assert 'hx-select="#tokens"' in page
    assert 'href="/t/usage/?month=2026-03&amp;group=model"' in page


@pytest.mark.parametrize(
    ("gpus", "words"), [(8, "$0.50 was spent in 1–31 March 2026"), (2, "+100.0% against 1–31 March 2026")]
)
def test_a_change_beyond_ten_times_is_told_by_the_sum_before(
    cast: Cast, client: Client, gpus: int, words: str, world: World
) -> None:
    world.lease(1, from_at=MARCH, to_at=MARCH + timedelta(hours=1), price="0.50")
    world.lease(gpus, from_at=APRIL, to_at=APRIL + timedelta(hours=1), price="0.50" if gpus == 2 else "2.35")
    client.force_login(cast.alice)
    assert words in text_of(client.get("/t/usage/?month=2026-04"))
