from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents.focus import (
    COLUMNS,
    CREDIT,
    TAX,
    Bill,
    Charge,
    Row,
    cells,
    charge_row,
    plain_row,
    rounding_row,
)
from billing.documents.focus_rules import broken_columns
from tests.examples import examples

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
BILL = Bill(
    account_id="a1",
    account="Tenant",
    issuer="Provider",
    contract="C-0001",
    number="INV-0001",
    currency="USD",
    from_at=MARCH,
    to_at=APRIL,
)


def charge(**changes: object) -> Charge:
    """2,000,000 tokens at 0.60 per 1M, of which 30 % are owed: 0.36."""
    given: dict[str, object] = {
        "line": 1,
        "description": "S-0001",
        "term_kind": "token_share",
        "term_ref": "S-0001",
        "rule": "token_share_list_price",
        "model": "m",
        "token_class": "input",
        "price_version": "v1",
        "from_at": MARCH,
        "to_at": MARCH.replace(day=2),
        "quantity": Decimal(2_000_000),
        "unit": "tokens",
        "unit_price": Decimal("0.60"),
        "price_unit": "per_mtok",
        "share_percent": Decimal(30),
        "base": Decimal("1.20"),
        "amount": Decimal("0.36"),
    }
    return Charge(**{**given, **changes})  # type: ignore[arg-type]  # names of its own fields


HELD = {"term_kind": "lease", "unit": "gpu_seconds", "price_unit": "per_gpu_hour", "token_class": "", "model": "H100"}
AMOUNT = {"unit": "amount", "price_unit": "amount", "quantity": Decimal(1), "share_percent": Decimal(100)}


@pytest.mark.parametrize(
    "row",
    [
        charge_row(BILL, charge()),
        charge_row(BILL, charge(corrects=True)),
        charge_row(
            BILL, charge(**HELD, quantity=Decimal(1000), share_percent=Decimal(100), unit_price=Decimal("2.35"))
        ),
        charge_row(BILL, charge(**AMOUNT, term_kind="commitment", amount=Decimal(5), base=Decimal(5))),
        charge_row(BILL, charge(**AMOUNT, term_kind="discount", amount=Decimal(-5), base=Decimal(-5))),
        rounding_row(BILL, charge(), Decimal("0.004")),
        plain_row(BILL, TAX, "Tax", Decimal(19)),
        plain_row(BILL, CREDIT, "Credit note", Decimal(-5), corrects=True),
    ],
)
def test_every_kind_of_row_keeps_the_rules(row: Row) -> None:
    assert broken_columns(row) == ()
    assert len(list(cells(row))) == len(COLUMNS)


def test_a_share_has_its_list_price_and_the_part_that_is_owed() -> None:
    row = charge_row(BILL, charge())
    assert (row["PricingQuantity"], row["PricingUnit"]) == (Decimal(2), "1000000 Tokens")
    assert (row["ListUnitPrice"], row["ListCost"]) == (Decimal("0.60"), Decimal("1.2"))
    assert (row["ContractedUnitPrice"], row["ContractedCost"]) == (Decimal("0.18"), Decimal("0.36"))
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (Decimal(2_000_000), "Tokens")
    assert row["ServiceSubcategory"] == "Generative AI"
    assert (row["SkuId"], row["SkuPriceId"]) == ("token_share/m/input", "token_share/m/input@v1")


@settings(max_examples=examples(25))
@given(
    figures=st.fixed_dictionaries(
        {
            "quantity": st.integers(-(10**7), 10**9).map(Decimal),
            "unit_price": st.decimals(min_value=0, max_value=100, places=6),
            "amount": st.decimals(min_value=-1000, max_value=10**6, places=6),
            "base": st.decimals(min_value=-1000, max_value=10**6, places=6),
            "corrects": st.booleans(),
        }
    ),
    unit=st.sampled_from(
        [("tokens", "per_mtok"), ("gpu_seconds", "per_gpu_hour"), ("seconds", "per_period"), ("amount", "amount")]
    ),
)
def test_no_row_breaks_a_rule_whatever_the_figures(figures: dict[str, object], unit: tuple[str, str]) -> None:
    made = charge(**figures, unit=unit[0], price_unit=unit[1])
    assert broken_columns(charge_row(BILL, made)) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BilledCost": None}, "BilledCost must not be null"),
        ({"BilledCost": "1"}, "BilledCost must be a decimal"),
        ({"ChargePeriodStart": "2026-03-01"}, "ChargePeriodStart must be a date and time in UTC"),
        ({"ChargePeriodEnd": "2026-03-01T00:00:00Z"}, "ChargePeriodStart must be before ChargePeriodEnd"),
        ({"ChargeCategory": "Refund"}, "ChargeCategory is 'Refund', which is not allowed"),
        ({"ServiceCategory": "GPU"}, "ServiceCategory is 'GPU', which is not allowed"),
        ({"BillingCurrency": "TOK"}, "BillingCurrency must be a code of ISO 4217"),
        ({"PricingQuantity": None}, "PricingQuantity must not be null on Usage"),
        ({"PricingUnit": None}, "PricingQuantity and PricingUnit must be null together"),
        ({"ConsumedQuantity": None}, "ConsumedQuantity must not be null on usage"),
        ({"ContractedUnitPrice": Decimal("0.19")}, "PricingQuantity x ContractedUnitPrice must be ContractedCost"),
        ({"ListUnitPrice": Decimal(-1)}, "ListUnitPrice must not be negative"),
        ({"ChargeCategory": "Tax"}, "SkuId must be null on a tax"),
        ({"ChargeCategory": "Purchase"}, "ChargeFrequency must not be Usage-Based on a purchase"),
        ({"ChargeCategory": "Credit"}, "ConsumedQuantity must be null but on usage"),
        ({"Extra": "x"}, "Extra is no column of FOCUS 1.2"),
    ],
)
def test_a_spoilt_row_is_caught_by_the_rule_for_it(changes: dict[str, Decimal | str | None], words: str) -> None:
    assert words in broken_columns({**charge_row(BILL, charge()), **changes})


def test_a_row_without_a_column_is_caught() -> None:
    row = dict(charge_row(BILL, charge()))
    del row["InvoiceId"]
    assert broken_columns(row) == ("InvoiceId is missing",)
