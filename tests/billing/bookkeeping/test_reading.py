"""Books as people read them: what is in a book, what an account stood at, what was posted for what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from billing.bookkeeping.causes import ORIGINS, Origin, origins
from billing.bookkeeping.reading import (
    Book,
    Trial,
    account_entries,
    account_in,
    book_of,
    journal,
    posting_in,
    trial_balance,
)
from billing.ledger import Entry, post
from billing.models import AccountKind, LedgerAccount, LedgerEntry, LedgerPosting
from tests.billing.bookkeeping.kept import DAY, MAY, PAID_AT, Kept, make_kept
from tests.billing.world import APRIL, MARCH
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db


def standing(trial: Trial) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in trial.rows:
        found[row.account.kind] = found.get(row.account.kind, Decimal(0)) + row.balance
    return found


def receivable(kept: Kept) -> LedgerAccount:
    return LedgerAccount.objects.get(organization=kept.world.tenant, kind=AccountKind.TENANT_RECEIVABLE)


kept = kept(make_kept)


def test_who_opens_which_book() -> None:
    provider = make_organization("house", is_provider=True)
    both = make_organization("both", is_provider=True, is_operator=True)
    tenant = make_organization("guest")
    assert book_of(provider) == Book(provider)
    assert book_of(provider, "installation") is None
    assert (book_of(tenant), book_of(tenant, "provider"), book_of(tenant, "installation")) == (None, None, None)
    assert book_of(both) == book_of(both, "provider") == Book(both)
    assert book_of(both, "installation") == Book(None)
    both.is_provider = False
    assert (book_of(both), book_of(both, "provider")) == (Book(None), None)


def test_a_providers_book_balances_and_names_its_tenants_and_the_fee(kept: Kept) -> None:
    trial = trial_balance(Book(kept.world.provider))
    assert standing(trial) == {
        "bank_clearing": Decimal(730),
        "operator_fee": Decimal("-37.20"),
        "prepaid_credit": Decimal(-30),
        "provider_payable": Decimal("-706.80"),
        "tenant_receivable": Decimal(44),
    }
    assert trial.balances
    (total,) = trial.totals.values()
    assert (total.debit, total.credit, total.entries) == (Decimal(1474), Decimal(1474), 7)


def test_a_trial_balance_is_of_its_instant(kept: Kept) -> None:
    book = Book(kept.world.provider)
    before = standing(trial_balance(book, at=PAID_AT - timedelta(microseconds=1)))
    assert (before["tenant_receivable"], before["bank_clearing"]) == (Decimal(744), Decimal(30))
    assert standing(trial_balance(book, at=PAID_AT))["tenant_receivable"] == Decimal(44)
    assert trial_balance(book, at=MARCH - DAY).rows == ()
    assert trial_balance(book, currency="EUR").rows == ()


def test_a_tenant_of_two_providers_owes_in_two_books(kept: Kept) -> None:
    second = make_organization("second", is_provider=True, is_tenant=False)
    other = make_kept(kept.operator, (second, kept.world.tenant))
    for each in (kept, other):
        assert standing(trial_balance(Book(each.world.provider)))["tenant_receivable"] == Decimal(44)
    everything = trial_balance(Book(None))
    assert everything.balances
    assert standing(everything)["tenant_receivable"] == Decimal(88)
    book = Book(kept.world.provider)
    assert account_in(book, receivable(kept).pk) is not None
    theirs = LedgerAccount.objects.get(organization=second, kind=AccountKind.PROVIDER_PAYABLE)
    assert account_in(book, theirs.pk) is None
    assert posting_in(book, LedgerPosting.objects.filter(provider=second)[0].pk) is None


def test_an_account_is_read_in_pieces_with_its_running_balance(kept: Kept) -> None:
    book, account = Book(kept.world.provider), receivable(kept)
    whole = account_entries(book, account, from_at=MARCH, to_at=MAY)
    assert [row.balance for row in whole.rows] == [Decimal(744), Decimal(44)]
    assert (whole.opening, whole.closing, whole.has_more) == (Decimal(0), Decimal(44), False)
    first = account_entries(book, account, from_at=MARCH, to_at=MAY, limit=1)
    assert (first.closing, first.has_more) == (Decimal(744), True)
    second = account_entries(book, account, from_at=MARCH, to_at=MAY, limit=1, after=first.rows[0].place)
    assert (second.opening, second.rows, second.has_more) == (Decimal(744), whole.rows[1:], False)
    later = account_entries(book, account, from_at=APRIL + DAY, to_at=MAY)
    assert (later.opening, [row.entry.amount for row in later.rows]) == (Decimal(744), [Decimal(-700)])
    none = account_entries(book, account, from_at=MAY, to_at=MAY + DAY)
    assert (none.opening, none.rows, none.closing) == (Decimal(44), (), Decimal(44))


def test_the_journal_is_every_posting_of_its_span_in_order(kept: Kept) -> None:
    book = Book(kept.world.provider)
    found = list(journal(book, from_at=MARCH, to_at=MAY))
    assert [one.cause for one in found] == ["credit_grant", "invoice", "payment"]
    assert [one.cause for one in journal(book, from_at=APRIL + DAY, to_at=MAY)] == ["payment"]
    assert list(journal(book, from_at=MARCH, to_at=PAID_AT))[-1].cause == "invoice"


def test_every_posting_leads_to_what_it_was_booked_for(kept: Kept) -> None:
    named = {one.cause: origins([one])[one.pk] for one in LedgerPosting.objects.all()}
    number, contract = kept.invoice.number, kept.world.contract.number
    assert named["invoice"] == Origin("Invoice", number or "", kept.invoice.id, contract)
    assert named["payment"] == Origin("Payment", f"transfer {number} · {number}", kept.invoice.id, contract)
    assert (named["credit_grant"].contract, named["credit_grant"].invoice_id) == (contract, None)
    strange = LedgerPosting(cause="something_else", cause_id=kept.invoice.id)
    assert origins([strange])[strange.pk] == Origin("something else")
    gone = LedgerPosting(cause="invoice", cause_id=strange.pk)
    assert origins([gone])[gone.pk] == Origin("invoice")
    assert {"invoice", "payment", "credit_grant", "credit_moved"} <= set(ORIGINS)


def test_a_posting_between_accounts_of_a_tenant_stands_where_its_poster_says(kept: Kept) -> None:
    tenant, provider = kept.world.tenant, kept.world.provider
    entries = (
        Entry(tenant.id, AccountKind.PREPAID_CREDIT, "USD", Decimal(1)),
        Entry(tenant.id, AccountKind.TENANT_RECEIVABLE, "USD", Decimal(-1)),
    )
    made, _ = post(
        key="moved:1", cause="test", cause_id=tenant.id, memo="m", at=MAY, entries=entries, provider_id=provider.id
    )
    assert made.provider_id == provider.id
    unplaced, _ = post(key="moved:2", cause="test", cause_id=tenant.id, memo="m", at=MAY, entries=entries)
    assert unplaced.provider_id is None
    book = LedgerEntry.objects.filter(Book(provider).of_entries(), posting__cause="test")
    assert book.aggregate(sum=Sum("amount"))["sum"] == 0
    assert book.count() == 2
