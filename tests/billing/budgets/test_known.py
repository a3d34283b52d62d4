"""What a budget's page shows is what a look would find, and a look that was made lately is not made again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.budgets.known import STANDS_FOR, KnownUse, known_use
from billing.budgets.lists import budgets_of
from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.budgets.setting import change_budget, make_budget, rule_of
from billing.budgets.using import Using
from billing.budgets.watching import DAYS_EVERY, look_at_budgets
from billing.models import BudgetLook
from billing.queries.usage import Side
from tests.billing.budgets.spent import BIG, BY, DAY, HOUR, RULE, Spent, look, make_spent, set_budget
from tests.billing.budgets.spent import NOW as NOON
from tests.billing.world import MARCH, make_world
from tests.factories import make_organization
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Budget
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

NOW = NOON + timedelta(minutes=30)
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"per": Per.WEEK},
    {"per": Per.DAY},
    {"per": Per.HOUR, "measure": Measure.TOKENS, "currency": "", "amount": Decimal(10**9)},
    {"measure": Measure.TOKENS, "currency": "", "amount": Decimal(10**9)},
    {"scope": Scope.MODEL, "subject": BIG, "zone": "Asia/Tokyo"},
)


@kept
def spent(cast: Cast) -> Spent:
    """Ten days of ten dollars, and something in the running hour."""
    made = make_spent(cast)
    made.big.use({"input": 5_000_000, "output": 0}, at=NOON, model=BIG)
    return made


def read(budget: Budget) -> Budget:
    return budgets_of(budget.organization).get(pk=budget.pk)


def known_of(budget: Budget, at: datetime) -> KnownUse:
    found = known_use(budget.organization, read(budget), at)
    assert found is not None
    return found


def plain(budget: Budget, at: Any) -> tuple[Decimal, dict[Any, Decimal]]:
    """Everything rated at an instant, for this budget alone."""
    using, rule = Using(budget.organization, Side(budget.side), now=at), rule_of(budget)
    window = window_of(rule.per, rule.zone, at)
    return using.used(rule, window), {} if rule.per is Per.HOUR else using.by_day(rule, window)


@pytest.mark.parametrize("changes", KINDS)
def test_what_a_look_found_is_what_is_used(cast: Cast, spent: Spent, changes: dict[str, Any]) -> None:
    assert spent
    budget = set_budget(cast, **changes)
    fresh = known_of(budget, NOW)
    assert (fresh.used, fresh.days, fresh.at) == (*plain(budget, NOW), NOW)
    assert fresh.used > 0
    look(cast, NOW)
    later = NOW + timedelta(minutes=2)
    with CaptureQueriesContext(connection) as captured:
        known = known_of(budget, later)
    assert (known.used, dict(known.days), known.at) == (fresh.used, fresh.days, NOW)
    assert len(captured) == 1
    assert known.used == BudgetLook.objects.get(budget=budget).used


def test_an_old_look_or_one_of_another_period_is_not_shown(cast: Cast, spent: Spent) -> None:
    budget = set_budget(cast)
    look(cast, NOW)
    spent.use(NOON, big=2)
    before, at_the_end = NOW + STANDS_FOR - timedelta(seconds=1), NOW + STANDS_FOR
    assert known_of(budget, before).at == NOW
    found = known_of(budget, at_the_end)
    assert (found.used, found.days, found.at) == (*plain(budget, at_the_end), at_the_end)
    assert found.used == known_of(budget, before).used + Decimal(16)
    # The day's budget begins anew within the ten minutes.
    daily = set_budget(cast, "A day", per=Per.DAY)
    midnight = NOON.replace(hour=0) + DAY
    look(cast, midnight - timedelta(minutes=1))
    assert known_of(daily, midnight).used == 0
    # A look of what is still to come is no look: clocks of two machines differ.
    assert known_of(daily, midnight - timedelta(minutes=5)).at == midnight - timedelta(minutes=5)


def test_a_look_without_days_is_made_again(cast: Cast, spent: Spent) -> None:
    """Such were kept before days were."""
    assert spent
    budget = set_budget(cast)
    look(cast, NOW)
    BudgetLook.objects.update(days=None, used=Decimal(1))
    found = known_of(budget, NOW + timedelta(minutes=1))
    assert (found.used, found.days) == plain(budget, NOW + timedelta(minutes=1))


def test_a_changed_amount_leaves_what_is_used(cast: Cast, spent: Spent) -> None:
    assert spent
    budget = set_budget(cast)
    look(cast, NOW)
    before = known_of(budget, NOW)
    rule = replace(rule_of(budget), amount=Decimal(90), thresholds=(10,))
    change_budget(organization=cast.tenant, budget_id=budget.pk, name="Less", rule=rule, by=BY, now=NOW)
    assert known_of(budget, NOW + HOUR / 60) == before


def test_a_provider_with_more_tenants_is_not_rated_again(cast: Cast, spent: Spent) -> None:
    assert spent
    limit = make_budget(
        organization=cast.provider, side=Side.PROVIDER, name="All tenants", rule=replace(RULE), by=BY, now=MARCH
    )
    asked = []
    for round_of in range(2):
        now = NOW + round_of * DAYS_EVERY
        look_at_budgets(organization=cast.provider, side=Side.PROVIDER, now=now)
        with CaptureQueriesContext(connection) as captured:
            known = known_of(limit, now)
        asked.append((len(captured), known.used))
        assert (known.used, dict(known.days)) == plain(limit, now)
        other = make_world(tokens={(BIG, "input"): "0.80"}, parties=(cast.provider, make_organization(f"t{round_of}")))
        other.share(percent="100", model=BIG, rolled_to_at=NOW).use({"input": 10_000_000}, at=MARCH, model=BIG)
    assert [queries for queries, _used in asked] == [1, 1]
    assert asked[1][1] > asked[0][1]


def test_a_providers_page_rates_nobody(cast: Cast, spent: Spent) -> None:
    """A thousand tenants are rated by the look and by nobody who waits: what it found stands, however long ago."""
    assert spent
    limit, rate = (
        make_budget(organization=cast.provider, side=Side.PROVIDER, name=name, rule=rule, by=BY, now=MARCH)
        for name, rule in (
            ("All tenants", RULE),
            ("An hour", replace(RULE, per=Per.HOUR, measure=Measure.TOKENS, currency="")),
        )
    )
    with CaptureQueriesContext(connection) as captured:
        assert known_use(cast.provider, read(limit), NOW) is None
    assert len(captured) == 1
    look_at_budgets(organization=cast.provider, side=Side.PROVIDER, now=NOW)
    at_noon = plain(limit, NOW)
    spent.use(NOON, big=2)
    found = known_of(limit, NOW + 3 * DAY)
    assert (found.used, found.days, found.at) == (*at_noon, NOW)
    assert known_of(rate, NOW + timedelta(minutes=29)).at == NOW
    assert known_use(cast.provider, read(rate), NOW + timedelta(minutes=30)) is None, "of the hour before"
    assert known_use(cast.provider, read(limit), NOW - timedelta(minutes=1)) is None, "of what is still to come"
    BudgetLook.objects.update(days=None)
    assert known_use(cast.provider, read(limit), NOW) is None, "without its days"
