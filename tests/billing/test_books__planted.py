"""Rows changed past every guard so that all sums still add up: for each there is a check that says which row it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from billing.books import CHECKS, check_books
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.refunds import Order, request_refund
from billing.corrections.weighing import Scope
from billing.models import BalanceAccount, CreditReason, DocumentFile, DocumentStep, Invoice, Payment, RefundMethod
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod
from billing.statements.bank_files import make_file
from billing.statements.paying_out import make_payout, record_paid
from billing.statements.stating import make_statement
from billing.write_offs import write_off
from tenants.ids import new_id
from tests.billing.statements.stated import pay
from tests.billing.statements.test_bank_files import has_iban
from tests.billing.tax.taxed import NOON, charges_tax, issued, stands, two_leases
from tests.billing.test_books import forge
from tests.billing.world import APRIL, HOUR, MARCH, World, make_world
from tests.factories import make_organization
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 4, tzinfo=UTC)

PAYMENTS = "payments are booked as they came"
STATES = "invoices are in the state of what is left of them"
FEES = "fees are those that were agreed"
SEALED = "invoices are what their evidence was sealed with"
NOTES, NOTES_BOOKED = "credit notes are of their invoices", "credit notes are booked"
BALANCES = "balances of tenants are their movements"
PAYOUTS, FILES = "payouts are booked, once", "files of payouts are what they order"

FIRST, SECOND, THIRD = (
    f"(SELECT invoice.id FROM billing_invoice invoice JOIN tenants_organization issuer ON issuer.id = issuer_id "
    f"WHERE slug = 'provider' ORDER BY number OFFSET {place} LIMIT 1)"
    for place in range(3)
)
"""Paid by card and credited; paid by bank and partly taken back; unpaid and credited."""
OTHERS = "(SELECT id FROM tenants_organization WHERE slug = 'other-provider')"


def shifted(cause: str, kind: str, amount: str) -> str:
    """Book so much more on a kind of account, and less on what is owed to the provider."""
    return (
        f"UPDATE billing_ledgerentry entry SET amount = entry.amount + CASE account.kind WHEN '{kind}' "
        f"THEN {amount} ELSE -{amount} END FROM billing_ledgeraccount account, billing_ledgerposting posting "
        f"WHERE account.id = entry.account_id AND posting.id = entry.posting_id AND posting.cause = '{cause}' "
        f"AND account.kind IN ('{kind}', 'provider_payable')"
    )


def with_fee(world: World) -> World:
    world.contract.operator_fee_percent = Decimal(5)
    world.contract.save(update_fields=["operator_fee_percent"])
    return world


def hour_of(provider: Organization, tenant: Organization, price: str) -> Invoice:
    world = make_world(parties=(provider, tenant), currency="EUR")
    world.lease(1, from_at=NOON, to_at=NOON + HOUR, price=price, rolled_to_at=APRIL)
    return issued(with_fee(world))


def give_back(invoice: Invoice, amount: str) -> None:
    issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(amount=Decimal(amount)),
        reason=CreditReason.SERVICE,
        note="Slow.",
        by="petra",
        now=APRIL,
    )


@kept
def sound(cast: Cast) -> Cast:
    """Two providers' taxed invoices to one tenant, with everything that becomes of invoices, and payouts."""
    other = make_organization("other-provider", is_provider=True, is_tenant=False)
    for party in (cast.tenant, other):
        stands(party, "DE")
    for party in (cast.operator, cast.provider):
        has_iban(party)
    charges_tax(cast.provider)
    first = issued(with_fee(two_leases(cast)))
    second, third, fourth = (hour_of(cast.provider, cast.tenant, price) for price in ("50.00", "50.00", "200.00"))
    fifth = hour_of(other, cast.tenant, "70.00")
    pay(first)
    pay(second, method=PaymentMethod.BANK_TRANSFER)
    pay(fourth, "100")
    write_off(invoice_id=fourth.pk, reason="Insolvent", by="petra", now=APRIL)
    pay(fifth)
    for invoice, amount in ((first, "20.00"), (third, "10.00"), (fifth, "7.00")):
        give_back(invoice, amount)
    for account in BalanceAccount.objects.all():
        order = Order(Decimal(2), RefundMethod.BANK_TRANSFER, "It was asked for.")
        request_refund(account_id=account.pk, order=order, by="petra", now=APRIL)
    of_second = Payment.objects.get(invoice=second)
    reverse_payment(
        payment_id=of_second.pk, reference="back", amount=Decimal(5), reason="Sent back", by="petra", now=APRIL
    )
    make_statement(provider_id=cast.provider.id, currency="EUR", month=MARCH.date(), now=APRIL + timedelta(1))
    make_statement(provider_id=other.id, currency="EUR", month=MARCH.date(), now=APRIL + timedelta(1))
    make_payout(provider_id=cast.provider.id, currency="EUR", by="sam", now=MAY)
    make_file(operator=cast.operator, currency="EUR", by="sam", now=MAY)
    elsewhere = make_payout(provider_id=other.id, currency="EUR", by="sam", now=MAY)
    record_paid(payout_id=elsewhere.pk, reference="by hand", by="sam", at=MAY, now=MAY)
    assert {check.name: check.wrong for check in check_books() if not check.holds} == {}
    return cast


PLANTED = {
    "a payment of another invoice of the same tenant": (
        f"UPDATE billing_payment SET invoice_id = {THIRD} WHERE invoice_id = {FIRST}",
        (PAYMENTS, STATES),
    ),
    "a payment by bank that came by card": (
        "UPDATE billing_payment SET method = 'bank_transfer' WHERE method = 'stripe'",
        (PAYMENTS,),
    ),
    "a payment of another day": (
        "UPDATE billing_payment SET received_at = received_at - interval '40 days'",
        (PAYMENTS,),
    ),
    "a reversal of another payment": (
        f"UPDATE billing_paymentreversal SET payment_id = (SELECT id FROM billing_payment WHERE invoice_id = {FIRST})",
        (PAYMENTS, STATES),
    ),
    "a payment booked where Stripe's money is not": (
        "UPDATE billing_ledgerentry entry SET account_id = bank.id FROM billing_ledgeraccount card, "
        "billing_ledgeraccount bank WHERE card.id = entry.account_id AND card.kind = 'stripe_clearing' "
        "AND bank.kind = 'bank_clearing' AND bank.organization_id = card.organization_id AND entry.amount > 0",
        (PAYMENTS,),
    ),
    "an invoice that is paid by its state alone": (
        f"UPDATE billing_invoice SET state = 'paid', paid_at = issued_at WHERE id = {THIRD}",
        (STATES,),
    ),
    "an invoice that is asked for again": (
        f"UPDATE billing_invoice SET state = 'issued', paid_at = NULL WHERE id = {FIRST}",
        (STATES,),
    ),
    "an invoice that nobody wrote off": (
        f"UPDATE billing_invoice SET state = 'uncollectible' WHERE id = {THIRD}",
        (STATES,),
    ),
    "a void that was not booked": (f"UPDATE billing_invoice SET state = 'void' WHERE id = {THIRD}", (STATES,)),
    "a pair of entries in another currency": (
        "UPDATE billing_ledgerentry SET currency = 'USD' WHERE posting_id = "
        "(SELECT id FROM billing_ledgerposting WHERE cause = 'payment' LIMIT 1)",
        ("every entry is in the currency of its account",),
    ),
    "a cent of the operator's fee": (shifted("invoice", "operator_fee", "0.01"), (FEES,)),
    "an invoice of another day": (
        "UPDATE billing_invoice SET issued_at = issued_at - interval '30 days', due_at = due_at - interval '30 days'",
        (FEES, SEALED),
    ),
    "a posting of another month": (
        "UPDATE billing_ledgerposting SET at = at - interval '60 days' WHERE cause = 'invoice'",
        (FEES,),
    ),
    "a credit note that gives more of the fee": (
        "UPDATE billing_creditnote SET operator_fee = operator_fee + 1",
        (FEES, NOTES_BOOKED),
    ),
    "a credit note's tax booked as earned": (shifted("credit_note", "tax_payable", "1"), (NOTES_BOOKED,)),
    "a credit note's fee booked as earned": (shifted("credit_note", "operator_fee", "0.01"), (NOTES_BOOKED,)),
    "a credit note's tax on the wrong line": (
        "UPDATE billing_creditnoteline SET tax = tax + CASE position WHEN 1 THEN 0.01 ELSE -0.01 END "
        "WHERE credit_note_id = (SELECT credit_note_id FROM billing_creditnoteline WHERE position = 2)",
        (NOTES,),
    ),
    "a credit note of another invoice": (
        f"UPDATE billing_creditnote SET invoice_id = {SECOND} WHERE invoice_id = {FIRST}",
        (NOTES,),
    ),
    "a balance with another issuer": (
        "UPDATE billing_balancemovement SET account_id = (SELECT id FROM billing_balanceaccount LIMIT 1)",
        (BALANCES,),
    ),
    "a refund of another issuer": (
        "UPDATE billing_refund SET account_id = (SELECT id FROM billing_balanceaccount LIMIT 1)",
        ("refunds in transit are those on their way",),
    ),
    "a write-off of another invoice": (
        f"UPDATE billing_writeoff SET invoice_id = {THIRD}",
        ("write-offs are booked", STATES),
    ),
    "a payout of another provider": (
        f"UPDATE billing_payout SET provider_id = {OTHERS}, number = 'PO-0002' WHERE provider_id <> {OTHERS}",
        (PAYOUTS,),
    ),
    "a payout in another currency": ("UPDATE billing_payout SET currency = 'USD'", (PAYOUTS, FILES)),
    "a payout that went another way": ("UPDATE billing_payout SET method = 'stripe'", (PAYOUTS, FILES)),
    "a number of a payout that nobody had": ("UPDATE billing_payout SET number = 'PO-0007'", (PAYOUTS,)),
    "a payout by another provider's statement": (
        f"UPDATE billing_payout SET statement_id = (SELECT id FROM billing_providerstatement "
        f"WHERE provider_id = {OTHERS}) WHERE provider_id <> {OTHERS}",
        (PAYOUTS,),
    ),
    "a file for the bank with other bytes": ("UPDATE billing_payoutfile SET body = body || 'x'::bytea", (FILES,)),
    "a file for the bank of another sum": ("UPDATE billing_payoutfile SET control_sum = control_sum + 1", (FILES,)),
    "a file for the bank of nothing": ("DELETE FROM billing_payoutfilepart", (FILES,)),
    "another percentage of tax": ("UPDATE billing_invoicetax SET percent = 7", (SEALED,)),
    "tax of another country": ("UPDATE billing_invoicetax SET country = 'FR'", (SEALED,)),
    "a cent of tax on another line": (
        f"UPDATE billing_invoicelinetax taxed SET tax = tax + CASE line.position WHEN 1 THEN 0.01 ELSE -0.01 END "
        f"FROM billing_invoiceline line WHERE line.id = taxed.line_id AND line.invoice_id = {FIRST}",
        (SEALED,),
    ),
    "another unit price": ("UPDATE billing_invoiceline SET unit_price = unit_price * 2", (SEALED,)),
    "another price on a day": ("UPDATE billing_invoicesubline SET unit_price = unit_price * 2", (SEALED,)),
    "usage of another day": ("UPDATE billing_invoicesubline SET day = day + 1", (SEALED,)),
    "a line of another time": ("UPDATE billing_invoiceline SET from_at = from_at - interval '1 day'", (SEALED,)),
    "an invoice due on another day": ("UPDATE billing_invoice SET due_at = due_at - interval '1 day'", (SEALED,)),
    "a line that is called otherwise": (
        "UPDATE billing_invoiceline SET description = 'Sundries' WHERE position = 1",
        (SEALED,),
    ),
    "a line of another title": (
        "UPDATE billing_invoiceline SET description = term_ref || ' · Sundries' WHERE position = 1",
        (SEALED,),
    ),
    "a price for another unit": ("UPDATE billing_invoiceline SET unit_price_unit = 'per_other'", (SEALED,)),
    "what was estimated as measured": ("""UPDATE billing_invoiceline SET quality = '{"Z": "1"}'""", (SEALED,)),
    "an invoice of another contract": (
        f"UPDATE billing_invoice SET contract_id = (SELECT contract_id FROM billing_invoice WHERE id = {SECOND}) "
        f"WHERE id = {THIRD}",
        (SEALED,),
    ),
}


@pytest.mark.parametrize("about", list(PLANTED))
def test_what_was_planted_is_found(sound: Cast, about: str) -> None:
    statement, names = PLANTED[about]
    assert sound
    forge(statement)
    assert [name for name in names if not list(CHECKS[name]()[1])] == []


def test_a_paper_with_other_bytes_is_found(sound: Cast) -> None:
    step = DocumentStep.objects.create(
        subject_id=new_id(),
        subject="invoice",
        issuer=sound.provider,
        recipient=sound.tenant,
        next_try_at=MAY,
        updated_at=MAY,
    )
    made = {"step": step, "format": "pdf", "media_type": "application/pdf", "made_with": "a test", "made_at": MAY}
    DocumentFile.objects.create(name="A-1.pdf", body=b"paper", sha256=sha256(b"paper").hexdigest(), **made)
    check = CHECKS["papers are unchanged"]
    assert [*check()[1]] == []
    forge("UPDATE billing_documentfile SET body = 'forged'::bytea")
    assert [*check()[1]] == ["A-1.pdf: the file does not have its hash"]
