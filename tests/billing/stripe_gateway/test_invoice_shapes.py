"""Lines on their way to Stripe, and invoices and payments as they are read from its answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import stripe

from billing.stripe_answers import StripeLine, StripeLineTax, StripePayment
from billing.stripe_gateway.invoice_shapes import invoice_seen, line_params, payment_seen

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
LINE = StripeLine(amount_minor=12_345, description="Sample", period_from=JANUARY, period_to=FEBRUARY)
VAT = StripeLineTax(amount_minor=2_346, taxable_minor=12_345, display_name="VAT", percentage=Decimal("19.00"))


def invoice(**changes: Any) -> stripe.Invoice:
    """An open invoice of 123.45 USD as the package gives it."""
    given = {
        "id": "in_1",
        "object": "invoice",
        "status": "open",
        "number": "INV-1",
        "customer": "cus_1",
        "currency": "usd",
        "subtotal": 12_345,
        "total": 12_345,
        "total_taxes": None,
        "amount_due": 12_345,
        "amount_paid": 0,
        "amount_remaining": 12_345,
        "hosted_invoice_url": "https://pay.example/in_1",
        "metadata": {"forecourt_invoice": "i-1"},
        **changes,
    }
    return stripe.Invoice.construct_from(given, "sk_test_sample")


def payment(**changes: Any) -> stripe.InvoicePayment:
    """A payment by a card, its payment intent expanded."""
    given = {
        "id": "inpay_1",
        "object": "invoice_payment",
        "status": "paid",
        "amount_paid": 12_345,
        "status_transitions": {"paid_at": 1_767_225_600, "canceled_at": None},
        "payment": {
            "type": "payment_intent",
            "payment_intent": {"id": "pi_1", "object": "payment_intent", "latest_charge": "ch_1"},
        },
        **changes,
    }
    return stripe.InvoicePayment.construct_from(given, "sk_test_sample")


def test_the_end_of_a_half_open_period_is_its_last_second_there() -> None:
    period = line_params(LINE)["period"]
    assert (period["start"], period["end"]) == (1_767_225_600, 1_769_904_000 - 1)


@pytest.mark.parametrize("to_at", [JANUARY, datetime(2025, 12, 31, tzinfo=UTC)])
def test_a_line_without_a_period_is_not_pushed(to_at: datetime) -> None:
    with pytest.raises(AssertionError):
        line_params(replace(LINE, period_to=to_at))


@pytest.mark.parametrize("amount", [0, 1, -1, 12_345, -12_345, 99_999_999])
def test_an_amount_is_pushed_as_it_is(amount: int) -> None:
    pushed = line_params(replace(LINE, amount_minor=amount, metadata={"line": "7"}))
    assert (pushed["amount"], pushed["description"], pushed["metadata"]) == (amount, "Sample", {"line": "7"})
    assert not {"quantity", "unit_amount", "price_data", "tax_rates"} & set(pushed), "nothing for Stripe to round"


def test_a_line_without_a_tax_says_nothing_of_taxes() -> None:
    assert "tax_amounts" not in line_params(LINE)


def test_every_tax_of_a_line_is_pushed_on_top_of_it() -> None:
    second = StripeLineTax(amount_minor=0, taxable_minor=12_345, display_name="Exempt", percentage=Decimal(0))
    taxes = line_params(replace(LINE, taxes=(VAT, second)))["tax_amounts"]
    assert isinstance(taxes, list)
    assert [(one["amount"], one["taxable_amount"]) for one in taxes] == [(2_346, 12_345), (0, 12_345)]
    assert [one["tax_rate_data"]["inclusive"] for one in taxes] == [False, False]
    assert [one["tax_rate_data"]["percentage"] for one in taxes] == [19.0, 0.0]
    assert [one["tax_rate_data"]["display_name"] for one in taxes] == ["VAT", "Exempt"]


def test_what_is_pushed_cannot_change_the_line() -> None:
    texts = {"line": "7"}
    pushed = line_params(replace(LINE, metadata=texts))
    assert pushed["metadata"] == texts
    assert pushed["metadata"] is not texts


def test_an_invoice_is_read_in_minor_units_and_upper_case() -> None:
    seen = invoice_seen(invoice(), 3, ())
    assert (seen.id, seen.status, seen.number, seen.customer_id, seen.currency) == (
        "in_1",
        "open",
        "INV-1",
        "cus_1",
        "USD",
    )
    assert (seen.subtotal_minor, seen.tax_minor, seen.total_minor) == (12_345, 0, 12_345)
    assert (seen.amount_due_minor, seen.amount_paid_minor, seen.amount_remaining_minor) == (12_345, 0, 12_345)
    assert (seen.line_count, seen.payments) == (3, ())
    assert seen.metadata == {"forecourt_invoice": "i-1"}
    assert seen.hosted_url == "https://pay.example/in_1"


@pytest.mark.parametrize(
    ("taxes", "tax"), [(None, 0), ([], 0), ([{"amount": 7}], 7), ([{"amount": 7}, {"amount": 1_900}], 1_907)]
)
def test_the_tax_is_the_sum_of_all_taxes(taxes: Any, tax: int) -> None:
    assert invoice_seen(invoice(total_taxes=taxes), 0, ()).tax_minor == tax


@pytest.mark.parametrize(
    ("customer", "read"), [("cus_1", "cus_1"), ({"id": "cus_2", "object": "customer"}, "cus_2"), (None, "")]
)
def test_a_customer_is_an_id_however_it_is_sent(customer: Any, read: str) -> None:
    assert invoice_seen(invoice(customer=customer), 0, ()).customer_id == read


@pytest.mark.parametrize("currency", ["usd", "jpy", "kwd"])
def test_no_amount_is_scaled_here_whatever_the_currency(currency: str) -> None:
    seen = invoice_seen(invoice(currency=currency, total=7), 0, ())
    assert (seen.currency, seen.total_minor) == (currency.upper(), 7)


def test_a_draft_has_no_number_page_or_metadata() -> None:
    seen = invoice_seen(invoice(status="draft", number=None, hosted_invoice_url=None, metadata=None), 0, ())
    assert (seen.status, seen.number, seen.hosted_url, seen.metadata) == ("draft", None, None, {})


def test_a_payment_is_read_with_what_stripe_knows_it_by() -> None:
    assert payment_seen(payment()) == StripePayment(
        id="inpay_1",
        status="paid",
        amount_paid_minor=12_345,
        payment_intent_id="pi_1",
        charge_ids=("ch_1",),
        paid_at=JANUARY,
    )


@pytest.mark.parametrize(
    ("paid_by", "intent_id", "charge_ids"),
    [
        ({"type": "payment_intent", "payment_intent": "pi_1"}, "pi_1", ()),
        ({"payment_intent": {"id": "pi_1", "latest_charge": None}}, "pi_1", ()),
        ({"payment_intent": {"id": "pi_1", "latest_charge": {"id": "ch_9"}}}, "pi_1", ("ch_9",)),
        ({"type": "charge", "charge": "ch_2"}, None, ("ch_2",)),
        ({"type": "charge", "charge": {"id": "ch_2"}}, None, ("ch_2",)),
        ({"type": "out_of_band"}, None, ()),
    ],
)
def test_a_payment_may_be_known_by_an_intent_a_charge_or_nothing(
    paid_by: dict[str, Any], intent_id: str | None, charge_ids: tuple[str, ...]
) -> None:
    seen = payment_seen(payment(payment=paid_by))
    assert (seen.payment_intent_id, seen.charge_ids) == (intent_id, charge_ids)


def test_a_payment_that_is_not_made_yet_has_no_instant_and_no_amount() -> None:
    seen = payment_seen(payment(status="open", amount_paid=None, status_transitions={"paid_at": None}))
    assert (seen.status, seen.amount_paid_minor, seen.paid_at) == ("open", 0, None)
