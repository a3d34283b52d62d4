"""Credit notes: what they give back, what they book, what is left, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from billing.corrections.amounts import MoreThanLeft, Wanted, WrongCredit
from billing.corrections.credit_notes import CreditNoteDiffers, issue_credit_note
from billing.corrections.weighing import NotCreditable, Scope
from billing.dues import dues_of
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    Contract,
    CreditNote,
    CreditReason,
    Invoice,
    InvoiceLine,
    InvoiceLineTax,
    InvoiceState,
    InvoiceTax,
    LedgerPosting,
    Settlement,
    SettlementState,
)
from billing.tenant_balances import balance_of
from billing.write_offs import write_off
from tenants.ids import new_id
from tenants.models import AuditEntry, Organization
from tests.billing.corrections.corrected import BY, NOW, books, credit, pay, wrong_in_the_books
from tests.billing.issued import ISSUED_AT, Line, make_draft, make_issued, make_parties
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db


def state_of(invoice: Invoice) -> str:
    return Invoice.objects.values_list("state", flat=True).get(pk=invoice.pk)


def with_fee_and_tax() -> Invoice:
    """200.00 net and 38.00 tax, of which the operator takes 5 %: 10.00."""
    provider, tenant = make_parties()
    operator = make_organization("the-operator", is_operator=True)
    draft = make_draft([Line("150.00"), Line("50.00")], provider=provider, tenant=tenant)
    Contract.objects.filter(pk=draft.contract_id).update(operator_fee_percent=5)
    with transaction.atomic():
        rate = InvoiceTax.objects.create(
            invoice=draft,
            position=1,
            category="S",
            percent=19,
            country="DE",
            source="built_in",
            taxable=Decimal(200),
            tax=Decimal(38),
        )
        for line in draft.lines.all():
            InvoiceLineTax.objects.create(line=line, rate=rate, tax=line.amount * 19 / 100)
        Invoice.objects.filter(pk=draft.pk).update(
            state=InvoiceState.ISSUED,
            number="F-1",
            subtotal=Decimal(200),
            tax=Decimal(38),
            total=Decimal(238),
            issued_at=ISSUED_AT,
            due_at=ISSUED_AT + timedelta(days=14),
        )
        post(
            key=f"invoice:{draft.pk}:issued",
            cause="invoice",
            cause_id=draft.pk,
            memo="Invoice issued",
            at=ISSUED_AT,
            entries=(
                Entry(tenant.pk, AccountKind.TENANT_RECEIVABLE, "USD", Decimal(238)),
                Entry(provider.pk, AccountKind.PROVIDER_PAYABLE, "USD", Decimal(-190)),
                Entry(provider.pk, AccountKind.TAX_PAYABLE, "USD", Decimal(-38)),
                Entry(operator.pk, AccountKind.OPERATOR_FEE, "USD", Decimal(-10)),
            ),
        )
    return Invoice.objects.get(pk=draft.pk)


@kept
def invoice() -> Invoice:
    return make_issued([Line("100.00")])


parties = kept(make_parties)


def test_a_line_in_part_takes_off_what_is_left_to_pay() -> None:
    invoice = make_issued([Line("100.00"), Line("23.45")])
    made = credit(invoice, Wanted(1, quantity=Decimal(250_000)))
    assert (made.subtotal, made.total, made.applied) == (Decimal(25), Decimal(25), Decimal(25))
    assert dues_of(invoice).left == Decimal("98.45")
    assert state_of(invoice) == InvoiceState.ISSUED
    assert books(invoice.tenant) == {"tenant_receivable": Decimal("98.45")}
    assert books(invoice.issuer) == {"provider_payable": Decimal("-98.45")}
    entry = AuditEntry.objects.get(action="credit_note.issued")
    assert (entry.organization_id, entry.actor) == (invoice.issuer_id, BY)
    assert entry.after is not None
    assert entry.after["total"] == "25.00"
    assert not wrong_in_the_books()


def test_the_whole_of_an_unpaid_invoice_settles_it() -> None:
    invoice = make_issued([Line("100.00"), Line("23.45"), Line("-3.45")])
    Settlement.objects.create(
        invoice=invoice, state=SettlementState.BY_HAND, next_try_at=ISSUED_AT, updated_at=ISSUED_AT
    )
    made = credit(invoice)
    assert [line.amount for line in made.lines.order_by("position")] == [
        Decimal("100.00"),
        Decimal("23.45"),
        Decimal("-3.45"),
    ]
    assert made.applied == Decimal(120)
    assert state_of(invoice) == InvoiceState.PAID
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.PAID
    assert books(invoice.tenant) == books(invoice.issuer) == {}
    assert not wrong_in_the_books()


def test_what_was_paid_before_goes_to_the_balance(invoice: Invoice) -> None:
    pay(invoice, "80.00")
    made = credit(invoice, amount="30")
    assert (made.applied, made.total - made.applied) == (Decimal(20), Decimal(10))
    assert state_of(invoice) == InvoiceState.PAID
    assert balance_of(tenant_id=invoice.tenant_id, issuer_id=invoice.issuer_id, currency="USD") == Decimal(10)
    assert books(invoice.tenant) == {"tenant_balance": Decimal(-10)}
    credit(invoice)
    assert books(invoice.tenant) == {"tenant_balance": Decimal(-80)}
    assert not wrong_in_the_books()


def test_tax_and_fee_go_back_in_proportion_and_end_at_the_whole() -> None:
    invoice = with_fee_and_tax()
    first = credit(invoice, Wanted(2, amount=Decimal("33.33")))
    assert (first.subtotal, first.tax, first.operator_fee) == (Decimal("33.33"), Decimal("6.33"), Decimal("1.67"))
    second = credit(invoice)
    assert (second.subtotal, second.tax, second.operator_fee) == (
        Decimal("166.67"),
        Decimal("31.67"),
        Decimal("8.33"),
    )
    assert sum(line.tax for line in second.lines.all()) == second.tax
    assert books(invoice.issuer) == books(invoice.tenant) == {}
    assert not wrong_in_the_books()


def test_more_than_the_line_is_refused_with_what_is_left_and_nothing_is_stored() -> None:
    """Case G30."""
    invoice = make_issued([Line("100.00"), Line("20.00")])
    pay(invoice, "120.00")
    credit(invoice, Wanted(2, amount=Decimal("15.00")))
    with pytest.raises(MoreThanLeft, match=r"line 2 has 5.00 USD left to credit; 5.01 is more") as refused:
        credit(invoice, Wanted(2, amount=Decimal("5.01")))
    assert refused.value.extra == {"position": 2, "left": "5.00"}
    assert CreditNote.objects.count() == 1
    assert LedgerPosting.objects.filter(cause="credit_note").count() == 1
    assert credit(invoice, Wanted(2)).total == Decimal(5)


def test_a_line_is_not_credited_beyond_the_invoice_it_is_on() -> None:
    """The invoice gave a discount of 30: the line of 100 cannot go back whole while the discount stays."""
    invoice = make_issued([Line("100.00"), Line("-30.00")])
    with pytest.raises(MoreThanLeft, match=r"70\.00 USD of invoice") as refused:
        credit(invoice, Wanted(1))
    assert refused.value.extra["left"] == "70.00"
    with pytest.raises(MoreThanLeft):
        credit(invoice, Wanted(2))


def test_numbers_have_no_gap_and_start_anew_for_each_issuer(parties: tuple[Organization, Organization]) -> None:
    first, second = make_issued(parties=parties), make_issued(parties=parties)
    numbers = [credit(invoice, amount="1").number for invoice in (first, second, first)]
    with pytest.raises(WrongCredit):
        credit(first, amount="0")
    numbers.append(credit(second, amount="1").number)
    assert [number.rpartition("-")[2] for number in numbers] == ["0001", "0002", "0003", "0004"]
    assert len({number.rpartition("-")[0] for number in numbers}) == 1
    assert credit(make_issued(), amount="1").number.endswith("-0001")
    assert not wrong_in_the_books()


def test_the_same_id_is_the_same_credit_note() -> None:
    invoice, chosen = make_issued(), new_id()
    first = credit(invoice, amount="10", credit_note_id=chosen)
    assert credit(invoice, amount="10", credit_note_id=chosen) == first
    assert dues_of(invoice).credited == Decimal(10)
    with pytest.raises(CreditNoteDiffers):
        credit(invoice, amount="10", credit_note_id=chosen, reason=CreditReason.GOODWILL)


@pytest.mark.parametrize("state", [InvoiceState.DRAFT, InvoiceState.VOID])
def test_a_draft_and_a_void_invoice_take_none(state: InvoiceState) -> None:
    if state == InvoiceState.VOID:
        invoice = make_issued()
        Invoice.objects.filter(pk=invoice.pk).update(state=state)
    else:
        provider, tenant = make_parties()
        invoice = make_draft([Line("10.00")], provider=provider, tenant=tenant)
    with pytest.raises(NotCreditable, match=str(state)):
        credit(invoice)


@pytest.mark.parametrize("note", ["", "  ", "x" * 501])
def test_a_reason_in_words_is_asked_for(note: str) -> None:
    with pytest.raises(WrongCredit, match="1 to 500 characters"):
        issue_credit_note(
            invoice_id=make_issued().pk, scope=Scope(), reason=CreditReason.GOODWILL, note=note, by=BY, now=NOW
        )


def test_lines_and_an_amount_exclude_each_other() -> None:
    with pytest.raises(WrongCredit, match="not both"):
        credit(make_issued(), Wanted(1), amount="1")


def test_what_was_written_off_is_credited_before_it_becomes_a_balance(invoice: Invoice) -> None:
    pay(invoice, "40")
    write_off(invoice_id=invoice.pk, reason="Insolvent", by=BY, now=NOW)
    made = credit(invoice, amount="70")
    assert made.applied == Decimal(60)
    assert books(invoice.tenant) == {"tenant_balance": Decimal(-10)}
    assert books(invoice.issuer) == {"bank_clearing": Decimal(40), "provider_payable": Decimal(-30)}
    assert state_of(invoice) == InvoiceState.PAID
    assert not wrong_in_the_books()


def test_deposits_are_not_credited(parties: tuple[Organization, Organization]) -> None:
    provider, tenant = parties
    draft = make_draft([Line("100.00"), Line("50.00")], provider=provider, tenant=tenant)
    InvoiceLine.objects.filter(invoice=draft, position=2).update(rule="lease_deposit_taken")
    Invoice.objects.filter(pk=draft.pk).update(
        state=InvoiceState.ISSUED, number="D-1", subtotal=150, total=150, issued_at=ISSUED_AT, due_at=ISSUED_AT
    )
    post(
        key=f"invoice:{draft.pk}:issued",
        cause="invoice",
        cause_id=draft.pk,
        memo="Invoice issued",
        at=ISSUED_AT,
        entries=(
            Entry(tenant.pk, AccountKind.TENANT_RECEIVABLE, "USD", Decimal(150)),
            Entry(provider.pk, AccountKind.PROVIDER_PAYABLE, "USD", Decimal(-100)),
            Entry(provider.pk, AccountKind.DEPOSIT_HELD, "USD", Decimal(-50)),
        ),
    )
    made = credit(Invoice.objects.get(pk=draft.pk))
    assert made.total == Decimal(100)
    with pytest.raises(WrongCredit, match=r"\(1 to 1\)"):
        credit(Invoice.objects.get(pk=draft.pk), Wanted(2))
    assert books(provider) == {"deposit_held": Decimal(-50)}
    assert not wrong_in_the_books()
