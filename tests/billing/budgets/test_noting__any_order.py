"""Looks at a budget in any order, any number of times, by many: each told once, and a stop only while it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from billing.budgets.noting import QUIET, note_use
from billing.budgets.rules import Per, reached, window_of
from billing.budgets.setting import NothingStopped, change_budget, lift_stop, retire_budget, rule_of
from billing.budgets.standing import standing_of
from billing.models import Budget, BudgetLift, BudgetLook, BudgetStop, SpendAlert, SpendMail
from tenants.hook_models import WebhookEvent
from tenants.models import AuditEntry
from tests.billing.agreements.test_accepting__at_once import run_at_once
from tests.billing.budgets.spent import BY, DAY, HOUR, NOW, set_budget, told
from tests.billing.test_telling import listen
from tests.billing.world import APRIL, MARCH
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def note(
    budget: Budget, used: str | Decimal, now: datetime = NOW, *, at: datetime | None = None
) -> list[tuple[str, int]]:
    """Look at the period of `at` (or now) with so much used in it."""
    budget = Budget.objects.get(pk=budget.pk)
    rule = rule_of(budget)
    window = window_of(rule.per, rule.zone, at or now)
    return told(note_use(budget_id=budget.pk, rule=rule, window=window, used=Decimal(used), now=now))


def allows(cast: Cast, now: datetime = NOW) -> bool:
    return standing_of(cast.tenant, {}, now).allowed


@kept
def budget(cast: Cast) -> Budget:
    return set_budget(cast, stops=True, thresholds=())


@kept
def budget_made(cast: Cast) -> Budget:
    return set_budget(cast, stops=True, thresholds=(), now=MARCH - DAY)


@kept
def budget_too(cast: Cast) -> Budget:
    return set_budget(cast, per=Per.HOUR, amount=Decimal(8), thresholds=(100,))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_looks_each_threshold_is_told_once_and_no_other(cast: Cast, seed: int) -> None:
    random = Random(seed)
    listen(cast.tenant)
    thresholds = tuple(sorted(random.sample(range(1, 300), 4)))
    budget = set_budget(cast, thresholds=thresholds, stops=True)
    looks = [Decimal(random.randrange(0, 60_000)) / 100 for _look in range(8)]
    alerts: Counter[tuple[str, int]] = Counter()
    for minute, used in enumerate(looks):
        alerts.update(note(budget, used, NOW + timedelta(minutes=minute)))
    expected = {("threshold", one) for one in reached(max(looks), Decimal(200), thresholds)}
    expected |= {("stopped", 0)} if max(looks) >= 200 else set()
    assert set(alerts) == expected
    assert set(alerts.values()) <= {1}
    assert SpendAlert.objects.count() == len(expected) == WebhookEvent.objects.filter(kind="budget.threshold").count()
    assert BudgetLook.objects.get().used == looks[-1], "the page shows the latest look, not the greatest"


def test_each_period_tells_anew_and_keeps_no_look_of_another(cast: Cast) -> None:
    budget = set_budget(cast, per=Per.DAY, thresholds=(100,), amount=Decimal(10))
    for index in range(4):
        now = MARCH + index * DAY + 5 * HOUR
        assert note(budget, "10.00", now) == [("threshold", 100)]
        assert note(budget, "11.00", now + HOUR) == []
        look = BudgetLook.objects.get()
        assert (look.from_at, look.to_at) == (MARCH + index * DAY, MARCH + (index + 1) * DAY)
    assert SpendAlert.objects.count() == 4
    assert SpendMail.objects.filter(address="alice@example.com").count() == 4


@pytest.mark.parametrize(("now", "is_running"), [(MARCH, True), (APRIL - timedelta(microseconds=1), True)])
def test_a_period_runs_from_its_first_instant_to_before_its_last(
    now: datetime, is_running: bool, budget: Budget
) -> None:
    assert bool(note(budget, "200", now, at=MARCH)) is is_running
    assert BudgetStop.objects.exists() is is_running


@pytest.mark.parametrize("now", [APRIL, APRIL + HOUR, MARCH - timedelta(microseconds=1)])
def test_a_period_that_does_not_run_stops_nothing_and_is_not_looked_at(now: datetime, budget_made: Budget) -> None:
    budget = budget_made
    assert note(budget, "200", now, at=MARCH) == []
    assert not BudgetStop.objects.exists()
    assert not BudgetLook.objects.exists()


def test_a_stop_stands_from_its_period_on_and_ends_with_it(cast: Cast) -> None:
    budget = set_budget(cast, per=Per.DAY, stops=True, amount=Decimal(10))
    note(budget, "10.00")
    start, end = window_of(Per.DAY, "UTC", NOW)
    for now, is_allowed in ((start, False), (NOW, False), (end - timedelta(microseconds=1), False), (end, True)):
        assert allows(cast, now) is is_allowed, now
    assert note(budget, "10.00", NOW + DAY) != []
    assert BudgetStop.objects.count() == 2


def test_use_that_is_corrected_below_the_amount_lifts_the_stop_and_grows_into_another(
    cast: Cast, budget: Budget
) -> None:
    assert note(budget, "200.00") == [("stopped", 0)]
    assert note(budget, "199.99", NOW + HOUR) == []
    lift = BudgetLift.objects.get()
    assert (lift.by, lift.at) == ("budgets", NOW + HOUR)
    assert "less than the budget" in lift.reason
    assert allows(cast, NOW + HOUR)
    assert note(budget, "150.00", NOW + 2 * HOUR) == []
    assert BudgetLift.objects.count() == 1
    note(budget, "201.00", NOW + 3 * HOUR)
    assert not allows(cast, NOW + 3 * HOUR), "what was not lifted by a person stops again"
    assert BudgetStop.objects.count() == 2
    assert SpendAlert.objects.filter(kind="stopped").count() == 1, "the same is not told twice"
    actions = AuditEntry.objects.filter(subject=f"budget {budget.pk}").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["budget.made", "budget.stopped", "budget.lifted", "budget.stopped"]


def test_what_a_person_lifted_stays_lifted_however_use_goes(cast: Cast, budget: Budget) -> None:
    note(budget, "200.00")
    lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="a launch", by=BY, now=NOW)
    for hour, used in enumerate(("250.00", "190.00", "300.00"), 1):
        assert note(budget, used, NOW + hour * HOUR) == []
        assert allows(cast, NOW + hour * HOUR)
    assert (BudgetStop.objects.count(), BudgetLift.objects.count()) == (1, 1)


def test_what_a_person_lifted_after_the_sweep_did_stays_lifted(cast: Cast, budget: Budget) -> None:
    note(budget, "200.00")
    note(budget, "100.00", NOW + HOUR)
    note(budget, "200.00", NOW + 2 * HOUR)
    lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="enough", by=BY, now=NOW + 3 * HOUR)
    note(budget, "300.00", NOW + 4 * HOUR)
    assert allows(cast, NOW + 4 * HOUR)


def change_at_random(cast: Cast, budget: Budget, random: Random, now: datetime) -> None:
    amount, stops = Decimal(random.choice((100, 200, 300))), random.random() < 0.7
    rule = replace(rule_of(budget), amount=amount, stops=stops)
    change_budget(organization=cast.tenant, budget_id=budget.pk, name="All of it", rule=rule, by=BY, now=now)


def lift_if_it_stands(cast: Cast, budget: Budget, now: datetime) -> None:
    is_allowed = allows(cast, now)
    try:
        lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="x", by=BY, now=now)
    except NothingStopped:
        assert is_allowed
    else:
        assert not is_allowed


@pytest.mark.parametrize("seed", range(5))
def test_a_stop_never_outlives_its_reason(cast: Cast, seed: int) -> None:
    """Looks, changes, lifts by hand and corrections in any order: what stands is used up, asked for, and not lifted."""
    random = Random(seed)
    budget = set_budget(cast, stops=True)
    for hour in range(14):
        now = NOW + hour * HOUR
        act = random.choice(("look", "look", "look", "change", "lift"))
        if act == "change":
            change_at_random(cast, budget, random, now)
        elif act == "lift":
            lift_if_it_stands(cast, budget, now)
        else:
            used = Decimal(random.randrange(50, 350))
            note(budget, used, now)
            budget.refresh_from_db()
            is_right = budget.stops and used >= budget.amount
            assert allows(cast, now) or is_right
            assert not allows(cast, now) or not is_right or seen_before(budget)
        budget.refresh_from_db()
    retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW + DAY)
    assert allows(cast, NOW + DAY)


def seen_before(budget: Budget) -> bool:
    """Whether a person ended a stop at the amount that a budget has now, by lifting it or by changing the budget."""
    return BudgetLift.objects.filter(stop__budget=budget, stop__amount=budget.amount, by=BY).exists()


def test_a_lowered_budget_stops_with_the_next_look_and_tells_it(cast: Cast) -> None:
    budget = set_budget(cast, stops=True, thresholds=(100,))
    assert note(budget, "150.00") == []
    less = replace(rule_of(budget), amount=Decimal(150))
    change_budget(organization=cast.tenant, budget_id=budget.pk, name=budget.name, rule=less, by=BY, now=NOW)
    assert note(budget, "150.00") == [("threshold", 100), ("stopped", 0)]


@pytest.mark.parametrize(("after", "letters"), [(QUIET - timedelta(seconds=1), 1), (QUIET, 2)])
def test_a_rate_is_written_of_again_once_it_was_quiet_for_a_day(
    after: timedelta, letters: int, budget_too: Budget
) -> None:
    budget = budget_too
    note(budget, "8.00")
    note(budget, "8.00", NOW + after)
    assert SpendAlert.objects.count() == 2
    assert SpendMail.objects.filter(address="alice@example.com").count() == letters


def test_the_letters_of_another_budget_keep_a_rate_from_nothing(cast: Cast) -> None:
    note(set_budget(cast, "Other", per=Per.HOUR, amount=Decimal(8), thresholds=(100,)), "8.00")
    note(set_budget(cast, per=Per.HOUR, amount=Decimal(8), thresholds=(100,)), "8.00")
    assert SpendMail.objects.filter(address="alice@example.com").count() == 2


def test_a_retired_budget_and_one_that_is_not_there_note_nothing(cast: Cast) -> None:
    budget = set_budget(cast)
    retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW)
    assert note(budget, "500.00") == []
    rule = rule_of(budget)
    window = window_of(rule.per, rule.zone, NOW)
    assert note_use(budget_id=cast.tenant.pk, rule=rule, window=window, used=Decimal(500), now=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_many_who_look_at_once_tell_once(cast: Cast) -> None:
    listen(cast.tenant)
    budget = set_budget(cast, stops=True)
    assert run_at_once(*(partial(note, budget, "250.00") for _worker in range(4))) == []
    assert (SpendAlert.objects.count(), BudgetStop.objects.count(), SpendMail.objects.count()) == (4, 1, 2)
    assert WebhookEvent.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_look_and_a_retirement_at_once_leave_no_stop(cast: Cast) -> None:
    budget = set_budget(cast, stops=True)
    refused = run_at_once(
        partial(note, budget, "250.00"),
        partial(retire_budget, organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW),
    )
    assert refused == []
    assert BudgetStop.objects.count() == BudgetLift.objects.count() in (0, 1)
