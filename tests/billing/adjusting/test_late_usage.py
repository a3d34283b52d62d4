"""Which closed periods are looked at again, and which are not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.adjusting.last_bills import bill_all_late, contracts_with_late_usage
from billing.adjusting.late_usage import CLOCKS_WITHIN, STORED_WITHIN, closed_before, late_contracts
from billing.adjusting.restatements import restate_into
from billing.models import Adjustment, BillingPeriod, Contract
from tests.billing.adjusting.late import MAY, Late, late_world
from tests.billing.world import APRIL, MODEL
from tests.kept import kept

pytestmark = pytest.mark.django_db

MILLION = 1_000_000
CLOSED_AT = APRIL + timedelta(days=1)
LATER = APRIL + timedelta(days=9)


def closed_world() -> Late:
    late = late_world()
    late.use(25 * MILLION)
    late.close()
    return late


def seen(late: Late) -> list[tuple[bool, bool]]:
    return [(each.is_late, each.is_adjusted) for each in closed_before(late.world.period(APRIL))]


late = kept(closed_world)


def test_a_period_that_got_nothing_since_its_close_is_left_alone(late: Late) -> None:
    assert seen(late) == [(False, False)]
    assert late_contracts([late.world.contract.pk]) == []
    assert restate_into(into=late.world.period(APRIL), now=LATER) == ()
    assert late.world.period().restated_at is None


def test_usage_that_was_stored_around_the_close_is_looked_at_once(late: Late) -> None:
    late.use(0, stored_at=CLOSED_AT - STORED_WITHIN / 2)
    assert seen(late) == [(True, False)]
    assert restate_into(into=late.world.period(APRIL), now=LATER) == ()
    assert seen(late) == [(False, False)]


@pytest.mark.parametrize("over", [False, True])
def test_usage_that_a_clock_behind_stored_after_the_close_is_found_once_a_day(over: bool, late: Late) -> None:
    """It was stored before the close by more than any transaction takes, so nothing told it from what was billed."""
    if over:
        Contract.objects.update(to_at=APRIL)
        BillingPeriod.objects.filter(from_at=APRIL).delete()
    late.use(MILLION, stored_at=CLOSED_AT - timedelta(minutes=30))
    bill_all_late(now=LATER)
    assert not Adjustment.objects.exists()
    bill_all_late(now=LATER, stored_within=CLOCKS_WITHIN)
    adjusted = Adjustment.objects.get()
    assert (adjusted.period, adjusted.amount, adjusted.into.from_at) == (late.world.period(), Decimal(1), APRIL)
    assert contracts_with_late_usage(CLOCKS_WITHIN) == []
    bill_all_late(now=LATER, stored_within=CLOCKS_WITHIN)
    assert Adjustment.objects.get() == adjusted


def test_usage_of_another_period_or_deployment_is_not_late_here(late: Late) -> None:
    late.use(MILLION, at=APRIL, stored_at=LATER)
    other = late_world()
    other.use(MILLION, stored_at=LATER)
    assert seen(late) == [(False, False)]
    assert late_contracts([late.world.contract.pk, other.world.contract.pk]) == []


def test_what_is_on_a_bill_already_is_rated_with_it_again(late: Late) -> None:
    late.use(MILLION, stored_at=LATER)
    into = late.world.period(APRIL)
    [restated] = restate_into(into=into, now=LATER + timedelta(days=1))
    assert [str(line.adjusted_amount) for line in restated.lines] == ["1.00"]
    assert seen(late) == [(False, True)]
    [again] = restate_into(into=into, now=LATER + timedelta(days=2))
    assert again == restated
    assert Adjustment.objects.count() == 1


def test_any_number_of_closed_periods_is_one_query(django_assert_num_queries: object, late: Late) -> None:
    late.close(APRIL)
    into = BillingPeriod.objects.get(contract=late.world.contract, from_at=MAY)
    with django_assert_num_queries(1):  # type: ignore[operator]  # a fixture without a type
        assert len(closed_before(into)) == 2


def test_the_sweep_bills_every_contract_and_one_that_fails_holds_up_no_other() -> None:
    broken, sound = closed_world(), closed_world()
    for late in (broken, sound):
        late.use(MILLION, stored_at=LATER)
    broken.world.contract.time_zone = "Nowhere/Never"
    broken.world.contract.save(update_fields=["time_zone"])
    bill_all_late(now=LATER + timedelta(days=1))
    assert [row.period for row in Adjustment.objects.all()] == [sound.world.period()]
    assert Adjustment.objects.get().model == MODEL
