"""The journal as files: CSV with one row per entry, and Beancount."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.http import StreamingHttpResponse

from billing.bookkeeping.beancount import Side, Transaction, write_file
from billing.bookkeeping.reading import Book, Trial, account_entries, journal, trial_balance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.models import LedgerAccount, LedgerEntry, LedgerPosting

JOURNAL_HEAD: Final = (
    "at_utc",
    "posting_id",
    "key",
    "cause",
    "cause_id",
    "memo",
    "account_id",
    "account",
    "organization",
    "currency",
    "debit",
    "credit",
    "amount",
)
ENTRIES_HEAD: Final = ("at_utc", "posting_id", "cause", "cause_id", "memo", "debit", "credit", "balance")
TRIAL_HEAD: Final = ("account_id", "account", "organization", "currency", "debit", "credit", "balance", "entries")
BEFORE: Final = timedelta(microseconds=1)


def journal_rows(book: Book, *, from_at: datetime, to_at: datetime) -> Iterator[tuple[object, ...]]:
    """Yield every entry of `[from_at, to_at)`, the oldest posting first; the column `amount` sums to zero."""
    for posting in journal(book, from_at=from_at, to_at=to_at):
        for entry in _ordered(posting):
            owner = entry.account.organization.slug
            debit, credit = (entry.amount, None) if entry.amount > 0 else (None, -entry.amount)
            yield (
                posting.at.astimezone(UTC).isoformat(),
                posting.pk,
                posting.key,
                posting.cause,
                posting.cause_id,
                posting.memo,
                entry.account_id,
                entry.account.kind,
                owner,
                entry.currency,
                debit,
                credit,
                entry.amount,
            )


def entry_rows(
    book: Book, account: LedgerAccount, *, from_at: datetime, to_at: datetime
) -> Iterator[tuple[object, ...]]:
    """Yield every entry of an account of `[from_at, to_at)`, the oldest first, with the balance after each."""
    after = None
    while True:
        found = account_entries(book, account, from_at=from_at, to_at=to_at, after=after)
        for row in found.rows:
            posting, amount = row.entry.posting, row.entry.amount
            debit, credit = (amount, None) if amount > 0 else (None, -amount)
            at = posting.at.astimezone(UTC).isoformat()
            yield (at, posting.pk, posting.cause, posting.cause_id, posting.memo, debit, credit, row.balance)
        if not found.has_more:
            return
        after = found.rows[-1].place


def trial_rows(trial: Trial) -> Iterator[tuple[object, ...]]:
    """Yield every account of a trial balance."""
    for row in trial.rows:
        account, sums = row.account, row.sums
        yield (
            account.pk,
            account.kind,
            account.organization.slug,
            account.currency,
            sums.debit,
            sums.credit,
            row.balance,
            sums.entries,
        )


def beancount_file(book: Book, *, from_at: datetime, to_at: datetime) -> Iterator[str]:
    """Yield the journal of `[from_at, to_at)` with what stood before and what must stand after it.

    Days are those of UTC, so a span that begins or ends within a day is asserted where the day ends.
    """
    first, last = from_at.astimezone(UTC).date(), (to_at - BEFORE).astimezone(UTC).date()
    return write_file(
        f"Forecourt, {book.name}",
        (_transaction(posting) for posting in journal(book, from_at=from_at, to_at=to_at)),
        first=first,
        opening=_standing(trial_balance(book, at=from_at - BEFORE), zero=False),
        closing=_standing(trial_balance(book, at=to_at - BEFORE), zero=True),
        after=last + timedelta(days=1),
    )


def beancount_answer(book: Book, *, from_at: datetime, to_at: datetime) -> StreamingHttpResponse:
    """Return the file to save; nothing of it is kept in memory."""
    name = f"books-{book.name}-{from_at:%Y%m%d}-{to_at:%Y%m%d}-UTC.beancount"
    return StreamingHttpResponse(
        beancount_file(book, from_at=from_at, to_at=to_at),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _standing(trial: Trial, *, zero: bool) -> list[Side]:
    """What accounts stand at; accounts at 0 too where that is to be asserted."""
    return [
        Side(row.account.kind, row.account.organization.slug, row.account.currency, row.balance)
        for row in trial.rows
        if row.balance or zero
    ]


def _transaction(posting: LedgerPosting) -> Transaction:
    at = posting.at.astimezone(UTC)
    sides = [
        Side(entry.account.kind, entry.account.organization.slug, entry.currency, entry.amount)
        for entry in _ordered(posting)
    ]
    return Transaction(at.date(), at.isoformat(), posting.key, posting.memo, sides)


def _ordered(posting: LedgerPosting) -> list[LedgerEntry]:
    """Debits first, then credits, each by kind of account."""
    return sorted(posting.entries.all(), key=lambda entry: (entry.amount < 0, entry.account.kind, entry.pk))
