from __future__ import annotations

import threading
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.ledger import Entry, PostingDiffers, PostingOutOfBalance, balance, balances, post
from billing.models import AccountKind, LedgerAccount, LedgerEntry, LedgerPosting
from tenants.models import Organization
from tests.billing.world import MARCH
from tests.examples import examples
from tests.factories import Cast, make_organization

RECEIVABLE, PAYABLE = AccountKind.TENANT_RECEIVABLE, AccountKind.PROVIDER_PAYABLE
CAUSE_ID = uuid4()


def sides(owner: Organization, amount: str = "10.00", currency: str = "USD") -> list[Entry]:
    return [
        Entry(owner.id, RECEIVABLE, currency, Decimal(amount)),
        Entry(owner.id, PAYABLE, currency, -Decimal(amount)),
    ]


def book(key: str, entries: list[Entry]) -> tuple[LedgerPosting, bool]:
    return post(key=key, cause="invoice", cause_id=CAUSE_ID, memo="sample", at=MARCH, entries=entries)


def test_a_posting_is_booked_once_and_balances_are_sums(cast: Cast) -> None:
    first, made = book("a", sides(cast.tenant))
    again, made_again = book("a", sides(cast.tenant))
    book("b", sides(cast.tenant, "2.50"))
    assert (made, made_again, first.id) == (True, False, again.id)
    assert balance(organization_id=cast.tenant.id, kind=RECEIVABLE, currency="USD") == Decimal("12.50")
    assert balance(organization_id=cast.tenant.id, kind=RECEIVABLE, currency="EUR") == 0
    assert balances(organization_id=cast.tenant.id) == {
        (RECEIVABLE, "USD"): Decimal("12.50"),
        (PAYABLE, "USD"): Decimal("-12.50"),
    }


def test_entries_of_zero_are_left_out(cast: Cast) -> None:
    posting, _ = book("a", [*sides(cast.tenant), Entry(cast.operator.id, AccountKind.TAX_PAYABLE, "USD", Decimal(0))])
    assert posting.entries.count() == 2
    assert not LedgerAccount.objects.filter(organization=cast.operator).exists()


def test_the_same_key_with_other_amounts_is_refused(cast: Cast) -> None:
    book("a", sides(cast.tenant))
    with pytest.raises(PostingDiffers):
        book("a", sides(cast.tenant, "10.01"))


def test_what_does_not_balance_is_refused_before_the_database_would(cast: Cast) -> None:
    receivable, _ = sides(cast.tenant)
    euro = Entry(cast.tenant.id, PAYABLE, "EUR", Decimal(-10))
    for entries in ([receivable], [receivable, euro], [], sides(cast.tenant, "0.00001")):
        with pytest.raises(PostingOutOfBalance):
            book("a", entries)
    assert not LedgerPosting.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_posters_of_one_key_at_once_book_once() -> None:
    owner = make_organization("owner")
    ready = threading.Barrier(4)
    made: list[bool] = []

    def run() -> None:
        ready.wait()
        made.append(book("a", sides(owner))[1])
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    assert balance(organization_id=owner.id, kind=RECEIVABLE, currency="USD") == 10


@transaction.atomic
def book_around(account: LedgerAccount, *amounts: int) -> None:
    """Write a posting around the ledger's own check."""
    posting = LedgerPosting.objects.create(key="b", cause="x", cause_id=CAUSE_ID, memo="", at=MARCH)
    for amount in amounts:
        LedgerEntry.objects.create(posting=posting, account=account, currency="USD", amount=amount)


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_an_unbalanced_posting_at_commit() -> None:
    owner = make_organization("owner")
    book("a", sides(owner))
    account = LedgerAccount.objects.filter(kind=RECEIVABLE).get()
    with pytest.raises(IntegrityError, match="out of balance") as refused:
        book_around(account, 5, -4)
    assert isinstance(refused.value.__cause__, psycopg.errors.CheckViolation)
    with pytest.raises(IntegrityError, match="fewer than two"):
        book_around(account)
    with pytest.raises(IntegrityError, match="out of balance"), transaction.atomic():
        LedgerEntry.objects.create(posting=LedgerPosting.objects.get(), account=account, currency="USD", amount=1)
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize("table", ["billing_ledgerposting", "billing_ledgerentry"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET id = id"])
def test_the_database_refuses_to_change_the_books(cast: Cast, table: str, statement: str) -> None:
    book("a", sides(cast.tenant))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.unmeasured
@pytest.mark.django_db
@settings(max_examples=examples(15), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 10**9)), max_size=8))
def test_any_order_and_repetition_of_postings_gives_one_balance(given_postings: list[tuple[int, int]]) -> None:
    with transaction.atomic():
        owner = Organization.objects.filter(slug="hypothesis").first() or make_organization("hypothesis")
        first = dict(reversed(given_postings))
        for key, _ in [*given_postings, *reversed(given_postings)]:
            book(f"k{key}", sides(owner, str(Decimal(first[key]) / 100)))
        due = sum((Decimal(amount) / 100 for amount in first.values()), Decimal(0))
        assert balance(organization_id=owner.id, kind=RECEIVABLE, currency="USD") == due
        transaction.set_rollback(True)
