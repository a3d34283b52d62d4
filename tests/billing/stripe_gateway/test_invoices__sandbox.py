"""What the double believes of Stripe, tried on Stripe itself where a key of a sandbox is given.

`SANDBOX_STRIPE_KEY=sk_test_… make sandbox` walks through the real service beside the double, with Stripe's own test
cards, and refuses to without a key; in `make test` the double walks alone. Nothing is looked at but
what the gateway says, so both are held to the same. A key of a live account is refused.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from billing.stripe_answers import API_VERSION
from billing.stripe_gateway import StripeCardDeclined, StripeGateway, StripeRefused, StripeSettings
from tests.billing.stripe_gateway.paid import charged
from tests.billing.stripe_gateway.test_invoices import draft, line, pushed

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

ROOT: Final = Path(__file__).parents[3]
KEY: Final = os.environ.get("SANDBOX_STRIPE_KEY", "")
PLACES: Final = ("double", "sandbox") if KEY else ("double",)
OF_SANDBOXES: Final = ("sk_test_", "rk_test_")


def sandbox(key: str) -> StripeGateway:
    """A gateway to the real service, for a key that moves no money."""
    assert key.startswith(OF_SANDBOXES), "SANDBOX_STRIPE_KEY: expected a key of a sandbox, sk_test_…"
    return StripeGateway(StripeSettings(secret_key=key, webhook_secret="whsec_none"))


@pytest.fixture(params=PLACES)
def gateway(request: pytest.FixtureRequest, double: StripeDouble) -> StripeGateway:
    if request.param == "sandbox":
        return sandbox(KEY)
    settings = StripeSettings(secret_key=double.SECRET_KEY, webhook_secret="whsec_x", api_base=double.base_url)
    return StripeGateway(settings)


@pytest.fixture
def customer(gateway: StripeGateway) -> str:
    made = gateway.create_customer(str(uuid4()), "Sample Tenant", "bills@tenant.example", f"cust:{uuid4()}")
    gateway.set_default_payment_method(made, "pm_card_visa", f"card:{made}")
    return made


@pytest.mark.parametrize("key", ["sk_live_0", "rk_live_0", "", "pk_test_0"])
def test_a_key_that_could_move_money_is_refused(key: str) -> None:
    with pytest.raises(AssertionError, match="sandbox"):
        sandbox(key)


@pytest.mark.parametrize(("key", "status"), [(None, 2), ("", 2), ("sk_test_", 2), ("sk_live_0", 2), ("sk_test_0", 0)])
def test_the_command_tries_nothing_without_a_key_of_a_sandbox(key: str | None, status: int) -> None:
    environment = {"PATH": os.environ["PATH"]} | ({} if key is None else {"SANDBOX_STRIPE_KEY": key})
    made = subprocess.run(
        ["make", "--no-print-directory", "sandbox-key"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == status
    assert ("expected a key of a Stripe sandbox" in made.stderr) == bool(status)


def test_a_key_of_a_sandbox_goes_to_stripe_itself_with_the_version_that_is_pinned() -> None:
    settings = StripeSettings(secret_key="sk_test_0", webhook_secret="whsec_none")
    assert (settings.api_base, settings.api_version) == ("https://api.stripe.com", API_VERSION)
    assert isinstance(sandbox("sk_test_0"), StripeGateway)


def test_an_invoice_is_made_finalized_and_paid(gateway: StripeGateway, customer: str) -> None:
    stripe_id = draft(gateway, customer, days_until_due=None)
    gateway.add_lines(stripe_id, [line(12_050), line(-50, "SLA credit")], f"{stripe_id}:lines")
    before = gateway.get_invoice(stripe_id)
    assert (before.status, before.currency, before.customer_id) == ("draft", "EUR", customer)
    assert (before.subtotal_minor, before.tax_minor, before.total_minor, before.line_count) == (12_000, 0, 12_000, 2)
    opened = gateway.finalize(stripe_id, f"{stripe_id}:fin")
    assert (opened.status, opened.amount_due_minor, opened.number) == ("open", 12_000, before.number)
    paid = gateway.pay(stripe_id, f"{stripe_id}:pay")
    assert (paid.status, paid.amount_paid_minor, paid.amount_remaining_minor) == ("paid", 12_000, 0)
    [payment] = paid.payments
    assert (payment.status, payment.amount_paid_minor) == ("paid", 12_000)


def test_the_same_key_makes_one_invoice(gateway: StripeGateway, customer: str) -> None:
    ours = str(uuid4())
    assert draft(gateway, customer, ours) == draft(gateway, customer, ours)


def test_what_is_finalized_takes_no_more_lines(gateway: StripeGateway, customer: str) -> None:
    opened = pushed(gateway, customer, 5_000)
    with pytest.raises(StripeRefused):
        gateway.add_lines(opened.id, [line(1)], f"{opened.id}:late")
    assert gateway.get_invoice(opened.id).total_minor == 5_000


def test_a_draft_is_deleted_and_an_open_invoice_is_void(gateway: StripeGateway, customer: str) -> None:
    gone = draft(gateway, customer)
    gateway.delete_draft(gone)
    with pytest.raises(StripeRefused):
        gateway.get_invoice(gone)
    opened = pushed(gateway, customer, 5_000)
    assert gateway.void(opened.id, f"{opened.id}:void").status == "void"


def test_what_is_credited_of_an_open_invoice_is_asked_for_no_more(gateway: StripeGateway, customer: str) -> None:
    opened = pushed(gateway, customer, 5_000)
    gateway.credit(opened.id, amount_minor=1_500, reference="CN-1", idempotency_key=f"{opened.id}:cn")
    assert gateway.get_invoice(opened.id).amount_remaining_minor == 3_500


def test_money_that_came_by_other_ways_closes_an_invoice(gateway: StripeGateway, customer: str) -> None:
    opened = pushed(gateway, customer, 5_000)
    closed = gateway.mark_paid_out_of_band(opened.id, f"{opened.id}:oob")
    assert (closed.status, closed.amount_remaining_minor) == ("paid", 0)


def test_a_card_that_is_declined_says_so(gateway: StripeGateway, customer: str) -> None:
    with pytest.raises(StripeCardDeclined):
        gateway.set_default_payment_method(customer, "pm_card_chargeDeclined", f"bad:{customer}")


def test_parts_of_a_payment_are_given_back_until_nothing_is_left(gateway: StripeGateway, customer: str) -> None:
    paid = charged(gateway, customer, 10_000)
    for number, amount in enumerate((4_000, 6_000)):
        given = gateway.refund(
            payment_intent_id=paid.id,
            amount_minor=amount,
            reference=f"{paid.id}:{number}",
            idempotency_key=f"re:{paid.id}:{number}",
        )
        assert (given.amount_minor, given.status) == (amount, "succeeded")
    with pytest.raises(StripeRefused):
        gateway.refund(payment_intent_id=paid.id, amount_minor=1, reference="more", idempotency_key=f"re:{paid.id}:2")
