"""The gateway against the Stripe double, a real process over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from billing.stripe_gateway import (
    LINES_MAX,
    METADATA_INVOICE,
    StripeCardDeclined,
    StripeGateway,
    StripeInvoice,
    StripeLine,
    StripeLineTax,
    StripeRefused,
    StripeSettings,
    StripeUnavailable,
    TooManyLines,
    minor_units,
)
from tests.fakes.stripe_double.fixture import StripeDouble

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
INVOICES = "/v1/invoices"
ADD_LINES = "/v1/invoices/{invoice}/add_lines"
FINALIZE = "/v1/invoices/{invoice}/finalize"
PAY = "/v1/invoices/{invoice}/pay"


def gateway_to(double: StripeDouble, **settings: Any) -> StripeGateway:
    given = {"network_retries": 0, "webhook_secret": "whsec_x", "api_base": double.base_url, **settings}
    return StripeGateway(StripeSettings(secret_key=StripeDouble.SECRET_KEY, **given))


@pytest.fixture
def gateway(double: StripeDouble) -> StripeGateway:
    return gateway_to(double)


@pytest.fixture
def customer(gateway: StripeGateway) -> str:
    return gateway.create_customer(str(uuid4()), "Sample Tenant", "bills@tenant.example", f"cust:{uuid4()}")


def line(amount_minor: int, description: str = "GPU hours", **more: Any) -> StripeLine:
    return StripeLine(
        amount_minor=amount_minor, description=description, period_from=JANUARY, period_to=FEBRUARY, **more
    )


def draft(gateway: StripeGateway, customer: str, invoice_id: str = "", days_until_due: int | None = 14) -> str:
    invoice_id = invoice_id or str(uuid4())
    return gateway.create_draft_invoice(
        customer_id=customer,
        currency="EUR",
        number=f"F-{invoice_id[:8]}",
        invoice_id=invoice_id,
        days_until_due=days_until_due,
        metadata={"period": "2026-01"},
        idempotency_key=f"inv:{invoice_id}:draft:1",
    )


def pushed(gateway: StripeGateway, customer: str, *amounts: int, days_until_due: int | None = 14) -> StripeInvoice:
    stripe_id = draft(gateway, customer, days_until_due=days_until_due)
    gateway.add_lines(stripe_id, [line(amount) for amount in amounts], f"{stripe_id}:lines:1")
    return gateway.finalize(stripe_id, f"{stripe_id}:fin:1")


def requests_to(double: StripeDouble, path: str) -> list[dict[str, Any]]:
    return [one for one in double.state()["requests"] if one["path"] == path]


def test_the_whole_walk_from_customer_to_paid(double: StripeDouble, gateway: StripeGateway) -> None:
    organization = str(uuid4())
    customer = gateway.create_customer(organization, "Sample Tenant", "bills@tenant.example", f"org:{organization}")
    gateway.set_default_payment_method(customer, "pm_card_visa", f"pm:{organization}")
    ours = str(uuid4())
    stripe_id = draft(gateway, customer, ours, days_until_due=None)
    gateway.add_lines(stripe_id, [line(minor_units(Decimal("120.50"), "EUR")), line(-50, "SLA credit")], f"{ours}:l:1")
    before = gateway.get_invoice(stripe_id)
    assert (before.status, before.number, before.customer_id, before.currency) == (
        "draft",
        f"F-{ours[:8]}",
        customer,
        "EUR",
    )
    assert (before.subtotal_minor, before.tax_minor, before.total_minor, before.line_count) == (12_000, 0, 12_000, 2)
    assert (before.hosted_url, before.payments) == (None, ())
    assert before.metadata == {"period": "2026-01", METADATA_INVOICE: ours}
    opened = gateway.finalize(stripe_id, f"{ours}:fin:1")
    assert (opened.status, opened.amount_due_minor, opened.amount_remaining_minor) == ("open", 12_000, 12_000)
    assert [payment.status for payment in opened.payments] == ["open"]
    paid = gateway.pay(stripe_id, f"{ours}:pay:1")
    assert (paid.status, paid.amount_paid_minor, paid.amount_remaining_minor) == ("paid", 12_000, 0)
    (payment,) = paid.payments
    (charge,) = [one for one in double.state()["charge"] if one["customer"] == customer]
    assert payment.charge_ids == (charge["id"],)
    assert payment.payment_intent_id == charge["payment_intent"]
    assert (payment.status, payment.amount_paid_minor) == ("paid", 12_000)
    assert payment.paid_at is not None
    assert payment.paid_at.tzinfo is UTC


def test_every_call_carries_the_version_and_every_change_a_key(double: StripeDouble, gateway: StripeGateway) -> None:
    seen_before = len(double.state()["requests"])
    customer = gateway.create_customer(str(uuid4()), "Sample Tenant", "a@b.example", str(uuid4()))
    pushed(gateway, customer, 1000)
    requests = double.state()["requests"][seen_before:]
    assert {one["stripe_version"] for one in requests} == {"2026-10-28.endive"}
    assert all(one["idempotency_key"] for one in requests if one["method"] == "POST")


def test_a_draft_is_never_advanced_by_stripe_and_takes_no_pending_items(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    stripe_id = draft(gateway, customer)
    (made,) = [one for one in double.state()["invoice"] if one["id"] == stripe_id]
    assert (made["auto_advance"], made["collection_method"], made["_days_until_due"]) == (False, "send_invoice", 14)
    charged = draft(gateway, customer, days_until_due=None)
    (made,) = [one for one in double.state()["invoice"] if one["id"] == charged]
    assert (made["collection_method"], made["due_date"]) == ("charge_automatically", None)


def test_lines_carry_period_metadata_and_tax(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    stripe_id = draft(gateway, customer)
    vat = StripeLineTax(amount_minor=190, taxable_minor=1000, display_name="VAT", percentage=Decimal(19))
    gateway.add_lines(stripe_id, [line(1000, metadata={"line": "7"}, taxes=(vat,)), line(500)], "taxed:1")
    seen = gateway.get_invoice(stripe_id)
    assert (seen.subtotal_minor, seen.tax_minor, seen.total_minor) == (1500, 190, 1690)
    taxed, plain = (one for one in double.state()["line_item"] if one["invoice"] == stripe_id)
    assert taxed["metadata"] == {"line": "7"}
    assert taxed["period"] == {"start": int(JANUARY.timestamp()), "end": int(FEBRUARY.timestamp()) - 1}
    assert (taxed["taxes"][0]["taxable_amount"], plain["taxes"]) == (1000, [])


def test_two_hundred_and_fifty_lines_go_in_chunks_of_a_hundred(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    stripe_id = draft(gateway, customer)
    gateway.add_lines(stripe_id, [line(index) for index in range(LINES_MAX)], "chunked")
    seen = gateway.get_invoice(stripe_id)
    assert (seen.line_count, seen.total_minor) == (250, sum(range(250)))
    keys = [one["idempotency_key"] for one in requests_to(double, f"{INVOICES}/{stripe_id}/add_lines")]
    assert keys == ["chunked:0", "chunked:1", "chunked:2"]


def test_two_hundred_and_fifty_one_lines_are_refused_before_anything_is_sent(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    stripe_id = draft(gateway, customer)
    with pytest.raises(TooManyLines, match="251 lines"):
        gateway.add_lines(stripe_id, [line(1)] * 251, "too many")
    assert requests_to(double, f"{INVOICES}/{stripe_id}/add_lines") == []


def test_stripes_own_limit_is_a_refusal(gateway: StripeGateway, customer: str) -> None:
    stripe_id = draft(gateway, customer)
    gateway.add_lines(stripe_id, [line(1)] * 250, "full")
    with pytest.raises(StripeRefused, match="250"):
        gateway.add_lines(stripe_id, [line(1)], "one more")


def test_adding_lines_again_after_a_crash_in_the_middle_adds_nothing_twice(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    stripe_id = draft(gateway, customer)
    lines = [line(index) for index in range(150)]
    double.faults({"path": ADD_LINES, "when": "after", "status": 500})
    with pytest.raises(StripeUnavailable):
        gateway.add_lines(stripe_id, lines, "resumed")
    gateway.add_lines(stripe_id, lines, "resumed")
    assert gateway.get_invoice(stripe_id).line_count == 150


def test_a_customer_is_found_by_organization(gateway: StripeGateway) -> None:
    organization = str(uuid4())
    assert gateway.find_customer(organization) is None
    first = gateway.create_customer(organization, "Sample Tenant", "a@b.example", f"{organization}:1")
    again = gateway.create_customer(organization, "Sample Tenant", "a@b.example", f"{organization}:1")
    assert first == again == gateway.find_customer(organization)


def test_an_invoice_is_found_by_ours_among_many(gateway: StripeGateway, customer: str) -> None:
    ours = str(uuid4())
    stripe_id = draft(gateway, customer, ours)
    for _ in range(3):
        draft(gateway, customer)
    assert gateway.find_invoice(str(uuid4()), customer) is None
    found = gateway.find_invoice(ours, customer)
    assert found is not None
    assert found.id == stripe_id


def test_a_live_invoice_is_found_before_a_void_one(gateway: StripeGateway, customer: str) -> None:
    ours = str(uuid4())
    first = draft(gateway, customer, ours)
    gateway.add_lines(first, [line(100)], f"{ours}:1")
    gateway.finalize(first, f"{ours}:fin")
    gateway.void(first, f"{ours}:void")
    voided = gateway.find_invoice(ours, customer)
    assert voided is not None
    assert (voided.id, voided.status) == (first, "void")
    second = gateway.create_draft_invoice(
        customer_id=customer,
        currency="EUR",
        number="F-2",
        invoice_id=ours,
        days_until_due=None,
        idempotency_key=f"{ours}:draft:2",
    )
    found = gateway.find_invoice(ours, customer)
    assert found is not None
    assert found.id == second


def test_a_payment_method_already_attached_is_made_the_default(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    attached = gateway.set_default_payment_method(customer, "pm_card_visa", "default:1")
    assert gateway.set_default_payment_method(customer, attached, "default:2") == attached
    (made,) = [one for one in double.state()["customer"] if one["id"] == customer]
    assert made["invoice_settings"]["default_payment_method"] == attached
    other = gateway.create_customer(str(uuid4()), "Another", "c@d.example", str(uuid4()))
    with pytest.raises(StripeRefused, match="already been attached"):
        gateway.set_default_payment_method(other, attached, "default:3")


def test_a_declined_card_is_told_apart_from_other_refusals(gateway: StripeGateway, customer: str) -> None:
    gateway.set_default_payment_method(customer, "pm_card_chargeCustomerFail", "declining")
    opened = pushed(gateway, customer, 1000, days_until_due=None)
    with pytest.raises(StripeCardDeclined) as declined:
        gateway.pay(opened.id, f"{opened.id}:pay:1")
    assert (declined.value.code, declined.value.declined_for) == ("card_declined", "generic_decline")
    assert not declined.value.needs_customer
    assert gateway.get_invoice(opened.id).status == "open"
    gateway.set_default_payment_method(customer, "pm_card_visa", "a better one")
    with pytest.raises(StripeCardDeclined):
        gateway.pay(opened.id, f"{opened.id}:pay:1")
    assert gateway.pay(opened.id, f"{opened.id}:pay:2").status == "paid"


def test_a_card_that_wants_the_customer_says_so(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    gateway.set_default_payment_method(customer, "pm_card_threeDSecure2Required", "3ds")
    opened = pushed(gateway, customer, 1000, days_until_due=None)
    with pytest.raises(StripeCardDeclined) as waiting:
        gateway.pay(opened.id, f"{opened.id}:pay:1")
    assert waiting.value.needs_customer
    double.pay(opened.id)
    assert gateway.get_invoice(opened.id).status == "paid"


def test_paying_without_a_payment_method_is_a_refusal(gateway: StripeGateway, customer: str) -> None:
    opened = pushed(gateway, customer, 1000)
    with pytest.raises(StripeRefused, match="default_payment_method") as refused:
        gateway.pay(opened.id, f"{opened.id}:pay:1")
    assert not isinstance(refused.value, StripeCardDeclined)
    assert refused.value.code == "invalid_request_error"


def steps(gateway: StripeGateway) -> dict[str, Callable[[str, str], StripeInvoice]]:
    return {
        "finalize": gateway.finalize,
        "pay": gateway.pay,
        "mark_paid_out_of_band": gateway.mark_paid_out_of_band,
        "mark_uncollectible": gateway.mark_uncollectible,
        "void": gateway.void,
    }


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("finalize", "open"),
        ("pay", "paid"),
        ("mark_paid_out_of_band", "paid"),
        ("mark_uncollectible", "uncollectible"),
        ("void", "void"),
    ],
)
def test_a_step_repeated_under_a_new_key_counts_as_done(
    gateway: StripeGateway, customer: str, step: str, status: str
) -> None:
    gateway.set_default_payment_method(customer, "pm_card_visa", f"card:{customer}")
    opened = pushed(gateway, customer, 1000, days_until_due=None)
    take = steps(gateway)[step]
    assert take(opened.id, f"{opened.id}:{step}:1").status == status
    assert take(opened.id, f"{opened.id}:{step}:2").status == status


@pytest.mark.parametrize("step", ["pay", "mark_paid_out_of_band", "mark_uncollectible", "void"])
def test_a_step_that_is_not_possible_is_a_refusal(gateway: StripeGateway, customer: str, step: str) -> None:
    stripe_id = draft(gateway, customer)
    with pytest.raises(StripeRefused):
        steps(gateway)[step](stripe_id, f"{stripe_id}:{step}")


def test_an_empty_draft_cannot_be_finalized(gateway: StripeGateway, customer: str) -> None:
    stripe_id = draft(gateway, customer)
    with pytest.raises(StripeRefused) as refused:
        gateway.finalize(stripe_id, f"{stripe_id}:fin")
    assert refused.value.code == "invoice_no_customer_line_items"


def test_a_draft_is_deleted_once_and_again(gateway: StripeGateway, customer: str) -> None:
    stripe_id = draft(gateway, customer)
    gateway.delete_draft(stripe_id)
    gateway.delete_draft(stripe_id)
    with pytest.raises(StripeRefused) as gone:
        gateway.get_invoice(stripe_id)
    assert gone.value.code == "resource_missing"


def test_a_finalized_invoice_cannot_be_deleted(gateway: StripeGateway, customer: str) -> None:
    opened = pushed(gateway, customer, 1000)
    with pytest.raises(StripeRefused) as refused:
        gateway.delete_draft(opened.id)
    assert refused.value.code == "invoice_not_editable"


def test_paid_out_of_band_cancels_what_stripe_would_have_collected(gateway: StripeGateway, customer: str) -> None:
    opened = pushed(gateway, customer, 1000)
    closed = gateway.mark_paid_out_of_band(opened.id, f"{opened.id}:oob")
    assert (closed.status, closed.amount_remaining_minor) == ("paid", 0)
    assert [(one.status, one.amount_paid_minor, one.charge_ids) for one in closed.payments] == [("canceled", 0, ())]


def test_below_the_minimum_stripe_swallows_the_invoice_which_shows_in_what_is_due(
    gateway: StripeGateway, customer: str
) -> None:
    swallowed = pushed(gateway, customer, 49)
    assert (swallowed.status, swallowed.total_minor, swallowed.amount_due_minor) == ("paid", 49, 0)


def test_an_open_invoice_is_credited_down_to_nothing(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    opened = pushed(gateway, customer, 1_000)
    note = gateway.credit(opened.id, amount_minor=400, reference="cn-1", idempotency_key=f"cn:{opened.id}:1")
    assert gateway.find_credit(opened.id, "cn-1") == note
    assert gateway.find_credit(opened.id, "cn-2") is None
    seen = gateway.get_invoice(opened.id)
    assert (seen.status, seen.total_minor, seen.amount_remaining_minor) == ("open", 1_000, 600)
    with pytest.raises(StripeRefused, match="from 1 to 600"):
        gateway.credit(opened.id, amount_minor=601, reference="cn-2", idempotency_key=f"cn:{opened.id}:2")
    gateway.credit(opened.id, amount_minor=600, reference="cn-3", idempotency_key=f"cn:{opened.id}:3")
    closed = gateway.get_invoice(opened.id)
    assert (closed.status, closed.amount_paid_minor, [one.status for one in closed.payments]) == (
        "paid",
        0,
        ["canceled"],
    )


def test_what_is_left_after_a_credit_is_what_is_charged(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    opened = pushed(gateway, customer, 1_000)
    gateway.credit(opened.id, amount_minor=250, reference="cn-1", idempotency_key=f"cn:{opened.id}")
    double.pay(opened.id)
    seen = gateway.get_invoice(opened.id)
    assert (seen.status, seen.amount_paid_minor, seen.payments[0].amount_paid_minor) == ("paid", 750, 750)
