"""Whatever goes wrong between a priced hour and money in the bank, the bills are those of the plan: the short form.

`python -m tests.faults.money --seeds 1000` is the long one, with workers at once, Stripe and real backups.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from billing.books import check_books
from billing.models import Invoice
from billing.money import round_to_minor
from tests.billing.test_books import forge
from tests.faults.money.plan import DIGITS, MONTHS, Plan, _rounded, make_plan, truth
from tests.faults.money.simulation import Place, Run, pay_by_bank

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

SHORT = (3, 8)


class OneConnection(Place):
    """A transaction: what is at once elsewhere is one after the other, and a backup is a savepoint."""

    def at_once(self, acts: list[Callable[[], object]]) -> None:
        for act in acts:
            act()

    def back_up(self) -> None:
        self.kept = transaction.savepoint()

    def restore(self) -> None:
        transaction.savepoint_rollback(self.kept)

    def pay(self, invoice: Invoice, now: datetime) -> None:
        pay_by_bank(invoice, now)

    def reconcile(self, now: datetime) -> None:
        """The bank's file has all transfers; those that are lost are told again as the month goes on."""


@pytest.mark.django_db
@pytest.mark.parametrize("seed", SHORT)
def test_with_faults_the_bills_are_those_of_the_plan(seed: int) -> None:
    run = Run(make_plan(seed), OneConnection())
    assert run.go() == []
    assert run.died
    # And a cent is seen.
    invoice = Invoice.objects.order_by("number")[0]
    forge(f"UPDATE billing_invoice SET total = total + 0.01 WHERE id = '{invoice.pk}'")
    assert any("expected" in one for one in run.differences())
    assert [check.name for check in check_books() if not check.holds]


def test_a_seed_repeats_its_plan() -> None:
    assert make_plan(7) == make_plan(7)
    assert make_plan(8) != make_plan(7)


def test_the_short_seeds_and_some_hundred_hold_every_fault() -> None:
    short = [make_plan(seed) for seed in SHORT]
    assert any(plan.restored for plan in short)
    assert any(one.late for plan in short for one in plan.used)
    plans = [make_plan(seed) for seed in range(300)]
    assert {plan.zone for plan in plans} == {zone for zone, _, _ in MONTHS}
    assert {plan.currency for plan in plans} == set(DIGITS)
    assert {plan.closers for plan in plans} == {1, 2, 3}
    assert {plan.restored for plan in plans} == {True, False}
    assert {len(plan.kills) for plan in plans} == {1, 2, 3}
    assert any(plan.paid_after and plan.restored for plan in plans)


def test_months_have_the_hours_that_their_zone_gives_them() -> None:
    def hours(plan: Plan) -> list[float]:
        first, second, third = plan.bounds
        return [(second - first).total_seconds() / 3600, (third - second).total_seconds() / 3600]

    plans = {(plan.zone, plan.bounds[0]): hours(plan) for plan in map(make_plan, range(300))}
    assert len(plans) == len(MONTHS)
    assert [743.0, 720.0] in plans.values()
    assert [745.0, 720.0] in plans.values()
    assert [720.5, 744.0] in plans.values()


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=10**6), st.sampled_from(sorted(DIGITS)))
def test_its_own_rounding_is_half_to_even(amount: Fraction, currency: str) -> None:
    for exact in (amount, Fraction(round(amount * 2000), 2000)):
        assert _rounded(make_plan_of(currency), exact) == round_to_minor(exact, currency)


def make_plan_of(currency: str) -> Plan:
    return next(plan for plan in map(make_plan, range(100)) if plan.currency == currency)


def test_the_truth_is_of_tokens_and_seconds_alone() -> None:
    plan = make_plan(SHORT[0])
    found = truth(plan)
    assert found.keys() == {(contract, month) for contract in range(plan.contracts) for month in (0, 1)}
    assert all(amount >= 0 for amount in found.values())
    tokens = sum(one.tokens for one in plan.used) * Fraction(plan.price_per_mtok) / 1_000_000
    held = sum(((one.to_at - one.from_at).total_seconds() for one in plan.leased), start=0.0)
    whole = tokens + Fraction(int(held)) * Fraction(plan.price_per_gpu_hour) / 3600
    assert abs(Fraction(sum(found.values(), Decimal(0))) - whole) < Fraction(1, 2) * 4 * plan.contracts
