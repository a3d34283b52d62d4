"""Notices of failed charges: one a try, the latest shown, a letter once, nobody told of what is paid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.collecting.letters import notice_letter
from billing.collecting.notices import (
    claim_letters,
    readers_of,
    standing_notices,
    write_notice,
)
from billing.models import CollectionNotice, Invoice, InvoiceState, NoticeKind
from billing.unsent import LEASE, note_sent
from tenants.models import Role
from tests.billing.collected import pay_by_hand
from tests.billing.issued import ISSUED_AT, make_issued
from tests.factories import make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db


def told(invoice: Invoice, kind: NoticeKind = NoticeKind.CARD_DECLINED, attempt: int = 1) -> bool:
    return write_notice(invoice=invoice, kind=kind, attempt=attempt, reason="no funds", now=ISSUED_AT)


invoice = kept(make_issued)


def test_one_notice_a_try_and_the_latest_stands(invoice: Invoice) -> None:
    assert [told(invoice), told(invoice), told(invoice, attempt=2)] == [True, False, True]
    assert told(invoice, NoticeKind.CONSENT_NEEDED, 3)
    CollectionNotice.objects.filter(kind=NoticeKind.CONSENT_NEEDED).update(created_at=ISSUED_AT + timedelta(hours=1))
    (standing,) = standing_notices(invoice.tenant)
    assert standing.kind == NoticeKind.CONSENT_NEEDED
    assert standing_notices(invoice.issuer) == []


def test_of_a_paid_invoice_nobody_is_told(invoice: Invoice) -> None:
    told(invoice)
    pay_by_hand(invoice, "123.45")
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID
    assert standing_notices(invoice.tenant) == []
    assert claim_letters(now=ISSUED_AT, limit=9) == []


def test_a_letter_is_claimed_by_one_and_again_after_its_lease() -> None:
    told(make_issued())
    (claimed,) = claim_letters(now=ISSUED_AT, limit=9)
    assert claim_letters(now=ISSUED_AT, limit=9) == []
    (again,) = claim_letters(now=ISSUED_AT + LEASE, limit=9)
    assert again == claimed
    note_sent(again, now=ISSUED_AT, sent_to=["a@b.example"])
    assert claim_letters(now=ISSUED_AT + 9 * LEASE, limit=9) == []
    kept = CollectionNotice.objects.get()
    assert (kept.sent_at, kept.sent_to, kept.last_error) == (ISSUED_AT, ["a@b.example"], "")


def test_those_who_pay_are_written_to_and_no_others(invoice: Invoice) -> None:
    for name, role in (("bill", Role.BILLING), ("dev", Role.DEVELOPER), ("own", Role.OWNER)):
        make_user(name, invoice.tenant, role)
    people = [email for email in readers_of(invoice.tenant) if email != invoice.tenant.billing_email.lower()]
    assert [email.split("@")[0] for email in people] == ["bill", "own"]
    assert readers_of(invoice.tenant)[0] == invoice.tenant.billing_email.lower()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoticeKind.CONSENT_NEEDED, "Your bank asks you to confirm this payment"),
        (NoticeKind.CARD_DECLINED, "Your card was declined, without a reason."),
        (NoticeKind.CARD_MISSING, "There is no card on file"),
    ],
)
def test_the_letter_says_why_how_much_and_where(kind: NoticeKind, words: str, invoice: Invoice) -> None:
    pay_by_hand(invoice, "23.45")
    told(invoice, kind)
    notice = CollectionNotice.objects.select_related("invoice__issuer").get()
    letter = notice_letter(notice, ["a@b.example"], "https://bills.example")
    assert letter.subject == f"Invoice {invoice.number} needs you"
    assert "over $100.00 is not paid" in letter.body
    assert words in letter.body
    assert f"https://bills.example/t/invoices/{invoice.number}/" in letter.body
    assert "https://bills.example/t/card/" in letter.body
    assert letter.extra_headers["Message-ID"] == f"<collection-{notice.pk}@bills.example>"
