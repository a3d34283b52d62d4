"""Checkpoints change no balance; the database keeps entries from coming in behind one; a wrong one is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing.bookkeeping.reading import Book, trial_balance
from billing.checkpoints import Sums, sums, take_checkpoint, wrong_checkpoints
from billing.ledger import Entry, balance, post
from billing.models import AccountKind, CheckpointBalance, LedgerCheckpoint, LedgerEntry
from tests.billing.bookkeeping.kept import MAY, PAID_AT, Kept, make_kept
from tests.billing.test_books import forge
from tests.billing.world import APRIL, MARCH
from tests.kept import kept

pytestmark = pytest.mark.django_db

NO_MARGIN = timedelta(seconds=-5)


def later(kept: Kept, key: str, amount: str, at: datetime = MAY) -> None:
    """More money that the provider gave away."""
    post(
        key=key,
        cause="test",
        cause_id=kept.world.tenant.id,
        memo="more",
        at=at,
        entries=(
            Entry(kept.world.provider.id, AccountKind.GRANTED_CREDIT, "USD", Decimal(amount)),
            Entry(kept.world.tenant.id, AccountKind.PREPAID_CREDIT, "USD", -Decimal(amount)),
        ),
    )


def take() -> LedgerCheckpoint | None:
    return take_checkpoint(now=datetime.now(UTC), margin=NO_MARGIN)


kept = kept(make_kept)


def test_balances_are_the_same_with_and_without_checkpoints(kept: Kept) -> None:
    plain = sums()
    book = Book(kept.world.provider)
    instants = [None, MARCH, APRIL, PAID_AT, MAY]
    trials = [trial_balance(book, at=at) for at in instants]
    made = take()
    assert made is not None
    assert made.latest_at == PAID_AT
    assert sums() == plain
    assert [trial_balance(book, at=at) for at in instants] == trials
    later(kept, "more:1", "5.00")
    tenant = kept.world.tenant.id
    assert balance(organization_id=tenant, kind=AccountKind.PREPAID_CREDIT, currency="USD") == Decimal(-35)
    later(kept, "more:2", "7.00", at=MARCH)
    assert take() is not None
    assert balance(organization_id=tenant, kind=AccountKind.PREPAID_CREDIT, currency="USD") == Decimal(-42)
    (march,) = [row for row in trial_balance(book, at=MARCH).rows if row.account.kind == "granted_credit"]
    assert march.sums == Sums(Decimal(7), Decimal(0), 1)
    assert wrong_checkpoints() == (11, [])


def test_a_checkpoint_is_taken_only_where_something_is_new_and_old_enough() -> None:
    assert take() is None
    make_kept()
    assert take_checkpoint(now=datetime.now(UTC)) is None
    assert take() is not None
    assert take() is None
    assert LedgerCheckpoint.objects.count() == 1


def test_an_entry_behind_a_checkpoint_is_refused_by_the_database(kept: Kept) -> None:
    old = LedgerEntry.objects.order_by("pk")[0]
    take()
    with pytest.raises(IntegrityError, match="lies behind a checkpoint"), transaction.atomic():
        LedgerEntry.objects.create(
            pk=old.pk.__class__(int=old.pk.int - 1),
            posting=old.posting,
            account=old.account,
            currency="USD",
            amount=Decimal(1),
        )
    later(kept, "more:1", "5.00")


@pytest.mark.parametrize("table", ["billing_ledgercheckpoint", "billing_checkpointbalance"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_the_database_refuses_to_change_a_checkpoint(table: str, statement: str) -> None:
    make_kept()
    take()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_checkpointbalance SET debit = debit + 0.01",
        "UPDATE billing_ledgerentry SET amount = amount + 0.01 WHERE amount > 0",
        "DELETE FROM billing_checkpointbalance WHERE credit > 0",
    ],
)
def test_a_forged_checkpoint_or_entry_is_found(statement: str) -> None:
    make_kept()
    take()
    forge(statement)
    looked_at, wrong = wrong_checkpoints()
    assert wrong
    assert looked_at == CheckpointBalance.objects.count()
