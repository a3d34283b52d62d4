"""A contract agrees how it follows its price book: refused where that contradicts, and never after the fact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from billing.charging import charge_period, ensure_periods
from billing.models import Term
from billing.price_agreements import WrongPriceRule, agree_price_rule
from billing.price_rules import rules_of
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import FLOAT, PriceLock, PricePin, PriceRule
from metering.models import UsageCut
from tests.billing.world import HOUR, MARCH, MODEL, World, make_world
from tests.factories import make_price_book, make_price_version
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Contract

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PRICES = {(MODEL, "output"): "1.00"}


def agree(contract: Contract, rule: PriceRule, from_at: datetime = MARCH) -> None:
    agree_price_rule(contract=contract, rule=rule, from_at=from_at, now=MARCH)


@kept
def made() -> World:
    return make_world(tokens=PRICES)


def test_rules_follow_each_other_and_a_later_version_replaces_what_earlier_ones_said() -> None:
    contract = make_world(tokens=PRICES).contract
    agree(contract, PriceRule(notice_days=1))
    agree(contract, PriceRule(notice_days=2), MARCH + 9 * DAY)
    agree(contract, PriceRule(notice_days=3), MARCH + 5 * DAY)
    stretches = rules_of([contract.id])[contract.id]
    assert [(one.wording.notice_days, one.from_at, one.contract_version) for one in stretches] == [
        (1, MARCH, 1),
        (3, MARCH + 5 * DAY, 3),
    ]
    assert rules_of([UUID(int=0)]) == {}


@pytest.mark.parametrize(
    ("rule", "from_at", "field"),
    [
        (PriceRule(notice_days=-1), MARCH, "notice_days"),
        (FLOAT, MARCH - HOUR, "from_at"),
        (PriceRule(pin=PricePin(price_version_id=UUID(int=0))), MARCH, "pin.price_version_id"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_with_field_reason_and_example(
    rule: PriceRule, from_at: datetime, field: str
) -> None:
    with pytest.raises(WrongPriceRule) as caught:
        agree(make_world(tokens=PRICES).contract, rule, from_at)
    assert caught.value.extra["field"] == field
    assert caught.value.extra["reason"]
    assert caught.value.extra["example"]
    assert not Term.objects.filter(kind="price_rule").exists()


def test_a_version_of_another_book_cannot_be_pinned_and_one_of_the_own_can(made: World) -> None:
    assert made.book is not None
    other = make_price_version(make_price_book(made.provider), tokens=PRICES)
    with pytest.raises(WrongPriceRule, match="no version of the contract's price book"):
        agree(made.contract, PriceRule(pin=PricePin(price_version_id=other.id)))
    agree(made.contract, PriceRule(pin=PricePin(price_version_id=made.book.versions.get().id)))


def test_what_is_charged_keeps_its_price(made: World) -> None:
    ensure_periods(contract=made.contract, now=MARCH)
    charge_period(period_id=made.period().id, up_to=MARCH + 2 * HOUR, now=MARCH + 2 * HOUR)
    with pytest.raises(WrongPriceRule, match="charged beyond it"):
        agree(made.contract, PriceRule(notice_days=1), MARCH + HOUR)
    agree(made.contract, PriceRule(notice_days=1), MARCH + 2 * HOUR)


def test_a_contract_without_a_book_can_only_name_its_own_prices() -> None:
    contract = make_world(tokens=PRICES).contract
    contract.price_book = None
    contract.save()
    with pytest.raises(WrongPriceRule, match="no price book"):
        agree(contract, PriceRule(notice_days=1))
    agree(contract, PriceRule(overrides=(PriceRow(model=MODEL, quantity="output", price_per_mtok=Decimal(1)),)))


def test_usage_is_cut_where_a_lock_ends(made: World) -> None:
    assert made.book is not None
    shared = made.share()
    ensure_periods(contract=made.contract, now=MARCH)
    make_price_version(made.book, number=2, effective_at=MARCH + DAY, tokens={(MODEL, "output"): "2.00"})
    end = MARCH + 9 * DAY + timedelta(minutes=20)
    agree(made.contract, PriceRule(lock=PriceLock(from_at=MARCH, to_at=end)))
    assert list(UsageCut.objects.values_list("deployment", "at")) == [(shared.deployment.id, end)]


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET document = '{{}}'"])
def test_what_was_agreed_stands(statement: str) -> None:
    agree(make_world(tokens=PRICES).contract, PriceRule(notice_days=1))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format("billing_termwording"))
