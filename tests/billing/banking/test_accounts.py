"""Accounts that tenants pay to: valid, once, closed and opened again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.banking.accounts import (
    ACCOUNTS_MAX,
    WrongBankAccount,
    account_to_pay,
    close_account,
    open_account,
    printed_number,
)
from billing.models import BankAccount
from tenants.models import AuditEntry, Organization
from tests.billing.banking.statements import BY, IBAN, NOW
from tests.billing.issued import make_parties
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def provider() -> Organization:
    return make_parties()[0]


def note(provider: Organization, number: str = IBAN, **more: str) -> BankAccount:
    given = {"currency": "USD", "holder": "Sample Compute", "bic": "", **more}
    return open_account(provider=provider, number=number, by=BY, now=NOW, **given)[0]


def test_an_account_is_noted_once_and_tenants_pay_to_the_latest(provider: Organization) -> None:
    first = note(provider, "de89 3704 0044 0532 0130 00", bic="cobadeffxxx")
    assert note(provider).pk == first.pk
    assert (first.number, first.bic) == (IBAN, "COBADEFFXXX")
    assert account_to_pay(provider_id=provider.pk, currency="EUR") is None
    other, _ = open_account(
        provider=provider, number="12345678", currency="USD", holder="S", bic="", by=BY, now=NOW + timedelta(days=1)
    )
    assert account_to_pay(provider_id=provider.pk, currency="USD") == other
    close_account(provider=provider, account_id=other.pk, by=BY, now=NOW)
    close_account(provider=provider, account_id=other.pk, by=BY, now=NOW)
    assert account_to_pay(provider_id=provider.pk, currency="USD") == first
    assert note(provider, "12345678").closed_at is None
    assert AuditEntry.objects.filter(action__startswith="bank_account.").count() == 4


@pytest.mark.parametrize(
    ("number", "more"),
    [
        ("DE89370400440532013001", {}),
        ("DE8937", {}),
        ("12!", {}),
        ("", {}),
        (IBAN, {"currency": "QQQ"}),
        (IBAN, {"holder": " "}),
        (IBAN, {"holder": "x" * 141}),
        (IBAN, {"bic": "SHORT"}),
    ],
)
def test_what_cannot_be_an_account_is_refused(provider: Organization, number: str, more: dict[str, str]) -> None:
    with pytest.raises(WrongBankAccount):
        note(provider, number, **more)
    assert not BankAccount.objects.exists()


def test_accounts_have_a_limit_and_an_owner(provider: Organization) -> None:
    for number in range(ACCOUNTS_MAX):
        note(provider, f"ACCT{number}")
    with pytest.raises(WrongBankAccount, match="At most"):
        note(provider)
    with pytest.raises(BankAccount.DoesNotExist):
        close_account(provider=make_parties()[0], account_id=BankAccount.objects.earliest("pk").pk, by=BY, now=NOW)


def test_numbers_as_people_read_them() -> None:
    assert printed_number(IBAN) == "DE89 3704 0044 0532 0130 00"
    assert printed_number("12345678") == "12345678"
