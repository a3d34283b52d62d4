from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import MARCH, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db


month = kept(make_march)


def test_a_day_shows_its_hours_models_and_cost(cast: Cast, client: Client, month: Month) -> None:
    month.large.use({"output": 100_000}, at=MARCH + timedelta(hours=21), model=LARGE)
    client.force_login(cast.alice)
    page = client.get("/t/usage/2026-03-01/")
    words = text_of(page)
    assert "1 March 2026 (Sun)" in words
    assert page.content.decode().count('class="col measured"') == 24
    assert "09:00 UTC 2,400,000 1,100,000" in words
    assert "21:00 UTC 100,000 0" in words
    # At 30 %: 1.5 × 0.28 + 0.5 × 0.07 + 0.5 × 1.10 = 1.005, and 0.12 + 0.048.
    assert "$0.30" in words
    assert "$0.05" in words
    assert f"{LARGE} 1,500,000 500,000 500,000 $0.28 / $0.07 / $1.10 $0.30" in words


def test_the_file_of_a_day_sums_to_the_day(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get("/t/usage/2026-03-12/", {"currency": "USD"})
    found = re.search(r'href="(/t/usage\.csv\?[^"]+)" data-key="e"', page.content.decode())
    assert found
    file = rows_of(client.get(unescape(found[1])))
    assert {row[next(iter(row))] for row in file} == {"2026-03-12"}
    assert f"${sum(Decimal(row['amount']) for row in file):.2f}" in text_of(page)
    assert "usage.csv" not in client.get("/t/usage/2026-03-12/", {"hour": "9"}).content.decode()


def test_a_leased_day_shows_its_gpu_hours(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    words = text_of(client.get("/t/usage/2026-03-12/"))
    assert "48.00 GPU-h $2.35 / GPU-h $112.80" in words


def test_a_day_leads_to_its_month_and_neighbours(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get("/t/usage/2026-03-01/").content.decode()
    assert 'href="/t/usage/?month=2026-03"' in page
    assert 'href="/t/usage/2026-02-28/"' in page
    assert 'href="/t/usage/2026-03-02/"' in page


def test_today_has_no_tomorrow(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    today = datetime.now(UTC).date()
    page = client.get(f"/t/usage/{today}/")
    assert page.status_code == 200
    assert 'rel="next"' not in page.content.decode()
    assert client.get(f"/t/usage/{today + timedelta(days=2)}/").status_code == 404


@pytest.mark.parametrize("day", ["2026-02-30", "1999-12-31", "2026-3-1", "9999-12-31"])
def test_days_that_do_not_exist_are_not_found(cast: Cast, client: Client, day: str) -> None:
    client.force_login(cast.alice)
    assert client.get(f"/t/usage/{day}/").status_code == 404


def test_a_day_without_use_says_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert "Nothing used on this day" in text_of(client.get("/t/usage/2026-03-01/"))


def test_a_day_of_a_changed_clock_has_as_many_hours_as_it_had(cast: Cast, client: Client) -> None:
    world = make_world(
        time_zone="Europe/Berlin", tokens={("m", "output"): "1.00"}, parties=(cast.provider, cast.tenant)
    )
    shared = world.share(model="m")
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        shared.use({"output": 1_000}, at=at, model="m")
    client.force_login(cast.alice)
    spring = client.get("/t/usage/2026-03-29/").content.decode()
    autumn = client.get("/t/usage/2026-10-25/").content.decode()
    assert spring.count('class="col measured"') == 23
    assert autumn.count('class="col measured"') == 25
    assert "02:00 CEST" in autumn
    assert "02:00 CET" in autumn


def test_another_tenants_day_is_empty_and_a_providers_is_not_there(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.charlie)
    assert SMALL not in text_of(client.get("/t/usage/2026-03-01/"))
    client.force_login(cast.petra)
    assert client.get("/t/usage/2026-03-01/").status_code == 404
