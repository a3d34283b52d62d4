"""The kept forecast: of the running month, in each currency, from the usage page's days; old ones are not shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.foretelling import expected_of, foretell, kept_forecast
from billing.budgets.rules import Measure, Per, Scope
from billing.models import SpendForecast
from billing.queries import usage
from billing.queries.usage import Side
from billing.queries.usage_sheet import usage_sheet
from tests.billing.budgets.spent import BIG, DAY, NOW, RULE, make_spent
from tests.billing.world import APRIL, MARCH, make_world

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_a_steady_month_is_foretold_and_kept_once(cast: Cast) -> None:
    make_spent(cast)
    for _again in range(2):
        [made] = foretell(organization=cast.tenant, side=Side.TENANT, now=NOW)
    assert SpendForecast.objects.count() == 1
    assert (made.spent, made.expected) == (Decimal("100.00"), Decimal("310.00"))
    assert (made.low, made.tries) == (None, 0)  # ten days are too few to say how far off it may be
    assert made.spent == usage_sheet(cast.tenant, MARCH, NOW, "UTC").total
    assert kept_forecast(cast.tenant, Side.TENANT, "USD", NOW) == made
    assert kept_forecast(cast.tenant, Side.TENANT, "EUR", NOW) is None
    assert kept_forecast(cast.provider, Side.PROVIDER, "USD", NOW) is None
    [sold] = foretell(organization=cast.provider, side=Side.PROVIDER, now=NOW)
    assert sold.expected == made.expected


def test_with_weeks_behind_it_there_is_a_range(cast: Cast) -> None:
    spent = make_spent(cast, days=0)
    for index in range(26):
        spent.use(MARCH + index * DAY, big=1 + index % 2)
    now = MARCH + 26 * DAY + timedelta(hours=2)
    [made] = foretell(organization=cast.tenant, side=Side.TENANT, now=now)
    assert made.low is not None
    assert made.high is not None
    assert made.spent <= made.low < made.expected < made.high
    assert made.tries >= 7


def test_less_than_a_week_and_nothing_at_all_have_none(cast: Cast) -> None:
    make_spent(cast, days=3)
    now = MARCH + 4 * DAY
    assert foretell(organization=cast.tenant, side=Side.TENANT, now=now) == []
    assert foretell(organization=cast.outsider, side=Side.TENANT, now=now) == []


def test_what_was_foretold_for_another_month_or_long_ago_is_not_shown(cast: Cast) -> None:
    make_spent(cast)
    foretell(organization=cast.tenant, side=Side.TENANT, now=NOW)
    assert kept_forecast(cast.tenant, Side.TENANT, "USD", NOW + DAY) is None
    late = APRIL - timedelta(minutes=5)
    foretell(organization=cast.tenant, side=Side.TENANT, now=late)
    assert kept_forecast(cast.tenant, Side.TENANT, "USD", late + timedelta(minutes=1)) is not None
    assert kept_forecast(cast.tenant, Side.TENANT, "USD", APRIL) is None


def test_each_currency_is_foretold_apart(cast: Cast) -> None:
    make_spent(cast)
    other = make_world(currency="EUR", tokens={(BIG, "input"): "1"}, parties=(cast.provider, cast.tenant))
    shared = other.share(percent="100", model=BIG, rolled_to_at=NOW)
    for index in range(10):
        shared.use({"input": 1_000_000}, at=MARCH + index * DAY, model=BIG)
    found = {one.currency: one.expected for one in foretell(organization=cast.tenant, side=Side.TENANT, now=NOW)}
    assert found == {"USD": Decimal("310.00"), "EUR": Decimal("31.00")}


def test_a_providers_contracts_are_rated_some_at_a_time_and_come_to_the_same(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_spent(cast)
    other = make_world(tokens={(BIG, "input"): "1"}, parties=(cast.provider, cast.outsider))
    shared = other.share(percent="100", model=BIG, rolled_to_at=NOW)
    for index in range(10):
        shared.use({"input": 2_000_000}, at=MARCH + index * DAY, model=BIG)
    foretold = []
    for together in (1, 2, 50):
        monkeypatch.setattr(usage, "RATED_TOGETHER", together)
        rated = list(usage.rated_in_turn(cast.provider, MARCH, NOW, "UTC", currency="USD", side=Side.PROVIDER))
        assert len(rated) == {1: 2}.get(together, 1)
        [made] = foretell(organization=cast.provider, side=Side.PROVIDER, now=NOW)
        foretold.append((made.spent, made.expected))
    whole = usage_sheet(cast.provider, MARCH, NOW, "UTC", side=Side.PROVIDER).total
    assert foretold == [(whole, Decimal("372.00"))] * 3


def test_only_a_months_cost_of_all_use_is_expected(cast: Cast) -> None:
    make_spent(cast)
    [made] = foretell(organization=cast.tenant, side=Side.TENANT, now=NOW)
    forecasts = {("USD", "UTC"): made}
    assert expected_of(RULE, forecasts) == Decimal("310.00")
    for other in (
        replace(RULE, currency="EUR"),
        replace(RULE, zone="Europe/Berlin"),
        replace(RULE, per=Per.WEEK),
        replace(RULE, measure=Measure.TOKENS, currency=""),
        replace(RULE, scope=Scope.MODEL, subject=BIG),
    ):
        assert expected_of(other, forecasts) is None
