"""A void invoice issued again: the same lines once in the books, linked, whatever came late before or after."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from billing.adjusting.last_bills import bill_late
from billing.closing import CloseState, close_period
from billing.corrections.reissuing import NotReissuable, reissuable, reissue_invoice
from billing.corrections.voiding import void_invoice
from billing.dues import dues_of
from billing.models import (
    Adjustment,
    BillingPeriod,
    CreditReason,
    Invoice,
    InvoiceLine,
    InvoiceState,
    LedgerPosting,
    Settlement,
)
from billing.payments import PaymentMethod, record_payment
from billing.rating.late import RULE_LATE
from tenants.models import AuditEntry
from tests.billing.adjusting.late import MAY, Late, late_world
from tests.billing.adjusting.test_restatements import LATER, MILLION, wrong
from tests.billing.corrections.called import Callers
from tests.billing.corrections.corrected import BY, credit
from tests.billing.issued import make_issued
from tests.billing.killed import Killed, at_write, counts_in, die
from tests.billing.world import APRIL, MARCH
from tests.kept import kept

pytestmark = pytest.mark.django_db

SOON = APRIL + timedelta(days=3)


@kept
def late() -> Late:
    """A contract that used 25 million tokens in March: 36.00."""
    made = late_world()
    made.use(25 * MILLION)
    return made


def closed(late: Late) -> Invoice:
    invoice = late.close()
    assert invoice is not None
    return invoice


def void(invoice: Invoice) -> Invoice:
    return void_invoice(invoice_id=invoice.pk, reason="To the wrong company", by=BY, now=SOON)


def reissue(invoice: Invoice) -> Invoice:
    return reissue_invoice(invoice_id=invoice.pk, by=BY, now=SOON)


first = kept(closed)


def test_the_same_lines_are_billed_once_more_under_the_next_number(first: Invoice) -> None:
    void(first)
    assert reissuable(Invoice.objects.get(pk=first.pk))

    again = reissue(first)

    assert (first.number, again.number) == ("INV-0001", "INV-0002")
    assert (again.reissues, again.period, again.contract) == (first, first.period, first.contract)
    assert (again.total, again.state, again.issued_at) == (Decimal(36), InvoiceState.ISSUED, SOON)
    assert again.due_at is not None
    assert first.due_at is not None
    assert again.due_at - SOON == first.due_at - (first.issued_at or SOON)
    lines = [list(each.lines.values_list("position", "description", "quantity", "amount")) for each in (first, again)]
    assert lines[0] == lines[1] != []
    assert wrong() == []


def test_it_is_owed_and_booked_once(first: Invoice) -> None:
    void(first)
    again = reissue(first)
    first.refresh_from_db()
    assert first.state == InvoiceState.VOID
    assert [dues_of(each).left for each in (first, again)] == [Decimal(0), Decimal(36)]
    assert set(LedgerPosting.objects.filter(cause="invoice").values_list("key", flat=True)) == {
        f"invoice:{first.pk}:issued",
        f"invoice:{first.pk}:voided",
        f"invoice:{again.pk}:issued",
    }
    assert Settlement.objects.filter(invoice__in=(first, again)).count() == 2
    record_payment(
        invoice_id=again.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="paid",
        amount=Decimal(36),
        currency="USD",
        received_at=SOON,
        now=SOON,
    )
    again.refresh_from_db()
    assert again.state == InvoiceState.PAID
    assert wrong() == []


def test_said_again_it_is_the_same_invoice(first: Invoice) -> None:
    void(first)
    assert {reissue(first).pk for _ in range(3)} == {Invoice.objects.get(reissues=first).pk}
    assert not reissuable(Invoice.objects.get(pk=first.pk))
    assert AuditEntry.objects.filter(action="invoice.reissued").count() == 1
    entry = AuditEntry.objects.get(action="invoice.reissued")
    assert (entry.actor, entry.before, entry.subject) == (BY, {"invoice": "INV-0001"}, "invoice INV-0002")


def test_what_was_issued_again_may_be_voided_and_issued_again_too(first: Invoice) -> None:
    made = [first]
    for _ in range(3):
        void(made[-1])
        made.append(reissue(made[-1]))
    assert [each.number for each in made] == [f"INV-000{number}" for number in (1, 2, 3, 4)]
    assert Invoice.objects.standing().get(period=first.period) == made[-1]
    assert wrong() == []


def test_its_evidence_is_that_of_the_void_one_but_for_number_and_day(first: Invoice) -> None:
    void(first)
    again = reissue(first)
    before, after = (json.loads(each.evidence.document) for each in (first, again))
    assert (before["invoice"]["number"], after["invoice"]["number"]) == (first.number, again.number)
    assert after["invoice"]["issued_at"] == SOON.isoformat()
    for name in before:
        assert name in {"invoice", "taxes"} or before[name] == after[name], name


def test_usage_that_came_after_the_first_one_is_not_on_the_second(late: Late, first: Invoice) -> None:
    """It is on the next invoice, linked to the one that stands."""
    late.use(MILLION, stored_at=LATER)
    void(first)
    again = reissue(first)
    assert again.total == 36
    april = late.close(APRIL)
    assert april is not None
    line = april.lines.get(rule=RULE_LATE)
    assert (line.amount, line.adjusts) == (Decimal(1), again.lines.get())
    assert str(again.number) in line.description
    assert wrong() == []


def test_what_no_bill_has_yet_is_linked_to_the_one_that_stands(late: Late, first: Invoice) -> None:
    late.use(MILLION, stored_at=LATER)
    assert bill_late(contract_id=first.contract_id, now=LATER + timedelta(hours=1))
    assert Adjustment.objects.get().original == first.lines.get()
    void(first)
    again = reissue(first)
    assert [(each.amount, each.invoice) for each in Adjustment.objects.order_by("seq")] == [
        (Decimal(1), first),
        (Decimal(-1), first),
        (Decimal(1), again),
    ]
    late.use(MILLION, at=MARCH, stored_at=LATER)
    april = late.close(APRIL)
    assert april is not None
    assert [(each.amount, each.adjusts) for each in april.lines.all()] == [(Decimal(2), again.lines.get())]
    [section] = json.loads(april.evidence.document)["adjustments"]
    assert (section["invoice"], section["sha256"]) == (again.number, again.evidence.sha256)
    assert wrong() == []


def test_usage_that_came_late_where_there_was_no_line_is_linked_to_the_invoice_that_stands() -> None:
    """A second deployment's line that the original did not have."""
    late = late_world()
    late.use(25 * MILLION)
    first = closed(late)
    Adjustment.objects.create(
        period=first.period,
        source="another line",
        seq=1,
        into=late.world.period(APRIL),
        invoice=first,
        term_kind="token_price",
        term_ref="T-9",
        model="other",
        rule="price",
        unit="tokens",
        quantity=5,
        amount=3,
        withheld=1,
        found_at=SOON,
    )
    void(first)
    again = reissue(first)
    moved = Adjustment.objects.filter(source="another line").order_by("seq")
    assert [int(each.amount) for each in moved] == [3, -3, 3]
    assert [int(each.quantity) for each in moved] == [5, -5, 5]
    assert [int(each.withheld) for each in moved] == [1, -1, 1]
    assert [(each.invoice, each.original) for each in moved] == [(first, None), (first, None), (again, None)]


def test_what_a_closed_bill_adjusted_stays_linked_to_the_void_one(late: Late, first: Invoice) -> None:
    late.use(MILLION, stored_at=LATER)
    april = late.close(APRIL)
    assert april is not None
    void(first)
    again = reissue(first)
    assert april.lines.get().adjusts == first.lines.get()
    late.use(MILLION, at=MARCH, stored_at=MAY + timedelta(days=9))
    may = late.close(MAY)
    assert may is not None
    line = may.lines.get()
    assert (line.amount, line.adjusts) == (Decimal(1), again.lines.get())
    assert wrong() == []


def test_a_bill_with_late_lines_is_issued_again_with_them(late: Late, first: Invoice) -> None:
    march = first
    late.use(MILLION, stored_at=LATER)
    late.use(2 * MILLION, at=APRIL)
    april = late.close(APRIL)
    assert april is not None
    void(april)
    again = reissue(april)
    line = again.lines.get(rule=RULE_LATE)
    assert (again.total, line.amount, line.adjusts) == (april.total, Decimal(1), march.lines.get())
    assert wrong() == []


def test_closing_a_billed_period_again_answers_with_the_invoice_that_stands(first: Invoice) -> None:
    void(first)
    again = reissue(first)
    answer = close_period(period_id=first.period_id, now=MAY)
    assert (answer.state, answer.invoice) == (CloseState.ALREADY_CLOSED, again)


def test_only_a_void_invoice_with_evidence_is_issued_again(first: Invoice) -> None:
    with pytest.raises(NotReissuable, match="it is issued"):
        reissue(first)
    by_hand = make_issued()
    void(by_hand)
    with pytest.raises(NotReissuable, match="evidence"):
        reissue(by_hand)
    assert not reissuable(first)
    assert Invoice.objects.count() == 2


def test_it_takes_credit_as_any_other(first: Invoice) -> None:
    void(first)
    again = reissue(first)
    note = credit(again, amount="6", reason=CreditReason.BILLING_ERROR)
    assert (note.invoice, dues_of(again).left) == (again, Decimal(30))
    assert wrong() == []


def test_an_exception_before_any_write_leaves_nothing_behind(late: Late, first: Invoice) -> None:
    late.use(MILLION, stored_at=LATER)
    bill_late(contract_id=first.contract_id, now=LATER + timedelta(hours=1))
    void(first)
    tables = (Invoice, InvoiceLine, Adjustment, LedgerPosting, Settlement, AuditEntry)
    before = counts_in(tables)
    place = 1
    while True:
        try:
            with connection.execute_wrapper(at_write(place, die)):
                again = reissue(first)
        except Killed:
            assert counts_in(tables) == before
        else:
            break
        place += 1
    assert place > 12
    assert again.number == "INV-0002"
    assert wrong() == []


def refused(statement: str, *values: UUID | None) -> str:
    with pytest.raises(IntegrityError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    return str(raised.value)


def copied(period: UUID | None, reissues: UUID | None) -> str:
    """An insert of a draft around the ORM: of a period, in place of an invoice."""
    return refused(
        """INSERT INTO billing_invoice (id, issuer_id, tenant_id, contract_id, period_id, reissues_id, kind, currency,
            state, subtotal, tax, total, updated_at)
        SELECT gen_random_uuid(), issuer_id, tenant_id, contract_id, %s, %s, kind, currency, 'draft', 0, 0, 0, now()
        FROM billing_invoice LIMIT 1""",
        period,
        reissues,
    )


def test_the_database_refuses_a_second_invoice_of_a_period(first: Invoice) -> None:
    assert "was billed before" in copied(first.period_id, None)
    assert "stands for no void invoice" in copied(first.period_id, first.pk)
    void(first)
    assert "was billed before" in copied(first.period_id, None)
    other = BillingPeriod.objects.exclude(pk=first.period_id).get()
    assert "stands for no void invoice" in copied(other.pk, first.pk)
    reissue(first)
    assert "billing_invoice_reissues_id_key" in copied(first.period_id, first.pk)


def test_the_check_of_charges_finds_a_period_billed_twice(first: Invoice) -> None:
    """The guard taken away, a second invoice that stands for nothing shows in the books."""
    void(first)
    again = reissue(first)
    assert wrong() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_invoice DISABLE TRIGGER USER")
        cursor.execute("UPDATE billing_invoice SET reissues_id = NULL WHERE id = %s", [again.pk])
    assert any("lines are the charges of their period" in each for each in wrong())


def test_only_the_issuer_issues_again_by_the_api() -> None:
    calls = Callers()
    for who in ("tenant", "charlie"):
        assert calls.post(who, calls.of_invoice("reissue")).status_code == 404
    answer = calls.post("provider", calls.of_invoice("reissue"))
    assert (answer.status_code, answer.json()["code"]) == (409, "invoice_not_reissuable")


def test_the_api_answers_with_the_invoice_that_stands(first: Invoice) -> None:
    void(first)
    calls = Callers(first)
    answers = [calls.post("provider", calls.of_invoice("reissue")) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    made = Invoice.objects.get(reissues=first)
    assert answers[0].json() == {
        "invoice_id": str(made.pk),
        "number": "INV-0002",
        "state": "issued",
        "reissues_id": str(first.pk),
        "total": "36.00",
        "currency": "USD",
    }
