"""Each step of the collection against the Stripe double: what is pushed, and what stops it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import stripe

from billing.corrections.applying import apply_balance
from billing.dues import dues_of
from billing.models import (
    Collection,
    CollectionNotice,
    Invoice,
    InvoiceState,
    Settlement,
    SettlementState,
    StripeIntent,
)
from billing.settlement import (
    due_settlements,
    retry_settlement,
    settle,
)
from billing.settlement_steps import TOO_LITTLE_LEFT
from billing.stripe_results import Applied, apply_stripe_invoice
from tenants.models import AuditEntry
from tests.billing.collected import (
    MortalGateway,
    add_card,
    begin,
    collect,
    gateway_of,
    invoices_at,
    only_invoice_at,
    pay_by_hand,
    settings_of,
)
from tests.billing.corrections.kept import keep
from tests.billing.issued import ISSUED_AT, Line, make_issued, make_parties

if TYPE_CHECKING:
    from billing.models import BalanceAccount
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)


def test_every_call_has_a_stored_intent_with_its_result(double: StripeDouble) -> None:
    invoice = make_issued([Line("1.00")] * 101, collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(4):  # customer, draft, lines, guard
        assert settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    add_card(double, invoice)
    collect(invoice, gateway)

    keys = set(StripeIntent.objects.values_list("key", flat=True))
    assert keys == {
        f"org:{invoice.tenant_id}:cust:1",
        f"inv:{invoice.pk}:draft:1",
        f"inv:{invoice.pk}:lines:1:0",
        f"inv:{invoice.pk}:lines:1:1",
        f"inv:{invoice.pk}:fin:1",
        f"inv:{invoice.pk}:pay:1",
    }
    assert set(StripeIntent.objects.values_list("state", flat=True)) == {"done"}
    assert not StripeIntent.objects.filter(result__isnull=True).exists()
    assert not StripeIntent.objects.filter(finished_at__isnull=True).exists()


def test_two_invoices_of_one_tenant_share_its_customer(double: StripeDouble) -> None:
    parties = make_parties()
    for _ in range(2):
        invoice = make_issued(parties=parties)
        begin(invoice)
        collect(invoice, gateway_of(double))
    assert len(double.state()["customer"]) == 1
    assert len(double.state()["invoice"]) == 2


@pytest.mark.parametrize(("lines", "models", "pushed"), [(250, 250, 250), (251, 7, 7), (600, 300, 250)])
def test_more_lines_than_stripe_takes_are_summed_up_by_model(
    double: StripeDouble, lines: int, models: int, pushed: int
) -> None:
    invoice = make_issued([Line(f"{number}.01", f"model-{number % models}") for number in range(1, lines + 1)])
    begin(invoice)
    assert collect(invoice, gateway_of(double)).state == SettlementState.WAIT
    at_stripe = only_invoice_at(double, invoice)
    assert len(at_stripe["_lines"]) == pushed
    assert at_stripe["total"] == int(invoice.total * 100)


def test_tax_is_pushed_with_the_lines_and_compared(double: StripeDouble) -> None:
    invoice = make_issued([Line("100.00"), Line("0.01"), Line("-20.00")], tax="15.21")
    begin(invoice)
    assert collect(invoice, gateway_of(double)).state == SettlementState.WAIT
    at_stripe = only_invoice_at(double, invoice)
    assert (at_stripe["subtotal"], at_stripe["total"]) == (8_001, 9_522)


@pytest.mark.parametrize(
    ("amount", "currency", "state"),
    [
        ("0.49", "USD", SettlementState.BELOW_MINIMUM),
        ("0.50", "USD", SettlementState.WAIT),
        ("49", "JPY", SettlementState.BELOW_MINIMUM),
        ("50", "JPY", SettlementState.WAIT),
        ("-5.00", "USD", SettlementState.BELOW_MINIMUM),
        ("-5.00", "XCD", SettlementState.BELOW_MINIMUM),
        ("0.99", "XCD", SettlementState.WAIT),
        ("1.234", "KWD", SettlementState.BY_HAND),
    ],
)
def test_what_stripe_cannot_charge_is_never_pushed(
    double: StripeDouble, amount: str, currency: str, state: SettlementState
) -> None:
    invoice = make_issued([Line(amount)], currency=currency)
    begin(invoice)
    settlement = collect(invoice, gateway_of(double))
    assert settlement.state == state
    assert bool(settlement.last_error) == (state == SettlementState.BY_HAND)
    assert len(invoices_at(double, invoice)) == (state == SettlementState.WAIT)
    assert bool(double.state()["requests"]) == (state == SettlementState.WAIT)


@pytest.mark.parametrize("steps", range(1, 7))
def test_what_stripe_has_no_integer_for_any_more_is_taken_back_from_it(double: StripeDouble, steps: int) -> None:
    """5.120 KWD less 1.005 that came by bank: at whatever step of collecting that is seen."""
    invoice = make_issued([Line("5.120")], currency="KWD")
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(steps):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    pay_by_hand(invoice, "1.005")
    settlement = collect(invoice, gateway, now=ISSUED_AT + timedelta(hours=1))
    assert (settlement.state, settlement.hosted_url) == (SettlementState.BY_HAND, "")
    assert settlement.last_error == "Stripe cannot take 4.115 KWD."
    assert {one["status"] for one in invoices_at(double, invoice)} <= {"void"}
    for one in invoices_at(double, invoice):  # the webhook of it, whenever it comes
        seen = gateway.get_invoice(one["id"])
        assert apply_stripe_invoice(invoice_id=invoice.pk, seen=seen, now=ISSUED_AT) is Applied.UNCHANGED
    assert Settlement.objects.get().state == SettlementState.BY_HAND
    pay_by_hand(invoice, "4.115", reference="the rest")
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID


def test_what_was_paid_at_stripe_before_it_was_taken_back_is_not_forgotten(double: StripeDouble) -> None:
    invoice = make_issued([Line("5.120")], currency="KWD")
    begin(invoice)
    gateway = gateway_of(double)
    collect(invoice, gateway)
    pay_by_hand(invoice, "1.005")
    double.pay(only_invoice_at(double, invoice)["id"])
    settlement = collect(invoice, gateway, now=ISSUED_AT + timedelta(hours=1))
    assert settlement.state != SettlementState.BY_HAND
    assert settlement.stripe_invoice_id == only_invoice_at(double, invoice)["id"]


def test_totals_that_differ_delete_the_draft_and_alarm(double: StripeDouble, caplog: pytest.LogCaptureFixture) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    draft = Settlement.objects.get(pk=invoice.pk).stripe_invoice_id
    tamper(double, draft)

    stopped = collect(invoice, gateway)

    assert (stopped.state, stopped.revision, stopped.stripe_invoice_id) == (SettlementState.FAILED, 2, "")
    assert "line_count 3 instead of 2" in stopped.last_error
    assert "total_minor 13345 instead of 12345" in stopped.last_error
    assert invoices_at(double, invoice) == []
    entry = AuditEntry.objects.get(action="settlement.failed")
    assert (entry.organization_id, entry.after) == (invoice.issuer_id, {"reason": stopped.last_error})
    assert any(record.levelname == "ERROR" for record in caplog.records)
    assert due_settlements(now=LATER, limit=5) == []

    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    waiting = collect(invoice, gateway, now=LATER)
    assert waiting.state == SettlementState.WAIT
    assert only_invoice_at(double, invoice)["total"] == 12_345
    assert StripeIntent.objects.filter(key=f"inv:{invoice.pk}:draft:2").exists()


def tamper(double: StripeDouble, stripe_invoice_id: str) -> None:
    """Someone adds a line to the draft in Stripe's dashboard."""
    client = stripe.StripeClient(double.SECRET_KEY, base_addresses={"api": double.base_url})
    client.v1.invoices.add_lines(stripe_invoice_id, {"lines": [{"amount": 1_000, "description": "slipped in"}]})


def test_a_draft_that_someone_deleted_at_stripe_is_made_anew_on_request(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    gateway.delete_draft(Settlement.objects.get(pk=invoice.pk).stripe_invoice_id)

    stopped = collect(invoice, gateway)
    assert (stopped.state, stopped.revision, stopped.stripe_invoice_id) == (SettlementState.FAILED, 2, "")
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert collect(invoice, gateway, now=LATER).state == SettlementState.WAIT


def test_a_draft_that_was_changed_and_finalized_at_stripe_stops_before_it_is_collected(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    draft = Settlement.objects.get(pk=invoice.pk).stripe_invoice_id
    tamper(double, draft)
    gateway.finalize(draft, "in the dashboard")

    stopped = collect(invoice, gateway)

    assert (stopped.state, stopped.revision, stopped.stripe_invoice_id) == (SettlementState.FAILED, 1, draft)
    assert stopped.last_error.startswith(f"Invoice {draft} is open at Stripe with line_count 3 instead of 2")
    assert only_invoice_at(double, invoice)["status"] == "open"


def test_a_balance_of_the_customer_at_stripe_stops_the_collection_for_good(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice)
    begin(invoice)
    client = stripe.StripeClient(double.SECRET_KEY, base_addresses={"api": double.base_url})
    client.v1.customers.update(double.state()["customer"][0]["id"], {"balance": -500})
    gateway = gateway_of(double)
    for _ in range(2):
        stopped = collect(invoice, gateway)
        assert stopped.state == SettlementState.FAILED
        assert "asks for 11845 instead of 12345 minor units" in stopped.last_error
        retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert "pay" not in gateway.calls


class Meanwhile(MortalGateway):
    """While Stripe makes the customer, a sweep of balances comes by."""

    account: BalanceAccount

    def create_customer(self, *args: str) -> str:
        assert apply_balance(account_id=self.account.pk, now=ISSUED_AT)
        return super().create_customer(*args)


def test_a_balance_that_leaves_too_little_while_it_is_pushed_lets_the_rest_be_carried(double: StripeDouble) -> None:
    parties = make_parties()
    invoice = make_issued(parties=parties)
    begin(invoice)
    gateway = Meanwhile(settings_of(double))
    gateway.account = keep("123.15", parties)
    rests = collect(invoice, gateway)
    assert (rests.state, rests.last_error, rests.stripe_invoice_id) == (SettlementState.BELOW_MINIMUM, "", "")
    assert dues_of(invoice).left == Decimal("0.30")
    assert double.state()["invoice"] == []
    # A later one asks for it.
    later = make_issued(parties=parties)
    begin(later)
    assert collect(later, gateway_of(double)).state == SettlementState.WAIT
    assert only_invoice_at(double, later)["total"] == 12_375


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_transfer_that_leaves_too_little_at_any_step_takes_the_draft_away(double: StripeDouble, steps: int) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(steps):  # customer, draft, lines, guard
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    pay_by_hand(invoice, "123.00")
    rests = collect(invoice, gateway)
    assert (rests.state, rests.revision, rests.stripe_invoice_id) == (SettlementState.BELOW_MINIMUM, 2, "")
    assert invoices_at(double, invoice) == []
    assert [each["balance"] for each in double.state()["customer"]] == [0]
    assert "finalize" not in gateway.calls


def test_who_died_after_the_draft_was_taken_away_is_followed_by_one_that_lets_it_rest(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    pay_by_hand(invoice, "123.00")
    gateway.delete_draft(Settlement.objects.get(pk=invoice.pk).stripe_invoice_id)
    rests = collect(invoice, gateway)
    assert (rests.state, rests.last_error, rests.stripe_invoice_id) == (SettlementState.BELOW_MINIMUM, "", "")


def lined(double: StripeDouble, gateway: MortalGateway) -> Invoice:
    """An invoice whose draft at Stripe has its lines, and was not compared yet."""
    invoice = make_issued()
    begin(invoice)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.GUARD
    return invoice


@pytest.mark.parametrize("died", [False, True])
def test_a_draft_of_other_dues_is_made_anew_without_a_person(double: StripeDouble, died: bool) -> None:
    """A transfer came between lines and comparison, and the worker may have died after it deleted the draft."""
    gateway = gateway_of(double)
    invoice = lined(double, gateway)
    pay_by_hand(invoice, "23.45")
    if died:
        gateway.delete_draft(Settlement.objects.get(pk=invoice.pk).stripe_invoice_id)
    waiting = collect(invoice, gateway)
    assert (waiting.state, waiting.revision, waiting.last_error) == (SettlementState.WAIT, 2, "")
    assert only_invoice_at(double, invoice)["amount_remaining"] == 10_000
    assert not AuditEntry.objects.filter(action="settlement.failed").exists()


def test_what_was_slipped_into_a_draft_is_seen_though_the_dues_moved_too(double: StripeDouble) -> None:
    gateway = gateway_of(double)
    invoice = lined(double, gateway)
    pay_by_hand(invoice, "23.45")
    for _ in range(3):  # guard takes the draft back, draft and lines make the next one
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    tamper(double, Settlement.objects.get(pk=invoice.pk).stripe_invoice_id)
    stopped = collect(invoice, gateway)
    assert (stopped.state, stopped.revision) == (SettlementState.FAILED, 3)
    assert "total_minor 11000 instead of 10000" in stopped.last_error


def test_a_draft_of_other_dues_that_is_final_at_stripe_already_needs_a_person(double: StripeDouble) -> None:
    gateway = gateway_of(double)
    invoice = lined(double, gateway)
    draft = Settlement.objects.get(pk=invoice.pk).stripe_invoice_id
    gateway.finalize(draft, "in the dashboard")
    pay_by_hand(invoice, "23.45")
    stopped = collect(invoice, gateway)
    assert (stopped.state, stopped.stripe_invoice_id) == (SettlementState.FAILED, draft)
    assert "total_minor 12345 instead of 10000" in stopped.last_error


def test_a_card_is_not_charged_with_less_than_stripe_takes(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice)
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(5):  # customer, draft, lines, guard, finalize
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    pay_by_hand(invoice, "123.15")
    waiting = collect(invoice, gateway)
    assert (waiting.state, waiting.last_error) == (SettlementState.WAIT, TOO_LITTLE_LEFT)
    assert "pay" not in gateway.calls
    assert not CollectionNotice.objects.exists(), "nobody is told that a card was declined"
    assert only_invoice_at(double, invoice)["amount_remaining"] == 30
