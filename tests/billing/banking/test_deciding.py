"""What a movement was: matched by what it says, by hand, set aside, and taken back; the books beside it each time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from billing.banking.deciding import (
    AlreadyUnmatched,
    BankLineUnknown,
    WrongMatch,
    keep_for_tenant,
    left_of_line,
    match_by_hand,
    match_line,
    set_aside,
    unmatch,
)
from billing.banking.matching import Part
from billing.corrections.applying import apply_balance
from billing.dues import dues_of
from billing.ledger import balance
from billing.models import (
    AccountKind,
    BalanceAccount,
    BankLine,
    BankLineState,
    BankMatch,
    BankUnmatch,
    Invoice,
    InvoiceState,
    Payment,
    Settlement,
    SettlementState,
)
from billing.payment_references import payment_reference
from billing.payments import Overpaid, PaymentMethod, record_payment
from billing.tenant_balances import BalanceTooLow, balance_of
from tests.billing.banking.statements import BY, NOW, Movement, make_account, take_one
from tests.billing.issued import Line, make_issued, make_parties
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.models import Organization

Parties = tuple["Organization", "Organization"]


@kept
def parties() -> Parties:
    parties = make_parties()
    make_account(parties[0])
    return parties


def issued(parties: Parties, number: str, amount: str = "100.00") -> Invoice:
    return make_issued([Line(amount)], parties=parties, number=number)


def came(parties: Parties, amount: str, text: str = "", **more: Any) -> BankLine:
    return take_one(parties[0], Movement(amount, text, **more))


def unmatched_amount(parties: Parties) -> float:
    return float(-balance(organization_id=parties[0].pk, kind=AccountKind.BANK_UNMATCHED, currency="USD"))


def in_bank(parties: Parties) -> float:
    return float(balance(organization_id=parties[0].pk, kind=AccountKind.BANK_CLEARING, currency="USD"))


def balance_with(parties: Parties) -> float:
    return float(balance_of(tenant_id=parties[1].pk, issuer_id=parties[0].pk, currency="USD"))


def look(line: BankLine) -> BankLineState:
    return match_line(line_id=line.pk, now=NOW)


def test_a_transfer_with_the_reference_pays_its_invoice(parties: Parties) -> None:
    invoice = issued(parties, "S-0001")
    line = came(parties, "100.00", structured=payment_reference("S-0001"))
    assert (unmatched_amount(parties), in_bank(parties)) == (100, 100)

    assert look(line) == BankLineState.MATCHED
    assert look(line) == BankLineState.MATCHED

    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID
    match = BankMatch.objects.get()
    assert (match.invoice_id, match.rule, match.tenant_id) == (invoice.pk, "named", parties[1].pk)
    payment = Payment.objects.get()
    assert (payment.reference, float(payment.amount)) == (f"bank_match:{match.pk}", 100)
    assert payment.received_at.date() == line.booked_on
    assert (unmatched_amount(parties), in_bank(parties)) == (0, 100)
    assert balance(organization_id=parties[1].pk, kind=AccountKind.TENANT_RECEIVABLE, currency="USD") == 0


def test_a_part_payment_pays_a_part(parties: Parties) -> None:
    invoice = issued(parties, "S-0001")
    assert look(came(parties, "40.00", "S-0001")) == BankLineState.MATCHED
    assert dues_of(invoice).left == 60
    assert look(came(parties, "60.00", "S-0001 rest")) == BankLineState.MATCHED
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID


def test_one_transfer_pays_many_invoices(parties: Parties) -> None:
    invoices = [issued(parties, f"S-{number:04d}") for number in (1, 2, 3)]
    assert look(came(parties, "300.00", "for S-0001, S-0002 and S-0003")) == BankLineState.MATCHED
    assert {Invoice.objects.get(pk=one.pk).state for one in invoices} == {InvoiceState.PAID}
    assert BankMatch.objects.count() == 3


def test_what_is_more_than_owed_goes_to_the_tenants_balance_and_comes_back(parties: Parties) -> None:
    invoice = issued(parties, "S-0001")
    line = came(parties, "130.00", "S-0001")
    assert look(line) == BankLineState.MATCHED
    kept = BankMatch.objects.get(kind="balance")
    assert (float(kept.amount), kept.tenant_id, kept.rule) == (30, parties[1].pk, "named")
    assert (balance_with(parties), unmatched_amount(parties), in_bank(parties)) == (30, 0, 130)
    assert balance(organization_id=parties[1].pk, kind=AccountKind.TENANT_BALANCE, currency="USD") == -30

    for match in line.matches.all():
        unmatch(provider=parties[0], match_id=match.pk, reason="of another tenant", by=BY, now=NOW)

    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.ISSUED
    assert (balance_with(parties), unmatched_amount(parties)) == (0, 130)


def test_money_for_a_paid_invoice_is_kept_by_a_person_and_cannot_go_back_once_it_paid(parties: Parties) -> None:
    issued(parties, "S-0001")
    look(came(parties, "100.00", "S-0001"))
    again = came(parties, "100.00", "S-0001 again")
    assert look(again) == BankLineState.SUGGESTED
    kept = keep_for_tenant(provider=parties[0], line_id=again.pk, tenant_id=parties[1].pk, by=BY, now=NOW)
    again.refresh_from_db()
    assert (again.state, balance_with(parties)) == (BankLineState.MATCHED, 100)
    owed = issued(parties, "S-0002", "60.00")
    Settlement.objects.create(invoice=owed, state=SettlementState.BY_HAND, next_try_at=NOW, updated_at=NOW)
    apply_balance(account_id=BalanceAccount.objects.get().pk, now=NOW)
    assert balance_with(parties) == 40
    with pytest.raises(BalanceTooLow), transaction.atomic():
        unmatch(provider=parties[0], match_id=kept.pk, reason="wrong", by=BY, now=NOW)
    other = came(parties, "5.00", "?")
    with pytest.raises(WrongMatch, match="no contract of yours"):
        keep_for_tenant(provider=parties[0], line_id=other.pk, tenant_id=make_parties()[1].pk, by=BY, now=NOW)
    keep_for_tenant(provider=parties[0], line_id=other.pk, tenant_id=parties[1].pk, by=BY, now=NOW, amount=Decimal(2))
    assert left_of_line(other) == 3


def test_less_than_several_invoices_waits_for_a_person(parties: Parties) -> None:
    for number in (1, 2):
        issued(parties, f"S-{number:04d}")
    assert look(came(parties, "150.00", "S-0001 S-0002")) == BankLineState.SUGGESTED
    assert not Payment.objects.exists()


def test_what_nothing_is_known_of_is_unmatched_until_a_person_says(parties: Parties) -> None:
    first, second = issued(parties, "S-0001"), issued(parties, "S-0002", "30.00")
    line = came(parties, "55.00", "thank you")
    assert look(line) == BankLineState.UNMATCHED

    parts = [Part(second.pk, Decimal("30.00")), Part(first.pk, Decimal("20.00"))]
    line = match_by_hand(provider=parties[0], line_id=line.pk, parts=parts, by=BY, now=NOW, note="as told by phone")

    assert (line.state, float(left_of_line(line))) == ("unmatched", 5)
    assert [dues_of(one).left for one in (first, second)] == [80, 0]
    assert unmatched_amount(parties) == 5
    set_aside(provider=parties[0], line_id=line.pk, note="bank interest", by=BY, now=NOW)
    line.refresh_from_db()
    assert line.state == BankLineState.MATCHED
    assert (unmatched_amount(parties), in_bank(parties)) == (0, 50)


def test_a_match_taken_back_leaves_the_books_as_before_it(parties: Parties) -> None:
    invoice = issued(parties, "S-0001")
    line = came(parties, "100.00", "S-0001")
    look(line)
    match = BankMatch.objects.get()

    undone = unmatch(provider=parties[0], match_id=match.pk, reason="of another tenant", by=BY, now=NOW)

    invoice.refresh_from_db()
    line.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == (InvoiceState.ISSUED, None)
    assert line.state == BankLineState.SUGGESTED
    assert (unmatched_amount(parties), in_bank(parties)) == (100, 100)
    assert undone.reversal is not None
    assert undone.reversal.payment_id == match.payment_id
    with pytest.raises(AlreadyUnmatched):
        unmatch(provider=parties[0], match_id=match.pk, reason="again", by=BY, now=NOW)
    match_by_hand(provider=parties[0], line_id=line.pk, parts=[Part(invoice.pk, Decimal(100))], by=BY, now=NOW)
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID


def test_what_was_set_aside_comes_back(parties: Parties) -> None:
    line = came(parties, "9.00", "interest")
    match = set_aside(provider=parties[0], line_id=line.pk, note="interest", by=BY, now=NOW, amount=Decimal(9))
    assert (unmatched_amount(parties), in_bank(parties)) == (0, 0)
    unmatch(provider=parties[0], match_id=match.pk, reason="it was a payment", by=BY, now=NOW)
    assert (unmatched_amount(parties), in_bank(parties)) == (9, 9)


def test_hands_are_refused_what_cannot_be(parties: Parties) -> None:
    invoice = issued(parties, "S-0001", "50.00")
    line, out = came(parties, "60.00", "x"), came(parties, "-5.00", "rent")
    assert out.state == BankLineState.OUTGOING
    elsewhere = make_issued([Line("50.00")])

    def attempt(
        parts: list[Part], *, line: BankLine = line, provider: Organization = parties[0], note: str = ""
    ) -> None:
        match_by_hand(provider=provider, line_id=line.pk, parts=parts, by=BY, now=NOW, note=note)

    fifty = Part(invoice.pk, Decimal(50))
    wrong: list[tuple[type[Exception], Callable[[], object]]] = [
        (WrongMatch, lambda: attempt([])),
        (WrongMatch, lambda: attempt([fifty, fifty])),
        (WrongMatch, lambda: attempt([Part(invoice.pk, Decimal("60.01"))])),
        (WrongMatch, lambda: attempt([Part(invoice.pk, Decimal("0.001"))])),
        (WrongMatch, lambda: attempt([Part(elsewhere.pk, Decimal(50))])),
        (WrongMatch, lambda: attempt([fifty], line=out)),
        (WrongMatch, lambda: attempt([fifty], note="x" * 201)),
        (Overpaid, lambda: attempt([Part(invoice.pk, Decimal(60))])),
        (BankLineUnknown, lambda: attempt([fifty], provider=parties[1])),
        (WrongMatch, lambda: set_aside(provider=parties[0], line_id=line.pk, note=" ", by=BY, now=NOW)),
        (WrongMatch, lambda: set_aside(
            provider=parties[0], line_id=line.pk, note="a", by=BY, now=NOW, amount=Decimal(61))),
        (BankLineUnknown, lambda: unmatch(provider=parties[0], match_id=line.pk, reason="a", by=BY, now=NOW)),
    ]  # fmt: skip
    for expected, call in wrong:
        with pytest.raises(expected), transaction.atomic():
            call()
    assert not BankMatch.objects.exists()
    assert look(out) == BankLineState.OUTGOING
    set_aside(provider=parties[0], line_id=line.pk, note="a", by=BY, now=NOW)
    with pytest.raises(WrongMatch, match="say why"):
        unmatch(provider=parties[0], match_id=BankMatch.objects.get().pk, reason=" ", by=BY, now=NOW)


def test_the_database_holds_what_a_movement_is(parties: Parties) -> None:
    issued(parties, "S-0001")
    line = came(parties, "100.00", "S-0001")
    look(line)
    match = BankMatch.objects.get()
    unmatch(provider=parties[0], match_id=match.pk, reason="wrong", by=BY, now=NOW)
    changes: list[Callable[[], object]] = [
        lambda: BankLine.objects.filter(pk=line.pk).update(amount=1),
        lambda: BankLine.objects.filter(pk=line.pk).update(payer="another"),
        lambda: BankMatch.objects.update(amount=1),
        lambda: BankUnmatch.objects.all().delete(),
        lambda: BankMatch.objects.create(line=line, kind="aside", amount=Decimal("100.01"), rule="x", by=BY, at=NOW),
        lambda: BankMatch.objects.create(line=line, kind="invoice", amount=Decimal(1), rule="x", by=BY, at=NOW),
    ]
    for change in changes:
        with pytest.raises((InternalError, IntegrityError)), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_two_who_match_one_movement_at_once_pay_once() -> None:
    parties = make_parties()
    make_account(parties[0])
    invoice = issued(parties, "S-0001", "150.00")
    line = came(parties, "100.00", "S-0001")

    def attempt(by_hand: bool) -> str:
        try:
            if by_hand:
                match_by_hand(
                    provider=parties[0], line_id=line.pk, parts=[Part(invoice.pk, Decimal(100))], by=BY, now=NOW
                )
            else:
                look(line)
        except WrongMatch:
            return "refused"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(4) as pool:
        assert "done" in list(pool.map(attempt, (True, False, True, False)))
    assert Payment.objects.get().amount == 100
    assert left_of_line(line) == 0


@pytest.mark.django_db(transaction=True)
def test_a_movement_that_is_matched_holds_up_no_other_act_of_its_provider() -> None:
    """It held the provider's own row, which everything that is booked for the provider asks for: both waited."""
    parties = make_parties()
    make_account(parties[0])
    invoice, other = (issued(parties, number) for number in ("S-0001", "S-0002"))
    line = came(parties, "100.00", "S-0001")

    def pay_other() -> str:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
            return record_by_hand(other)
        finally:
            connection.close()

    with transaction.atomic():
        assert match_line(line_id=line.pk, now=NOW) == BankLineState.MATCHED
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(pay_other).result() == InvoiceState.PAID
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID


def record_by_hand(invoice: Invoice) -> str:
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"by hand {invoice.number}",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=NOW,
        now=NOW,
    )
    return str(Invoice.objects.get(pk=invoice.pk).state)
