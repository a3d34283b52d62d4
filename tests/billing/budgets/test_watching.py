"""The sweep of budgets: everybody is looked at in turn, by one of those who look, and told from real usage."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.rules import Measure, Per, Scope
from billing.budgets.setting import retire_budget
from billing.budgets.watching import DAYS_EVERY, LOOKED_AT_EVERY, PROFILED_EVERY, begin_watches, claim_watches
from billing.budgets.watching import look as look_at
from billing.models import Budget, BudgetLook, SpendMail, SpendWatch
from tests.billing.budgets.spent import BIG, BY, DAY, NOW, look, make_spent, set_budget, told
from tests.billing.world import APRIL, MARCH

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_every_party_of_a_running_contract_is_watched_once(cast: Cast) -> None:
    make_spent(cast, days=0)
    assert begin_watches(now=NOW, limit=10) == 2
    assert begin_watches(now=NOW, limit=10) == 0
    watched = {(watch.organization_id, watch.side) for watch in SpendWatch.objects.all()}
    assert watched == {(cast.tenant.pk, "tenant"), (cast.provider.pk, "provider")}


def test_a_watch_is_claimed_by_one_and_comes_back(cast: Cast) -> None:
    make_spent(cast, days=0)
    begin_watches(now=NOW, limit=10)
    assert len(claim_watches(now=NOW, limit=10)) == 2
    assert claim_watches(now=NOW, limit=10) == []
    assert len(claim_watches(now=NOW + LOOKED_AT_EVERY, limit=1)) == 1


def test_use_is_told_as_it_grows_and_anew_in_the_next_month(cast: Cast) -> None:
    spent = make_spent(cast, days=9)
    set_budget(cast)
    set_budget(cast, "Big", scope=Scope.MODEL, subject=BIG, amount=Decimal(60), thresholds=(100,))
    set_budget(cast, "Tokens", measure=Measure.TOKENS, currency="", amount=Decimal(10**12))
    assert told(look(cast)) == [("threshold", 100)]
    assert look(cast) == []
    spent.use(NOW, small=1)
    assert told(look(cast)) == [("threshold", 50)]
    looks = {one.budget.name: one.used for one in BudgetLook.objects.select_related("budget")}
    assert looks == {"All of it": Decimal(100), "Big": Decimal(80), "Tokens": Decimal(300_000_000)}
    spent.use(APRIL, big=20)
    assert look(cast, APRIL + timedelta(hours=8)) == []
    assert told(look(cast, APRIL + timedelta(hours=10))) == [("threshold", 50), ("threshold", 75), ("threshold", 100)]


def test_a_new_period_begins_at_nothing(cast: Cast) -> None:
    make_spent(cast)
    set_budget(cast, per=Per.DAY, amount=Decimal(10), thresholds=(100,), stops=True)
    nine = MARCH + 8 * DAY + timedelta(hours=12)
    assert told(look(cast, nine)) == [("threshold", 100), ("stopped", 0)]
    assert look(cast, nine + timedelta(hours=15)) == []
    assert BudgetLook.objects.get().used == 0
    assert told(look(cast, nine + DAY)) == [("threshold", 100), ("stopped", 0)]


def test_late_usage_just_after_midnight_is_still_told(cast: Cast) -> None:
    spent = make_spent(cast, days=0)
    set_budget(cast, per=Per.DAY, amount=Decimal(8), thresholds=(100,), now=MARCH)
    midnight = MARCH + 5 * DAY
    assert look(cast, midnight + timedelta(minutes=5)) == []
    spent.big.use({"input": 10_000_000}, at=midnight - timedelta(minutes=10), to_at=midnight, model=BIG)
    assert told(look(cast, midnight + timedelta(minutes=20))) == [("threshold", 100)]
    assert look(cast, midnight + timedelta(minutes=22)) == []


def test_a_period_that_was_over_when_the_budget_was_set_is_not_told_of(cast: Cast) -> None:
    """A letter about the hour before would be the one of the day, and keep back that about the running hour."""
    spent = make_spent(cast, days=0)
    ten = MARCH + 5 * DAY + timedelta(hours=10)
    spent.big.use({"input": 10_000_000}, at=ten - timedelta(minutes=30), to_at=ten, model=BIG)
    spent.big.use({"input": 20_000_000}, at=ten, to_at=ten + timedelta(minutes=5), model=BIG)
    set_budget(cast, per=Per.HOUR, amount=Decimal(8), thresholds=(100,), now=ten + timedelta(minutes=10))
    (alert,) = look(cast, ten + timedelta(minutes=11))
    assert (alert.from_at, alert.used) == (ten, Decimal(16))
    assert {letter.alert_id for letter in SpendMail.objects.all()} == {alert.pk}


def test_without_budgets_one_is_looked_at_once_an_hour_and_with_one_at_once(cast: Cast) -> None:
    make_spent(cast).use(NOW, small=1)
    begin_watches(now=NOW, limit=10)
    for watch in claim_watches(now=NOW, limit=10):
        assert look_at(watch=watch, now=NOW) == []
    assert claim_watches(now=NOW + LOOKED_AT_EVERY, limit=10) == []
    assert {watch.profiled_at for watch in SpendWatch.objects.all()} == {NOW}
    set_budget(cast, now=NOW + LOOKED_AT_EVERY)
    [watch] = claim_watches(now=NOW + LOOKED_AT_EVERY, limit=10)
    assert told(look_at(watch=watch, now=NOW + LOOKED_AT_EVERY)) == [("threshold", 50)]
    watch.refresh_from_db()
    assert (watch.due_at, watch.profiled_at) == (NOW + 2 * LOOKED_AT_EVERY, NOW)
    assert len(claim_watches(now=NOW + PROFILED_EVERY, limit=10)) == 2


def test_a_month_on_course_to_pass_is_told_before_it_is_passed(cast: Cast) -> None:
    make_spent(cast).use(NOW, small=1)
    set_budget(cast, amount=Decimal(250), thresholds=(100,), on_forecast=True)
    begin_watches(now=NOW, limit=10)
    watch = SpendWatch.objects.get(side="tenant")
    assert look_at(watch=watch, now=NOW) == []
    [alert] = look(cast, NOW + LOOKED_AT_EVERY)
    assert (str(alert.kind), alert.used) == ("forecast", Decimal("310.00"))
    assert BudgetLook.objects.get().expected == Decimal("310.00")
    assert look(cast, NOW + 2 * LOOKED_AT_EVERY) == []


def test_a_retired_budget_is_not_looked_at(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast)
    retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW)
    assert look(cast) == []
    assert Budget.objects.count() == 1


def test_days_are_found_once_an_hour_and_what_is_used_with_every_look(cast: Cast) -> None:
    spent = make_spent(cast)
    budget, big = set_budget(cast), set_budget(cast, "Big", scope=Scope.MODEL, subject=BIG, zone="Asia/Tokyo")

    def looked(now: datetime) -> tuple[Decimal, Decimal, datetime | None]:
        """What the first is found at: used, what its days add up to, and when they were found."""
        look(cast, now)
        kept = BudgetLook.objects.get(budget=budget)
        assert kept.looked_at == now
        assert kept.days is not None
        return kept.used, sum((Decimal(part) for part in kept.days.values()), Decimal(0)), kept.days_at

    assert looked(NOW) == (Decimal(100), Decimal(100), NOW)
    spent.use(NOW, big=1)
    for minutes in (2, 59):
        assert looked(NOW + timedelta(minutes=minutes)) == (Decimal(108), Decimal(100), NOW)
    of_big = BudgetLook.objects.get(budget=big)
    assert (of_big.used, of_big.days_at) == (Decimal(88), NOW)
    assert looked(NOW + DAYS_EVERY) == (Decimal(108), Decimal(108), NOW + DAYS_EVERY)
    # With the first look of a day they are found too, and where they are rated for another budget anyway.
    evening, midnight = NOW + timedelta(hours=11, minutes=59), NOW + timedelta(hours=12)
    assert looked(evening) == (Decimal(108), Decimal(108), evening)
    assert looked(midnight) == (Decimal(108), Decimal(108), midnight)
    set_budget(cast, "A day", per=Per.DAY)
    assert looked(midnight + timedelta(minutes=2))[2] == midnight + timedelta(minutes=2)
    # A clock that was wrong, and looks of before it was known when days were found.
    BudgetLook.objects.filter(budget=budget).update(days_at=None)
    Budget.objects.filter(name="A day").update(retired_at=NOW)
    assert looked(midnight + timedelta(minutes=4))[2] == midnight + timedelta(minutes=4)
    BudgetLook.objects.filter(budget=budget).update(days_at=midnight + DAY)
    assert looked(midnight + timedelta(minutes=6))[2] == midnight + timedelta(minutes=6)
    spent.use(APRIL, big=1)
    assert looked(APRIL + timedelta(hours=10)) == (Decimal(8), Decimal(8), APRIL + timedelta(hours=10))
