"""What a contract's own rules make of its book's prices, from usage to an invoice that is recomputed."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.contracting import add_term
from billing.evidence import differences
from billing.models import Charge
from billing.price_agreements import agree_price_rule
from billing.price_rules import rules_among, rules_of, window_versions
from billing.pricing import publish_prices
from billing.queries.invoice_detail import invoice_detail
from billing.rating.price_lists import PriceKey, prices_of
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import PriceLock, PriceRule, price_row
from billing.rating.rated import PriceUnit
from billing.terms import terms_of
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
OUTPUT = PriceKey(PriceUnit.PER_MTOK, MODEL, "output")
RISE_AT = MARCH + 10 * DAY
NOTICE = PriceRule(notice_days=20)
OWN = PriceRule(overrides=(PriceRow(model=MODEL, quantity="output", price_per_mtok=Decimal("0.50")),))


def risen(cast: Cast, rule: PriceRule | None) -> World:
    """1.00 becomes 1.34 on the 11th, announced as the month begins; a million tokens on the 5th, 15th and 25th."""
    world = make_world(tokens={(MODEL, "output"): "1.00"}, parties=(cast.provider, cast.tenant))
    assert world.book is not None
    shared = world.share(percent="100", rolled_to_at=APRIL)
    if rule is not None:
        agree_price_rule(contract=world.contract, rule=rule, from_at=MARCH, now=MARCH)
    publish_prices(book=world.book, effective_at=RISE_AT, prices={OUTPUT: Decimal("1.34")}, now=MARCH)
    ensure_periods(contract=world.contract, now=MARCH)
    for days in (4, 14, 24):
        shared.use({"output": 1_000_000}, at=MARCH + days * DAY)
    return world


@pytest.mark.parametrize(
    ("rule", "prices", "total"),
    [
        (None, ["1.00", "1.34", "1.34"], "3.68"),
        (NOTICE, ["1.00", "1.00", "1.34"], "3.34"),
        (PriceRule(lock=PriceLock(from_at=MARCH)), ["1.00", "1.00", "1.00"], "3.00"),
        (OWN, ["0.50", "0.50", "0.50"], "1.50"),
    ],
)
def test_each_part_of_a_month_goes_at_the_contracts_price_and_the_invoice_can_be_recomputed(
    cast: Cast, rule: PriceRule | None, prices: list[str], total: str
) -> None:
    world = risen(cast, rule)
    assert charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL).charges == 3
    charged = Charge.objects.order_by("day").values_list("unit_price", "price_version__number")
    assert [price for price, _ in charged] == [Decimal(price) for price in prices]
    assert {number for _, number in charged} <= {1, 2}
    assert charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL).charges == 0
    invoice = close_period(period_id=world.period().id, now=APRIL + DAY).invoice
    assert invoice is not None
    assert invoice.total == Decimal(total)
    document = json.loads(invoice.evidence.document)
    assert differences(document) == []
    assert {version["number"] for version in document["price_versions"]} <= {1, 2}
    detail = invoice_detail(cast.tenant, invoice.id)
    assert detail is not None
    assert {check.key: check.passed for check in detail.checks}["priced_by_date"]


def test_a_charge_at_a_price_that_the_rules_held_back_is_found(cast: Cast) -> None:
    world = risen(cast, None)
    charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL)
    invoice = close_period(period_id=world.period().id, now=APRIL + DAY).invoice
    assert invoice is not None
    later = PriceRule(lock=PriceLock(from_at=MARCH))
    with pytest.raises(Exception, match="charged beyond it"):
        agree_price_rule(contract=world.contract, rule=later, from_at=MARCH, now=APRIL)
    add_term(
        contract=world.contract,
        wording=PriceRule(notice_days=365),
        from_at=MARCH,
        to_at=None,
        now=APRIL,
        title="after the fact",
    )
    detail = invoice_detail(cast.tenant, invoice.id)
    assert detail is not None
    assert not {check.key: check.passed for check in detail.checks}["priced_by_date"]


def test_windows_of_any_number_of_contracts_are_read_at_once(cast: Cast) -> None:
    ruled, floating = risen(cast, NOTICE), make_world(tokens={(MODEL, "output"): "7"})
    windows = [(one.contract, MARCH, APRIL) for one in (ruled, floating)] + [(ruled.contract, MARCH, MARCH + HOUR)]
    found = window_versions(windows)
    assert [[prices_of(each)[OUTPUT] for each in versions] for versions in found] == [
        [Decimal(1), Decimal("1.34")],
        [Decimal(7)],
        [Decimal(1)],
    ]
    assert found[0][1].effective_at == MARCH + 20 * DAY
    assert window_versions([]) == []


def test_rules_are_found_among_terms_that_were_read(cast: Cast, django_assert_num_queries: Any) -> None:
    ruled, floating = risen(cast, NOTICE), make_world(tokens={(MODEL, "output"): "7"})
    contracts = {one.contract.pk for one in (ruled, floating)}
    terms = terms_of(contracts)
    with django_assert_num_queries(0):
        found = rules_among(terms)
    assert found == rules_of(contracts)
    assert list(found) == [ruled.contract.pk]
    windows = [(ruled.contract, MARCH, APRIL), (floating.contract, MARCH, APRIL)]
    assert window_versions(windows, rules=found) == window_versions(windows)


def test_a_version_without_a_row_is_the_contracts_own() -> None:
    assert price_row(None) is None
    assert price_row("@2026-03-01T00:00:00+00:00") is None
