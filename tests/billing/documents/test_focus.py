"""What a part of a line becomes in FOCUS: category, frequency, prices that multiply to the cost, and its references."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents.focus import (
    ADJUSTMENT,
    COLUMNS,
    CONSUMED,
    CREDIT,
    PRICED,
    PURCHASE,
    SERVICE_NAMES,
    SERVICES,
    TAX,
    USAGE,
    WHOLE,
    cells,
    charge_row,
    instant,
    plain_row,
    rounding_row,
)
from billing.documents.focus_rules import broken_columns
from billing.money import to_charge
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.rated import PriceUnit, TermKind, Unit
from tests.billing.documents.test_focus_rules import AMOUNT, BILL, HELD, charge
from tests.examples import examples

NOTHING = Decimal(0)
COSTS = ("BilledCost", "EffectiveCost", "ContractedCost")
OF_PRICES = ("PricingCategory", "PricingQuantity", "PricingUnit", "ContractedUnitPrice", "ListUnitPrice")
OF_SKUS = ("SkuId", "SkuMeter", "SkuPriceId")


@pytest.mark.parametrize(
    ("changes", "category", "frequency"),
    [
        ({}, USAGE, "Usage-Based"),
        (HELD, USAGE, "Usage-Based"),
        ({**AMOUNT, "amount": Decimal(5), "base": Decimal(5)}, PURCHASE, "Recurring"),
        ({**AMOUNT, "amount": NOTHING, "base": NOTHING}, PURCHASE, "Recurring"),
        ({**AMOUNT, "amount": Decimal("-0.01"), "base": Decimal("-0.01")}, CREDIT, "One-Time"),
        *(({**AMOUNT, "amount": Decimal(9), "rule": rule}, PURCHASE, "One-Time") for rule in sorted(DEPOSIT_RULES)),
    ],
)
def test_usage_is_what_was_counted_and_an_amount_is_bought_or_taken_off(
    changes: dict[str, object], category: str, frequency: str
) -> None:
    row = charge_row(BILL, charge(**changes))
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == (category, frequency)


@pytest.mark.parametrize("unit", [unit for unit in Unit if unit != Unit.AMOUNT])
def test_every_unit_that_is_counted_has_a_name_in_the_file(unit: Unit) -> None:
    row = charge_row(BILL, charge(unit=unit, quantity=Decimal(7)))
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (Decimal(7), CONSUMED[unit])
    assert row["SkuMeter"] == "input"


def test_an_amount_is_no_unit_that_is_counted() -> None:
    assert set(CONSUMED) == set(Unit) - {Unit.AMOUNT}
    row = charge_row(BILL, charge(**AMOUNT))
    assert row["ConsumedQuantity"] is row["ConsumedUnit"] is None


@pytest.mark.parametrize(
    ("price_unit", "quantity", "price", "pricing_quantity", "pricing_unit"),
    [
        (PriceUnit.PER_MTOK, "1500000", "2", "1.5", "1000000 Tokens"),
        (PriceUnit.PER_GPU_HOUR, "5400", "2", "1.5", "GPU-Hours"),
        (PriceUnit.PER_SECOND, "90", "0.01", "90", "Seconds"),
        (PriceUnit.PER_REQUEST, "3", "0.5", "3", "Requests"),
        (PriceUnit.PER_IMAGE, "3", "0.5", "3", "Images"),
        (PriceUnit.PER_STEP, "3", "0.5", "3", "Steps"),
        (PriceUnit.PER_PACKAGE, "2", "10", "2", "Packages"),
    ],
)
def test_a_known_price_is_told_in_the_unit_it_was_agreed_in(
    price_unit: PriceUnit, quantity: str, price: str, pricing_quantity: str, pricing_unit: str
) -> None:
    amount = Decimal(pricing_quantity) * Decimal(price)
    row = charge_row(
        BILL,
        charge(
            quantity=Decimal(quantity),
            unit_price=Decimal(price),
            price_unit=price_unit,
            share_percent=Decimal(100),
            amount=amount,
            base=amount,
        ),
    )
    assert (row["PricingQuantity"], row["PricingUnit"]) == (Decimal(pricing_quantity), pricing_unit)
    assert row["ContractedUnitPrice"] == row["ListUnitPrice"] == Decimal(price)
    assert row["ListCost"] == row["BilledCost"] == amount


@pytest.mark.parametrize("price_unit", sorted(set(PriceUnit) - set(PRICED)))
def test_a_price_of_another_unit_is_one_unit_of_the_amount(price_unit: str) -> None:
    row = charge_row(BILL, charge(unit=Unit.GB_SECONDS, price_unit=price_unit))
    assert (row["PricingQuantity"], row["PricingUnit"]) == (Decimal(1), WHOLE)
    assert (row["ContractedUnitPrice"], row["ListUnitPrice"]) == (Decimal("0.36"), Decimal("1.20"))
    assert broken_columns(row) == ()


def test_a_price_that_does_not_multiply_to_the_amount_is_not_told() -> None:
    """A floor or a cap moved the amount: quantity times price would contradict the cost beside it."""
    row = charge_row(BILL, charge(amount=Decimal("0.37")))
    assert (row["PricingUnit"], row["ContractedUnitPrice"]) == (WHOLE, Decimal("0.37"))
    assert broken_columns(row) == ()


@pytest.mark.parametrize(
    ("amount", "base", "quantity", "contracted", "listed"),
    [
        ("-5", "-8", "-1", "5", "8"),
        ("-5", "8", "-1", "5", "5"),
        ("5", "-8", "1", "5", "5"),
        ("5", "8", "1", "5", "8"),
        ("0", "8", "1", "0", "8"),
        ("-5", "0", "-1", "5", "0"),
    ],
)
def test_prices_are_never_negative_whatever_the_signs(
    amount: str, base: str, quantity: str, contracted: str, listed: str
) -> None:
    row = charge_row(
        BILL, charge(unit=Unit.SECONDS, price_unit=PriceUnit.PER_PERIOD, amount=Decimal(amount), base=Decimal(base))
    )
    assert [row[name] for name in ("PricingQuantity", "ContractedUnitPrice", "ListUnitPrice")] == [
        Decimal(quantity),
        Decimal(contracted),
        Decimal(listed),
    ]
    assert row["ListCost"] == Decimal(quantity) * Decimal(listed)
    assert broken_columns(row) == ()


@settings(max_examples=examples(25))
@given(
    quantity=st.integers(0, 10**15),
    price=st.decimals(0, 10_000, places=6),
    share=st.decimals(0, 100, places=2),
    price_unit=st.sampled_from(sorted(PRICED)),
)
def test_quantity_times_price_is_the_cost_to_the_last_digit_that_is_written(
    quantity: int, price: Decimal, share: Decimal, price_unit: str
) -> None:
    units = PRICED[price_unit][1]
    base = Fraction(quantity, units) * Fraction(price)
    row = charge_row(
        BILL,
        charge(
            quantity=Decimal(quantity),
            unit_price=price,
            price_unit=price_unit,
            share_percent=share,
            base=to_charge(base),
            amount=to_charge(base * Fraction(share) / 100),
        ),
    )
    assert row["PricingUnit"] == PRICED[price_unit][0]
    assert broken_columns(row) == ()


@pytest.mark.parametrize("kind", list(TermKind))
def test_every_kind_of_term_is_a_service_with_a_name(kind: TermKind) -> None:
    row = charge_row(BILL, charge(term_kind=kind))
    service, subcategory = SERVICES.get(kind, ("Other", "Other (Other)"))
    assert (row["ServiceCategory"], row["ServiceSubcategory"]) == (service, subcategory)
    assert row["ServiceName"] == SERVICE_NAMES[service]
    assert broken_columns(row) == ()


@pytest.mark.parametrize(
    ("changes", "sku", "meter", "price_id"),
    [
        ({}, "token_share/m/input", "input", "token_share/m/input@v1"),
        ({"price_version": ""}, "token_share/m/input", "input", "token_share/m/input@S-0001"),
        ({"token_class": ""}, "token_share/m", "tokens", "token_share/m@v1"),
        ({"token_class": "", "model": ""}, "token_share", "tokens", "token_share@v1"),
        ({**AMOUNT, "amount": Decimal(-5)}, None, None, None),
    ],
)
def test_what_is_priced_is_named_by_term_model_and_class_and_a_credit_by_nothing(
    changes: dict[str, object], sku: str | None, meter: str | None, price_id: str | None
) -> None:
    row = charge_row(BILL, charge(**changes))
    assert (row["SkuId"], row["SkuMeter"], row["SkuPriceId"]) == (sku, meter, price_id)


@pytest.mark.parametrize(("corrects", "said"), [(False, None), (True, "Correction")])
def test_what_corrects_an_earlier_period_says_so(*, corrects: bool, said: str | None) -> None:
    for row in (
        charge_row(BILL, charge(corrects=corrects)),
        plain_row(BILL, CREDIT, "Credit note", Decimal(-1), corrects=corrects),
        rounding_row(BILL, charge(corrects=corrects), Decimal("0.004")),
    ):
        assert row["ChargeClass"] == said


def test_the_rounding_of_a_line_is_an_adjustment_of_the_whole_period_without_a_price() -> None:
    row = rounding_row(BILL, charge(line=3), Decimal("-0.004"))
    assert (row["ChargeCategory"], row["ChargeDescription"]) == (ADJUSTMENT, "Rounding of line 3")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert {row[column] for column in (*COSTS, "ListCost")} == {Decimal("-0.004")}
    assert [row[column] for column in (*OF_PRICES, *OF_SKUS, "ConsumedQuantity", "ConsumedUnit")] == [None] * 10
    assert row["x_InvoiceLine"] == "3"
    assert broken_columns(row) == ()


def test_a_tax_is_of_no_line_and_has_no_price() -> None:
    row = plain_row(BILL, TAX, "VAT 19 %", Decimal("19.00"))
    assert {row[column] for column in (*COSTS, "ListCost")} == {Decimal("19.00")}
    assert [row[column] for column in (*OF_PRICES, *OF_SKUS, "x_InvoiceLine", "ResourceId")] == [None] * 10
    assert (row["ChargeDescription"], row["ChargeFrequency"]) == ("VAT 19 %", "One-Time")


def test_who_bills_whom_for_what_is_on_every_row() -> None:
    for row in (charge_row(BILL, charge()), plain_row(BILL, TAX, "Tax", NOTHING)):
        assert (row["BillingAccountId"], row["BillingAccountName"]) == ("a1", "Tenant")
        assert {row[name] for name in ("InvoiceIssuerName", "ProviderName", "PublisherName")} == {"Provider"}
        assert (row["SubAccountId"], row["SubAccountType"], row["InvoiceId"]) == ("C-0001", "Contract", "INV-0001")
        assert row["BillingCurrency"] == "USD"


def test_the_cells_of_a_row_stand_in_the_order_of_the_columns() -> None:
    row = charge_row(BILL, charge())
    assert list(cells(row)) == [row[column] for column in COLUMNS]
    assert list(row) == list(COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS)


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00Z"),
        (datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC), "2026-03-01T23:59:59Z"),
    ],
)
def test_an_instant_is_in_utc_by_the_second(at: datetime, written: str) -> None:
    assert instant(at) == written
