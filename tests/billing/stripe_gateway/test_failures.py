"""What the gateway makes of a Stripe that is slow, limited, broken, or loses its answers."""

import socket
from typing import Any
from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeGateway, StripeRefused, StripeSettings, StripeUnavailable
from tests.billing.stripe_gateway.test_invoices import FINALIZE, INVOICES, PAY, draft, gateway_to, line, pushed
from tests.fakes.stripe_double.fixture import StripeDouble


@pytest.fixture
def gateway(double: StripeDouble) -> StripeGateway:
    return gateway_to(double)


@pytest.fixture
def customer(gateway: StripeGateway) -> str:
    return gateway.create_customer(str(uuid4()), "Sample Tenant", "bills@tenant.example", f"cust:{uuid4()}")


def invoices_of(double: StripeDouble, customer: str) -> list[dict[str, Any]]:
    return [one for one in double.state()["invoice"] if one["customer"] == customer]


@pytest.mark.parametrize(
    ("fault", "retry_after_s"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, 7),
        ({"status": 429, "headers": {"Retry-After": "86400"}}, 3600),
        ({"status": 429, "headers": {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}}, 30),
        ({"status": 429}, 30),
        ({"status": 503, "headers": {"Retry-After": "0"}}, 1),
        ({"status": 500}, 30),
        ({"status": 409, "code": "idempotency_key_in_use"}, 30),
        ({"kind": "drop"}, 30),
    ],
)
def test_nothing_was_done_and_the_same_key_may_be_used_again(
    double: StripeDouble, gateway: StripeGateway, customer: str, fault: dict[str, Any], retry_after_s: int
) -> None:
    double.faults({"method": "POST", "path": INVOICES, **fault})
    ours = str(uuid4())
    with pytest.raises(StripeUnavailable) as gone:
        draft(gateway, customer, ours)
    assert (gone.value.retry_after_s, gone.value.is_kept) == (retry_after_s, False)
    assert invoices_of(double, customer) == []
    assert draft(gateway, customer, ours) == invoices_of(double, customer)[0]["id"]


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"kind": "drop"}])
def test_an_answer_lost_after_commit_is_found_by_the_packages_retry(
    double: StripeDouble, customer: str, fault: dict[str, Any]
) -> None:
    double.faults({"method": "POST", "path": INVOICES, "when": "after", **fault})
    stripe_id = draft(gateway_to(double, network_retries=2), customer)
    assert [one["id"] for one in invoices_of(double, customer)] == [stripe_id]


def test_an_answer_lost_after_commit_is_found_by_our_own_repetition(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    double.faults({"method": "POST", "path": INVOICES, "when": "after", "kind": "drop"})
    ours = str(uuid4())
    with pytest.raises(StripeUnavailable):
        draft(gateway, customer, ours)
    stripe_id = draft(gateway, customer, ours)
    assert [one["id"] for one in invoices_of(double, customer)] == [stripe_id]


def test_a_timeout_is_unavailable_and_the_work_may_have_been_done(double: StripeDouble, customer: str) -> None:
    double.faults({"method": "POST", "path": INVOICES, "when": "after", "hang_s": 1.5})
    ours = str(uuid4())
    with pytest.raises(StripeUnavailable):
        draft(gateway_to(double, timeout_s=0.3), customer, ours)
    found = gateway_to(double).find_invoice(ours, customer)
    assert found is not None
    assert found.status == "draft"


def test_a_failure_kept_under_the_key_says_so_when_it_is_repeated(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    double.faults({"method": "POST", "path": INVOICES, "when": "during"})
    ours = str(uuid4())
    kept = []
    for _ in range(2):
        with pytest.raises(StripeUnavailable) as failed:
            draft(gateway, customer, ours)
        kept.append(failed.value.is_kept)
    assert kept == [False, True]
    assert gateway.find_invoice(ours, customer) is None


def test_with_retries_a_kept_failure_is_known_at_once(double: StripeDouble, customer: str) -> None:
    double.faults({"method": "POST", "path": INVOICES, "when": "during"})
    with pytest.raises(StripeUnavailable) as failed:
        draft(gateway_to(double, network_retries=1), customer)
    assert failed.value.is_kept


def test_an_error_kept_after_the_work_was_done_is_resolved_by_looking_it_up(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    double.faults({"method": "POST", "path": INVOICES, "when": "after", "stored": True})
    ours = str(uuid4())
    for _ in range(2):
        with pytest.raises(StripeUnavailable):
            draft(gateway, customer, ours)
    found = gateway.find_invoice(ours, customer)
    assert found is not None
    assert [one["id"] for one in invoices_of(double, customer)] == [found.id]


def test_a_key_used_for_something_else_is_a_refusal(gateway: StripeGateway, customer: str) -> None:
    key = str(uuid4())
    gateway.create_customer("org", "one", "a@b.example", key)
    with pytest.raises(StripeRefused) as refused:
        gateway.create_customer("org", "two", "a@b.example", key)
    assert refused.value.code == "idempotency_error"


def test_finalizing_whose_answer_was_lost_is_finished_under_any_key(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    stripe_id = draft(gateway, customer)
    gateway.add_lines(stripe_id, [line(1000)], f"{stripe_id}:lines")
    double.faults({"path": FINALIZE, "when": "after", "status": 500})
    with pytest.raises(StripeUnavailable):
        gateway.finalize(stripe_id, f"{stripe_id}:fin:1")
    assert gateway.finalize(stripe_id, f"{stripe_id}:fin:2").status == "open"


def test_paying_whose_answer_was_lost_charges_once(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    gateway.set_default_payment_method(customer, "pm_card_visa", f"card:{customer}")
    opened = pushed(gateway, customer, 1000, days_until_due=None)
    double.faults({"path": PAY, "when": "after", "kind": "drop"})
    with pytest.raises(StripeUnavailable):
        gateway.pay(opened.id, f"{opened.id}:pay:1")
    assert gateway.pay(opened.id, f"{opened.id}:pay:2").status == "paid"
    assert len([one for one in double.state()["charge"] if one["customer"] == customer]) == 1


def test_reading_meets_faults_too(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    stripe_id = draft(gateway, customer)
    double.faults({"method": "GET", "path": "/v1/invoices/{invoice}", "status": 503})
    with pytest.raises(StripeUnavailable):
        gateway.get_invoice(stripe_id)
    assert gateway.get_invoice(stripe_id).status == "draft"


def test_a_wrong_key_is_a_refusal(double: StripeDouble) -> None:
    settings = StripeSettings(secret_key="sk_live_wrong", webhook_secret="whsec_x", api_base=double.base_url)
    with pytest.raises(StripeRefused, match="Invalid API Key"):
        StripeGateway(settings).find_customer("org")


def test_an_unknown_object_is_a_refusal_that_names_the_parameter(gateway: StripeGateway) -> None:
    with pytest.raises(StripeRefused) as refused:
        draft(gateway, "cus_nobody")
    assert (refused.value.code, refused.value.param) == ("resource_missing", "customer")


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nowhere = f"http://127.0.0.1:{gone.getsockname()[1]}"
    gateway = StripeGateway(
        StripeSettings(
            secret_key=StripeDouble.SECRET_KEY, webhook_secret="whsec_x", api_base=nowhere, network_retries=0
        )
    )
    with pytest.raises(StripeUnavailable):
        gateway.find_customer("org")
