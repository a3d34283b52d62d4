"""The forecast's tile: of the running month only, with its range, and beside the budget that is passed first."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from billing.models import SpendForecast
from billing.pages.forecast_tile import forecast_kpis, foretold
from billing.pages.periods import read_period
from portal.figures import EN
from portal.templatetags.figures_tags import money_big
from tests.billing.budgets.spent import BIG, make_spent, set_budget
from tests.billing.pages.reading import text_of

if TYPE_CHECKING:
    from django.test import Client

    from portal.parts import Kpi
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)


def keep(cast: Cast, *, low: str | None = "250", high: str | None = "400", at: datetime = NOW) -> SpendForecast:
    return SpendForecast.objects.create(
        organization=cast.tenant, side="tenant", currency="USD", month=at.date().replace(day=1), zone="UTC",
        spent=Decimal(100), expected=Decimal(310), low=None if low is None else Decimal(low),
        high=None if high is None else Decimal(high), tries=9, made_at=at,
    )  # fmt: skip


def shown(so_far: str = "100", currency: str = "USD") -> Any:
    """What the page shows of the month up to now."""
    return SimpleNamespace(currency=currency, total=Decimal(so_far))


def tile(cast: Cast, query: dict[str, str] | None = None, so_far: str = "100") -> list[Kpi]:
    period = read_period(query or {}, "UTC", NOW)
    return forecast_kpis(foretold(cast.tenant, period, "USD", NOW), period, shown(so_far), EN)


def test_a_forecast_has_its_range_and_leads_to_budgets(cast: Cast) -> None:
    keep(cast)
    [kpi] = tile(cast)
    assert kpi.title == "Forecast 31 Mar"
    assert kpi.foot == "80% of months like it end at $250 to $400"
    assert (kpi.foot_strong, kpi.alert, kpi.url) == ("", False, "/t/budgets/")


def test_nothing_of_it_is_below_what_was_spent_since(cast: Cast) -> None:
    keep(cast)
    [kpi] = tile(cast, so_far="260")
    assert kpi.foot == "80% of months like it end at $260 to $400"
    [kpi] = tile(cast, so_far="450")
    assert kpi.value == money_big(Decimal(450), "USD")
    assert kpi.foot == "the days so far differ too much for a range"


def test_a_range_that_says_nothing_is_not_shown(cast: Cast) -> None:
    keep(cast, high="931")
    [kpi] = tile(cast)
    assert kpi.foot == "the days so far differ too much for a range"
    assert re.findall(r'width="[^"]*"', kpi.chart) == re.findall(r'width="[^"]*"', without_range(cast))
    SpendForecast.objects.all().delete()
    keep(cast, high="930")
    assert tile(cast)[0].foot == "80% of months like it end at $250 to $930"


def without_range(cast: Cast) -> str:
    """The bar of the same forecast without a range."""
    period = read_period({}, "UTC", NOW)
    found = foretold(cast.tenant, period, "USD", NOW)
    assert found is not None
    found.made.low = found.made.high = None
    return forecast_kpis(found, period, shown(), EN)[0].chart


def test_it_is_held_against_the_smallest_budget_of_all_cost(cast: Cast) -> None:
    keep(cast)
    set_budget(cast, "Large", amount=Decimal(1000))
    small = set_budget(cast, "Small", amount=Decimal(300))
    set_budget(cast, "Other", scope="model", subject=BIG, amount=Decimal(1))
    [kpi] = tile(cast)
    assert (kpi.foot_strong, kpi.foot_tone, kpi.alert) == ("$10.00 over budget", "bad", True)
    assert kpi.url == f"/t/budgets/{small.pk}/"


def test_below_the_budget_it_says_by_how_much(cast: Cast) -> None:
    keep(cast, low=None, high=None)
    set_budget(cast, amount=Decimal(400))
    [kpi] = tile(cast)
    assert (kpi.foot_strong, kpi.foot_tone, kpi.alert) == ("$90.00 under budget", "good", False)
    assert kpi.foot == "too few days yet for a range"


def test_other_periods_currencies_and_old_forecasts_have_no_tile(cast: Cast) -> None:
    assert tile(cast) == []
    kept = keep(cast)
    assert tile(cast, {"month": "2026-02"}) == []
    assert tile(cast, {"from": "2026-03-02", "to": "2026-03-09"}) == []
    assert foretold(cast.tenant, read_period({}, "UTC", NOW), "EUR", NOW) is None
    assert foretold(cast.tenant, read_period({}, "Asia/Tokyo", NOW), "USD", NOW) is None
    SpendForecast.objects.filter(pk=kept.pk).update(month=date(2026, 2, 1))
    assert tile(cast) == []


def test_the_usage_page_shows_it(cast: Cast, client: Client) -> None:
    now = timezone.now()
    make_spent(cast, days=0).big.use({"input": 10**7}, at=now.replace(minute=0, second=0, microsecond=0), model=BIG)
    keep(cast, at=now)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/usage/"))
    assert "Forecast" in page
    assert "80% of months like it end at $250 to $400" in page
    assert "80% of months" not in text_of(client.get(f"/t/usage/?model={BIG}"))
