"""Reads the books: which book an organization may open, its accounts, trial balance, entries and postings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db.models import Q, Sum

from billing.checkpoints import Sums, sums
from billing.models import LedgerAccount, LedgerEntry, LedgerPosting
from tenants.limits.reader import within_own_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

ENTRIES_MAX: Final = 500
JOURNAL_CHUNK_ROWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Book:
    """A set of postings that balances: one provider's, or (`provider` None) the whole installation's."""

    provider: Organization | None

    @property
    def provider_id(self) -> UUID | None:
        """The provider whose book it is, or None."""
        return self.provider.id if self.provider else None

    @property
    def name(self) -> str:
        """The slug of whose book it is, as file names and documents give it."""
        return self.provider.slug if self.provider else "installation"

    def of_entries(self) -> Q:
        """What chooses the entries of this book."""
        return Q(posting__provider=self.provider) if self.provider else Q()


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in a book and what was booked on it."""

    account: LedgerAccount
    sums: Sums

    @property
    def balance(self) -> Decimal:
        """Debit less credit."""
        return self.sums.balance


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial balance: every account, and both sides per currency, which must be equal."""

    rows: tuple[AccountRow, ...]
    totals: dict[str, Sums]

    @property
    def balances(self) -> bool:
        """Whether debits are credits in every currency."""
        return all(not total.balance for total in self.totals.values())


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """Where a reader of an account is: after this entry."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry of an account and what the account stood at after it."""

    entry: LedgerEntry
    balance: Decimal

    @property
    def place(self) -> EntryPlace:
        """Where a reader goes on after it."""
        return EntryPlace(self.entry.posting.at, self.entry.pk)


@dataclass(frozen=True, slots=True)
class AccountEntries:
    """Entries of an account over `[from, to)`, the oldest first; `opening` is what it stood at before the first."""

    account: LedgerAccount
    opening: Decimal
    rows: tuple[EntryRow, ...]
    closing: Decimal
    """What it stands at after the last row."""
    has_more: bool


def book_of(organization: Organization, wanted: str = "") -> Book | None:
    """Return the book that an organization opens: `provider` its own, `installation` everything (for the operator).

    Without a word it is its own if it is a provider, else everything. None where it may not.
    """
    if wanted != "installation" and organization.is_provider:
        return Book(organization)
    return Book(None) if wanted != "provider" and organization.is_operator else None


def trial_balance(book: Book, *, at: datetime | None = None, currency: str = "") -> Trial:
    """Return the accounts of a book with what was booked on them up to an instant (included); two or three queries."""
    own = () if book.provider_id is None else (book.provider_id,)
    with within_own_of(own, "a provider's book is what was posted for it, on whoever's account"):
        return _trial_balance(book, at, currency)


def _trial_balance(book: Book, at: datetime | None, currency: str) -> Trial:
    booked: dict[UUID, Sums] = {}
    for (account_id, _provider), more in sums(provider_id=book.provider_id, at=at).items():
        booked[account_id] = booked.get(account_id, Sums()) + more
    accounts = LedgerAccount.objects.filter(pk__in=booked).select_related("organization")
    if currency:
        accounts = accounts.filter(currency=currency)
    ordered = accounts.order_by("currency", "kind", "organization__name", "organization_id")
    rows = tuple(AccountRow(account, booked[account.pk]) for account in ordered)
    totals: dict[str, Sums] = {}
    for row in rows:
        totals[row.account.currency] = totals.get(row.account.currency, Sums()) + row.sums
    return Trial(rows, totals)


def account_in(book: Book, account_id: UUID) -> LedgerAccount | None:
    """Return an account that something of the book was booked on, or None."""
    account = LedgerAccount.objects.select_related("organization").filter(pk=account_id).first()
    if account is None or not LedgerEntry.objects.filter(book.of_entries(), account=account).exists():
        return None
    return account


def account_entries(
    book: Book,
    account: LedgerAccount,
    *,
    from_at: datetime,
    to_at: datetime,
    after: EntryPlace | None = None,
    limit: int = ENTRIES_MAX,
) -> AccountEntries:
    """Return entries of an account over `[from_at, to_at)` with the running balance, at most `limit` after a place."""
    entries = LedgerEntry.objects.filter(book.of_entries(), account=account)
    opening = _sum(entries.filter(posting__at__lt=from_at))
    entries = entries.filter(posting__at__gte=from_at, posting__at__lt=to_at)
    if after is not None:
        behind = Q(posting__at__gt=after.at) | Q(posting__at=after.at, pk__gt=after.id)
        opening += _sum(entries.exclude(behind))
        entries = entries.filter(behind)
    wanted = min(limit, ENTRIES_MAX)
    found = list(entries.select_related("posting").order_by("posting__at", "pk")[: wanted + 1])
    rows, balance = [], opening
    for entry in found[:wanted]:
        balance += entry.amount
        rows.append(EntryRow(entry, balance))
    return AccountEntries(account, opening, tuple(rows), balance, len(found) > wanted)


def posting_in(book: Book, posting_id: UUID) -> LedgerPosting | None:
    """Return a posting of the book with its entries, or None."""
    return _postings(book).filter(pk=posting_id).first()


def journal(book: Book, *, from_at: datetime, to_at: datetime) -> Iterator[LedgerPosting]:
    """Yield the postings of `[from_at, to_at)` with their entries, the oldest first, read in chunks."""
    yield from (
        _postings(book)
        .filter(at__gte=from_at, at__lt=to_at)
        .order_by("at", "pk")
        .iterator(chunk_size=JOURNAL_CHUNK_ROWS)
    )


def _postings(book: Book) -> QuerySet[LedgerPosting]:
    found = LedgerPosting.objects.prefetch_related("entries__account__organization")
    return found.filter(provider=book.provider) if book.provider else found


def _sum(entries: QuerySet[LedgerEntry]) -> Decimal:
    total: Decimal | None = entries.aggregate(total=Sum("amount"))["total"]
    return total or Decimal(0)
