"""The letter of a failed charge: its figures in every currency, its day, its addresses, and that it is one letter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import translation

from billing.collecting.letters import notice_letter, why
from billing.collecting.notices import claim_letters, readers_of, write_notice
from billing.models import CollectionNotice, Contract, Invoice, NoticeKind
from billing.payments import PaymentMethod, record_payment
from tenants.models import BillingProfile, Membership, Role
from tests.billing.chinese import english_in
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

pytestmark = pytest.mark.django_db
PORTAL = "https://bills.example"
SECOND = timedelta(seconds=1)


def noticed(
    invoice: Invoice, attempt: int = 1, kind: NoticeKind = NoticeKind.CARD_DECLINED, code: str = ""
) -> CollectionNotice:
    write_notice(invoice=invoice, kind=kind, attempt=attempt, reason="no funds", now=ISSUED_AT, decline_code=code)
    return CollectionNotice.objects.select_related("invoice__issuer").get(attempt=attempt)


def letter_of(invoice: Invoice, attempt: int = 1) -> EmailMessage:
    return notice_letter(noticed(invoice, attempt), ["a@b.example"], PORTAL)


def paid(invoice: Invoice, amount: str) -> Invoice:
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"sample {amount}",
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=ISSUED_AT,
        now=ISSUED_AT,
    )
    return Invoice.objects.get(pk=invoice.pk)


invoice = kept(make_issued)


@pytest.mark.parametrize(
    ("currency", "amount", "part", "shown"),
    [
        ("USD", "1234.50", "0.01", "$1,234.49"),
        ("EUR", "1234.50", "", "€1,234.50"),
        ("JPY", "1234", "4", "JP¥1,230"),
        ("KWD", "1234.567", "0.001", "KWD 1,234.566"),
    ],
)
def test_what_is_left_is_asked_for_in_the_minor_unit_of_its_currency(
    currency: str, amount: str, part: str, shown: str
) -> None:
    invoice = make_issued((Line(amount),), currency=currency)
    if part:
        paid(invoice, part)
    body = letter_of(Invoice.objects.get(pk=invoice.pk)).body.replace("\N{NO-BREAK SPACE}", " ")
    assert f"over {shown} is not paid" in body


def test_when_it_is_due_is_said_by_the_clock_of_the_contract_as_on_its_page() -> None:
    invoice = make_issued(issued_at=datetime(2026, 4, 3, 23, 30, tzinfo=UTC))
    assert "It is due on 17 Apr 2026 23:30 UTC." in letter_of(invoice).body
    Contract.objects.update(time_zone="Asia/Shanghai")
    assert "It is due on 18 Apr 2026 07:30 CST." in letter_of(Invoice.objects.get()).body


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_it_is_in_the_language_of_letters_whatever_the_worker_speaks(language: str, invoice: Invoice) -> None:
    with translation.override(language):
        letter = letter_of(invoice)
        assert translation.get_language() == language
    assert letter.subject == f"Invoice {invoice.number} needs you"
    assert "Your card was declined, without a reason." in letter.body


def test_sent_again_it_is_the_same_letter_and_the_next_try_is_another(invoice: Invoice) -> None:
    first, again, second = letter_of(invoice), letter_of(invoice), letter_of(invoice, attempt=2)
    assert first.extra_headers == again.extra_headers
    assert first.body == again.body
    assert first.extra_headers["Message-ID"] != second.extra_headers["Message-ID"]
    assert first.extra_headers["Message-ID"].endswith("@bills.example>")
    assert first.extra_headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_of_notice_has_a_sentence(kind: NoticeKind) -> None:
    assert why(CollectionNotice(kind=kind)).endswith(".")
    assert len({why(CollectionNotice(kind=each)) for each in NoticeKind}) == len(NoticeKind)


def test_a_kind_that_does_not_exist_has_none() -> None:
    with pytest.raises(ValueError, match="rain"):
        why(CollectionNotice(kind="rain"))


def test_the_letter_says_what_the_bank_declined_for(invoice: Invoice) -> None:
    letter = notice_letter(noticed(invoice, code="expired_card"), ["a@b.example"], PORTAL)
    assert "Your card was declined: it has expired." in letter.body


@pytest.mark.parametrize(("after", "count"), [(-SECOND, 0), (0 * SECOND, 1), (SECOND, 1)])
def test_a_letter_is_due_at_its_instant(after: timedelta, count: int) -> None:
    noticed(make_issued())
    assert len(claim_letters(now=ISSUED_AT + after, limit=9)) == count


def test_letters_are_claimed_the_oldest_first_and_a_few_at_a_time() -> None:
    made = [noticed(make_issued(), attempt=place) for place in (1, 2, 3)]
    for place, one in enumerate(made):
        CollectionNotice.objects.filter(pk=one.pk).update(due_at=ISSUED_AT - place * SECOND)
    found = claim_letters(now=ISSUED_AT, limit=2)
    assert [one.pk for one in found] == [made[2].pk, made[1].pk]


def test_a_long_reason_is_cut_off_to_what_is_kept(invoice: Invoice) -> None:
    write_notice(invoice=invoice, kind=NoticeKind.CARD_DECLINED, attempt=1, reason="r" * 900, now=ISSUED_AT)
    assert CollectionNotice.objects.get().reason == "r" * 500


@pytest.mark.parametrize("role", list(Role))
def test_letters_go_to_owners_admins_and_those_who_pay(role: Role) -> None:
    tenant = make_issued().tenant
    person = make_user("Some.One@Example.com", tenant, role)
    reads = role in {Role.OWNER, Role.ADMIN, Role.BILLING}
    assert (person.email.lower() in readers_of(tenant)) == reads


def test_nobody_is_written_to_twice_or_after_leaving() -> None:
    tenant = make_issued().tenant
    tenant.billing_email = "BILLS@example.com"
    person = make_user("bills@example.com", tenant, Role.BILLING)
    gone = make_user("gone@example.com", tenant, Role.OWNER)
    gone.is_active = False
    gone.save(update_fields=["is_active"])
    assert readers_of(tenant) == ["bills@example.com"]
    tenant.billing_email = ""
    Membership.objects.filter(user=person).delete()
    assert readers_of(tenant) == []


def test_an_organization_that_stands_on_bills_in_chinese_is_written_to_in_chinese(invoice: Invoice) -> None:
    BillingProfile.objects.create(
        organization=invoice.tenant, version=99, legal_name="Sample", country="CN", email="b@example.com",
        language="zh-hans", created_at=ISSUED_AT, created_by="tests",
    )  # fmt: skip
    letter = letter_of(invoice)
    assert english_in(letter, invoice.issuer.name) == []
    assert str(invoice.number) in letter.subject
