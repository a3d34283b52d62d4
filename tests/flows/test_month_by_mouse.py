"""A month of money, run in the portal by mouse: from a draft to books that balance, with Stripe and with a bank.

Every deed is a click in Chromium; between the clicks the sweeps are called as the worker calls them, and Stripe is the
double, over HTTP in both directions and with its own pages.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from billing.agreeing import add_adjustment
from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.corrections.tasks import send_refunds
from billing.models import (
    BillingPeriod,
    Collection,
    CreditNote,
    Difference,
    Dispute,
    DunningCase,
    Invoice,
    InvoiceState,
    Payout,
    PayoutState,
    PeriodKind,
    Refund,
    RefundState,
    Settlement,
    SettlementState,
    TopUp,
    TopUpState,
)
from billing.payment_references import payment_reference
from billing.rating.credit import CreditWording
from billing.tasks import (
    apply_stripe_events,
    dun_invoices,
    match_bank_lines,
    send_transfers,
)
from metering.rollup_events import roll_up_events
from tests.billing.collected import WEBHOOK_SECRET, only_invoice_at
from tests.billing.world import MODEL, World, make_world
from tests.factories import make_cast, make_user
from tests.fakes.stripe_double.fixture import StripeDouble, stripe_double
from tests.flows.money_desk import Desk
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast

pytestmark = pytest.mark.browser

DAY = timedelta(days=1)
LENGTH = 30 * DAY
IBAN = "DE89370400440532013000"
TOKENS = {"input": 75_000_000, "output": 25_000_000}
PRICES = {(MODEL, "input"): "1.60", (MODEL, "output"): "2.40"}
TOTAL = Decimal("180.00")
"""75 million at 1.60 and 25 million at 2.40 per 1M."""
GRANTED = Decimal("30.00")
BOUGHT = Decimal("50.00")


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this one walk."""


@pytest.fixture
def double(lasting_server: LiveServer, settings: Settings) -> Iterator[StripeDouble]:
    with stripe_double() as running:
        settings.PUBLIC_URL = lasting_server.url
        settings.STRIPE_SECRET_KEY = running.SECRET_KEY
        settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
        settings.STRIPE_API_BASE = running.base_url
        settings.MAIL_READY = True
        running.deliver_to(f"{lasting_server.url}/webhooks/stripe", WEBHOOK_SECRET)
        yield running


@pytest.fixture
def desk(watched: Page, lasting_server: LiveServer) -> Desk:
    watched.set_default_timeout(5_000)
    watched.set_default_navigation_timeout(30_000)  # the first page of a process on a busy machine
    return Desk(watched, lasting_server)


def two_months(cast: Cast, now: datetime) -> World:
    """Two periods of 30 days that are over: of the first, the invoice was issued then, before there was Stripe."""
    start = now.replace(minute=0, second=0, microsecond=0) - 75 * DAY
    world = make_world(tokens=PRICES, from_at=start, parties=(cast.provider, cast.tenant))
    world.contract.period_kind = PeriodKind.FIXED_LENGTH
    world.contract.period_length_s = int(LENGTH.total_seconds())
    world.contract.collection = Collection.CHARGE_AUTOMATICALLY
    world.contract.save()
    add_adjustment(
        contract=world.contract, wording=CreditWording(), from_at=start, to_at=None, now=start, title="Prepaid"
    )
    world.share(percent="100", rolled_to_at=now + DAY, now=start)
    for name, at in (("first", start + 5 * DAY), ("second", start + LENGTH + 5 * DAY)):
        send(world.tenant, event(name, model=MODEL, occurred_at=at.isoformat(), **TOKENS), now=at)
    while roll_up_events(now=now):
        continue
    return world


def test_a_month_is_run_by_mouse(db: None, desk: Desk, double: StripeDouble) -> None:
    cast, now = make_cast(), datetime.now(UTC)
    owen = make_user("owen@example.com", cast.operator)
    world = two_months(cast, now)
    old = close_first(world, double)

    issued = approve(desk, cast, world)
    leave_a_card(desk, cast, double)
    hand_it_to_stripe(desk, cast, issued)
    pay_with_consent(desk, cast, issued, double)
    question_a_line(desk, cast, issued)
    grant_it(desk, cast, issued)
    correct_it(desk, issued)
    pay_it_back(desk, cast, double)
    pay_out(desk, cast, owen.email, double)
    top_up(desk, cast, double)
    planted = plant(double)
    dun(desk, cast, old)
    take_the_bank_statement(desk, cast, old)
    reconcile(desk, owen.email, double, planted)
    assert [(check.name, check.wrong) for check in check_books() if not check.holds] == []


def close_first(world: World, double: StripeDouble) -> Invoice:
    """The invoice of the first period: issued when it was over, and waiting for a bank transfer since."""
    period = BillingPeriod.objects.filter(contract=world.contract).order_by("from_at").first()
    if period is None:
        ensure_periods(contract=world.contract, now=datetime.now(UTC))
        period = BillingPeriod.objects.filter(contract=world.contract).earliest("from_at")
    closed = close_period(period_id=period.pk, now=period.to_at + 3 * DAY)
    assert closed.invoice is not None
    assert (closed.invoice.total, double.state()["invoice"]) == (TOTAL, [])
    return closed.invoice


def approve(desk: Desk, cast: Cast, world: World) -> Invoice:
    """1. Petra has invoices wait for her, closes the second period, looks at its draft, approves and issues it."""
    desk.sit_down(cast.petra.email)
    desk.go("Drafts")
    desk.page.get_by_label("Invoices wait for an approval").check()
    desk.press("Keep this")
    desk.follow("Closing")
    desk.follow(world.contract.number)
    desk.press("Close now")
    assert Invoice.objects.count() == 1, "it waits"
    desk.go("Drafts")
    desk.follow("To approve")
    desk.follow(world.contract.number)
    desk.sees("It waits for your approval.", "$180.00", MODEL)
    desk.press("Approve and issue")
    issued = Invoice.objects.latest("issued_at")
    expect(desk.page.get_by_role("status")).to_contain_text(f"Invoice {issued.number} is issued.")
    assert (issued.total, Settlement.objects.get(pk=issued.pk).state) == (TOTAL, SettlementState.CUSTOMER)
    return issued


def leave_a_card(desk: Desk, cast: Cast, double: StripeDouble) -> None:
    """2. Alice leaves a card by Checkout; it is one whose bank asks for consent to every payment."""
    desk.sit_down(cast.alice.email)
    desk.go("Card")
    desk.press("Leave a card")
    desk.follow("Go on to Stripe's page")
    desk.press("Keep this card with a card that asks for consent")
    desk.press("Complete authentication")
    desk.sees("Visa ••••", f"Left by{cast.alice.email}")


def hand_it_to_stripe(desk: Desk, cast: Cast, issued: Invoice) -> None:
    """Petra does not wait for the sweep: she hands the invoice over, and Stripe asks its card."""
    desk.sit_down(cast.petra.email)
    desk.go("Invoices")
    desk.follow(str(issued.number))
    desk.sees("It is not at Stripe yet.")
    desk.press("Hand it to Stripe now")
    expect(desk.page.get_by_role("status")).to_contain_text("It is at Stripe.")
    desk.sees("waits for the card holder's consent")


def pay_with_consent(desk: Desk, cast: Cast, issued: Invoice, double: StripeDouble) -> None:
    """3. The card cannot be charged without her: she is told, fails the consent once, gives it, and has paid."""
    assert Settlement.objects.get(pk=issued.pk).state == SettlementState.ACTION
    desk.sit_down(cast.alice.email)
    desk.go("Card")
    desk.sees(f"Invoice {issued.number} over $180.00 is not paid.")
    desk.follow("Pay")
    desk.press("Pay with a card that asks for consent")
    desk.press("Fail authentication")
    desk.sees("We are unable to authenticate your payment method.")
    desk.press("Pay with a card that asks for consent")
    desk.press("Complete authentication")
    desk.sees("paid")
    double.wait_delivered()
    apply_stripe_events()
    issued.refresh_from_db()
    assert (issued.state, only_invoice_at(double, issued)["status"]) == (InvoiceState.PAID, "paid")


def question_a_line(desk: Desk, cast: Cast, issued: Invoice) -> None:
    """4. Alice looks at what she paid, opens a line and questions it."""
    desk.sit_down(cast.alice.email)
    desk.go("Invoices")
    desk.follow(str(issued.number))
    desk.page.get_by_text("1 day in detail").click()
    desk.follow("Question a line")
    desk.page.get_by_label("About").select_option(index=1)
    desk.fill("What is wrong, and what you expected", "A fifth of it were our tests of your staging site.")
    desk.press("Ask the provider")
    expect(desk.page.get_by_role("status")).to_contain_text("The provider was asked.")


def grant_it(desk: Desk, cast: Cast, issued: Invoice) -> None:
    """5. Petra answers, and grants part of it with a credit note."""
    desk.sit_down(cast.petra.email)
    desk.go("Questions")
    desk.follow(f"{issued.number}")
    desk.sees("our tests of your staging site")
    desk.fill("Net amount (USD)", str(GRANTED))
    desk.press("See what it comes to")
    desk.sees("Nothing is issued yet.", "Onto the tenant's balance", "$30.00")
    desk.fill("In words that the tenant reads", "Right: tests are on us.")
    desk.press("Issue credit note")
    note = CreditNote.objects.get()
    assert (note.total, Dispute.objects.get().credit_note) == (GRANTED, note)
    desk.follow(note.number)
    desk.sees("$30.00")


def correct_it(desk: Desk, issued: Invoice) -> None:
    """She looks what crediting all of the rest would come to, puts something on the next invoice, and takes it back."""
    desk.go("Invoices")
    desk.follow(str(issued.number))
    desk.follow("Correct")
    desk.page.get_by_label("Everything that is left of the invoice").check()
    desk.press("See what it comes to")
    desk.sees("Nothing is issued yet.", "Lines that are given back", str(TOTAL - GRANTED))
    assert CreditNote.objects.count() == 1, "nothing was issued"
    desk.fill("Amount before tax, USD", "7")
    desk.fill("Why more is owed", "Storage")
    desk.press("Add to the next invoice")
    desk.page.get_by_text("Take $7.00 back: Storage").click()
    desk.fill("Why it is not owed", "It was included")
    desk.press("Take it back")
    desk.sees("taken back")


def pay_it_back(desk: Desk, cast: Cast, double: StripeDouble) -> None:
    """6. What was granted is on a balance; Petra pays it back to the card."""
    desk.go("Balances")
    desk.sees("$30.00")
    desk.page.get_by_role("group").get_by_text("Pay out").first.click()
    desk.fill("Amount (USD)", str(GRANTED))
    desk.page.get_by_label("Way").select_option(index=1)
    desk.page.get_by_label("Why", exact=True).fill("Granted question")
    desk.press("Pay out")
    expect(desk.page.get_by_role("status")).to_contain_text("The refund is on its way.")
    for _sweep in range(2):
        send_refunds()
        double.wait_delivered()
        apply_stripe_events()
    refund = Refund.objects.get()
    assert (refund.state, refund.amount) == (RefundState.DONE, GRANTED)
    assert [one["amount"] for one in double.state()["refund"]] == [3_000]


def pay_out(desk: Desk, cast: Cast, owner: str, double: StripeDouble) -> None:
    """7. Petra opens an account at Stripe; the operator shortens how long card payments are held, and pays out."""
    desk.go("Payouts")
    desk.press("Open an account at Stripe")
    desk.follow("Go on at Stripe")
    desk.press("Fill in everything")
    desk.sees("It can receive transfers.")
    desk.page.get_by_label("Paid by").select_option(label="Transfer to its Stripe account")
    desk.press("Save")
    desk.sit_down(owner)
    desk.go("Payouts to providers")
    desk.page.get_by_text("Provider: card payments for 7 days").click()
    desk.fill("Card payments are held back for, days", "0")
    desk.press("Keep this Provider")
    desk.press("Pay out now Provider USD")
    send_transfers()
    desk.go("Payouts to providers")
    payout = Payout.objects.get()
    assert (payout.state, payout.amount, payout.last_error) == (PayoutState.PAID, TOTAL - GRANTED, "")
    assert [one["amount"] for one in double.state()["transfer"]] == [15_000]
    desk.sees(payout.number, "Paid", "$150.00")


def top_up(desk: Desk, cast: Cast, double: StripeDouble) -> None:
    """8. Alice buys credit beforehand: a card that is declined buys none, another does, and it is there at once."""
    desk.sit_down(cast.alice.email)
    desk.go("Prepaid credit")
    desk.sees("No credit is left.")
    desk.fill("Amount", str(BOUGHT))
    desk.press("Prepare Stripe's page")
    desk.follow("Go on to Stripe's page")
    desk.press("Pay with a card that is declined")
    desk.sees("declined")
    desk.press("Pay")
    desk.sees("$50.00", "Paid")
    double.wait_delivered()
    apply_stripe_events()
    made = TopUp.objects.get()
    assert (made.state, made.amount, made.started_by) == (TopUpState.PAID, BOUGHT, cast.alice.email)


def dun(desk: Desk, cast: Cast, old: Invoice) -> None:
    """9. The older invoice is overdue: Petra sets a schedule, Alice is reminded, and sees it on the invoice."""
    desk.sit_down(cast.petra.email)
    desk.go("Dunning")
    desk.fill("Remind by mail, days after due", "3")
    desk.fill("Give notice of suspension, days after due", "10")
    desk.fill("Suspend use, days after due", "17")
    desk.press("Set this schedule")
    for _sweep in range(3):
        dun_invoices()
    assert DunningCase.objects.get(pk=old.pk).is_open
    subjects = {str(letter.subject) for letter in mail.outbox if letter.to == [cast.alice.email]}
    assert f"Reminder: invoice {old.number} is overdue" in subjects
    desk.go("Dunning")
    desk.follow(str(old.number))
    desk.sees("$180.00 left to pay, Tenant", "Reminder by mail", "2 of 2 letters are out")


def take_the_bank_statement(desk: Desk, cast: Cast, old: Invoice) -> None:
    """10. Petra notes her account and takes its statement: the transfer pays the invoice, and dunning ends."""
    desk.go("Bank")
    desk.follow("Accounts")
    desk.fill("IBAN or account number", IBAN)
    desk.fill("Account holder", "Provider")
    desk.press("Note this account")
    desk.go("Bank")
    reference = payment_reference(str(old.number))
    rows = ["booked_on,amount,currency,entry_reference,payer,reference"]
    rows += [f"{datetime.now(UTC):%Y-%m-%d},180.00,USD,E-1,Tenant,{reference}"]
    desk.page.get_by_label("Statement file").set_input_files(
        {"name": "november.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    )
    desk.press("Take this file")
    desk.sees("november.csv", "Matched")
    desk.follow("Tenant")
    desk.sees(str(old.number))
    match_bank_lines()
    dun_invoices()
    old.refresh_from_db()
    assert (old.state, DunningCase.objects.get(pk=old.pk).is_open) == (InvoiceState.PAID, False)
    desk.go("Dunning")
    desk.sees("Nothing overdue is followed")


def plant(double: StripeDouble) -> str:
    """Somebody makes an invoice at Stripe by hand."""
    client = double.client()
    customer = client.v1.customers.create({"name": "Someone"})
    planted = client.v1.invoices.create({"customer": customer.id, "currency": "usd", "number": "X-1"})
    client.v1.invoices.add_lines(planted.id, {"lines": [{"amount": 900}]})
    client.v1.invoices.finalize_invoice(planted.id)
    return planted.id


def reconcile(desk: Desk, owner: str, double: StripeDouble, planted: str) -> None:
    """11. The operator finds the invoice that our books do not have, and closes it at Stripe."""
    desk.sit_down(owner)
    desk.go("Reconciliation")
    desk.press("Look now")
    desk.sees("Invoice at Stripe that our books do not have", "X-1 · Open · $0.00 of $9.00 paid")
    assert Difference.objects.filter(settled_at=None).count() == 1, "everything else is as in our books"
    desk.press("Close it at Stripe")
    desk.press("Look now")
    desk.sees("Nothing differs.", "Close it at Stripe")
    assert double.client().v1.invoices.retrieve(planted).status == "void"
