"""Pages of the books, for a provider (its own book) and the operator (the installation's)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ValidationError

from billing.bookkeeping.api import read_cursor, write_cursor
from billing.bookkeeping.causes import origins
from billing.bookkeeping.files import (
    BEFORE,
    ENTRIES_HEAD,
    JOURNAL_HEAD,
    TRIAL_HEAD,
    beancount_answer,
    entry_rows,
    journal_rows,
    trial_rows,
)
from billing.bookkeeping.reading import (
    AccountEntries,
    AccountRow,
    Book,
    EntryPlace,
    Trial,
    account_entries,
    account_in,
    posting_in,
    trial_balance,
)
from billing.bookkeeping.words import account_words
from billing.csv_files import csv_answer
from billing.pages.paper_words import memo_said
from billing.pages.periods import Period, UnreadablePeriod, read_period, with_query
from metering.pages.months import offered_months
from portal.figures import day as day_words
from portal.figures import moment, money, number
from portal.locales import active_locale
from portal.paging import pagination, read_page
from portal.parts import Empty, Pagination, Pill
from portal.shell import Crumb
from tenants.roles import READ_INVOICES
from tenants.scoping import operator_page, provider_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from billing.models import LedgerPosting
    from tenants.models import Organization

ZONE: Final = "UTC"
PAGE_ENTRIES: Final = 100
PAGE_ACCOUNTS: Final = 100
UTC_ZONE: Final = ZoneInfo(ZONE)


def _trial_page(request: HttpRequest, book: Book, side: str) -> HttpResponseBase:
    """Show every account with what it stood at, at the end of a day; all of now without one."""
    locale = active_locale()
    last = _day(request)
    trial = trial_balance(book, at=_end_of(last))
    kept = {"day": last.isoformat()} if last else {}
    page = read_page(request.GET.get("page", ""))
    first = (page - 1) * PAGE_ACCOUNTS
    if page > 1 and first >= len(trial.rows):
        raise Http404
    context = {
        "heading": _heading(side),
        "side": side,
        "day": last.isoformat() if last else "",
        "at": day_words(last, "yMMMd", locale) if last else _("now"),
        "groups": _groups(trial, trial.rows[first : first + PAGE_ACCOUNTS], side, locale),
        "pagination": pagination(request.path, kept, page, len(trial.rows), PAGE_ACCOUNTS),
        "balanced": _balanced(trial),
        "csv_url": with_query(reverse(f"{side}-books-csv"), kept),
        "months": [
            {
                "name": day_words(month, "yMMMM", locale),
                "csv": with_query(reverse(f"{side}-journal-csv"), {"month": f"{month:%Y-%m}"}),
                "beancount": with_query(reverse(f"{side}-journal-beancount"), {"month": f"{month:%Y-%m}"}),
            }
            for month in offered_months(datetime.now(UTC).date(), last)
        ],
        "empty": Empty(
            _("Nothing is booked"),
            _("The first posting is made when an invoice is issued, money comes in, or credit is granted."),
            icon="ledger",
        ),
    }
    return render(request, "billing/books.html", context)


def _account_page(request: HttpRequest, book: Book, side: str, *, account_id: UUID) -> HttpResponseBase:
    """Show the entries of one account over a span of days, with the balance after each."""
    account = account_in(book, account_id)
    if account is None:
        raise Http404
    locale, period = active_locale(), _period(request)
    found = account_entries(
        book,
        account,
        from_at=period.from_at,
        to_at=period.end_at,
        after=_after(request),
        limit=PAGE_ENTRIES,
    )
    title = f"{account_words(account.kind)} · {account.organization.name}"
    context = {
        "title": title,
        "crumbs": [Crumb(_heading(side), reverse(f"{side}-books")), Crumb(title)],
        "account": account,
        "side": side,
        "period": period,
        "from_day": period.first.isoformat(),
        "to_day": period.last.isoformat(),
        "csv_url": with_query(reverse(f"{side}-book-account-csv", args=[account.pk]), period.query),
        "opening": _money(found.opening, account.currency, locale),
        "closing": _money(found.closing, account.currency, locale),
        "rows": _entries(found, side, locale),
        "pagination": _pagination(request, found, period),
        "empty": Empty(
            _("Nothing was booked here in these days"), _("Choose other days to see what was."), icon="ledger"
        ),
    }
    return render(request, "billing/book_account.html", context)


def _account_csv(request: HttpRequest, book: Book, side: str, *, account_id: UUID) -> HttpResponseBase:  # noqa: ARG001  as every page of these
    """Write every entry of one account over the days that the page shows."""
    account = account_in(book, account_id)
    if account is None:
        raise Http404
    period = _period(request)
    name = f"{account.kind}-{account.organization.slug}-{account.currency}-{period.first}-{period.last}-UTC.csv"
    rows = entry_rows(book, account, from_at=period.from_at, to_at=period.end_at)
    return csv_answer(name, ENTRIES_HEAD, rows)


def _posting_page(request: HttpRequest, book: Book, side: str, *, posting_id: UUID) -> HttpResponseBase:
    """Show one posting: its entries, and what it was booked for."""
    posting = posting_in(book, posting_id)
    if posting is None:
        raise Http404
    locale = active_locale()
    origin = origins([posting])[posting.pk]
    memo = memo_said(posting.memo)
    context = {
        "posting": posting,
        "memo": memo,
        "crumbs": [Crumb(_heading(side), reverse(f"{side}-books")), Crumb(memo)],
        "at": moment(posting.at, UTC_ZONE, locale=locale),
        "origin": origin,
        "entries": _sides(posting, side, locale),
    }
    return render(request, "billing/book_posting.html", context)


def _trial_csv(request: HttpRequest, book: Book, side: str) -> HttpResponseBase:  # noqa: ARG001  as every page of these
    """Write the trial balance that the page shows."""
    last = _day(request)
    trial = trial_balance(book, at=_end_of(last))
    return csv_answer(f"trial-balance-{book.name}-{last or 'now'}-UTC.csv", TRIAL_HEAD, trial_rows(trial))


def _journal_csv(request: HttpRequest, book: Book, side: str) -> HttpResponseBase:  # noqa: ARG001  as every page of these
    """Write every entry of some days."""
    period = _period(request)
    rows = journal_rows(book, from_at=period.from_at, to_at=period.end_at)
    return csv_answer(f"journal-{book.name}-{period.first}-{period.last}-UTC.csv", JOURNAL_HEAD, rows)


def _journal_beancount(request: HttpRequest, book: Book, side: str) -> HttpResponseBase:  # noqa: ARG001  as every page of these
    """Write every posting of some days as Beancount."""
    period = _period(request)
    return beancount_answer(book, from_at=period.from_at, to_at=period.end_at)


def _of_provider(page: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    def view(request: HttpRequest, organization: Organization, /, **arguments: Any) -> HttpResponseBase:
        return page(request, Book(organization), "provider", **arguments)

    return require_safe(provider_page(READ_INVOICES)(view))


def _of_operator(page: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    def view(request: HttpRequest, organization: Organization, /, **arguments: Any) -> HttpResponseBase:  # noqa: ARG001  the operator sees every book
        return page(request, Book(None), "operator", **arguments)

    return require_safe(operator_page(READ_INVOICES)(view))


provider_books, operator_books = _of_provider(_trial_page), _of_operator(_trial_page)
provider_account, operator_account = _of_provider(_account_page), _of_operator(_account_page)
provider_account_csv, operator_account_csv = _of_provider(_account_csv), _of_operator(_account_csv)
provider_posting, operator_posting = _of_provider(_posting_page), _of_operator(_posting_page)
provider_books_csv, operator_books_csv = _of_provider(_trial_csv), _of_operator(_trial_csv)
provider_journal_csv, operator_journal_csv = _of_provider(_journal_csv), _of_operator(_journal_csv)
provider_beancount, operator_beancount = _of_provider(_journal_beancount), _of_operator(_journal_beancount)


def _heading(side: str) -> str:
    return _("Books of the installation") if side == "operator" else _("Books")


def _day(request: HttpRequest) -> date | None:
    asked = request.GET.get("day", "")
    try:
        found = date.fromisoformat(asked) if asked else None
    except ValueError as error:
        raise Http404 from error
    if found is not None and not 2000 <= found.year < 3000:
        raise Http404
    return found


def _end_of(last: date | None) -> datetime | None:
    return datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1) - BEFORE if last else None


def _period(request: HttpRequest) -> Period:
    try:
        return read_period(request.GET.dict(), ZONE, datetime.now(UTC))
    except UnreadablePeriod as error:
        raise Http404 from error


def _after(request: HttpRequest) -> EntryPlace | None:
    asked = request.GET.get("after", "")
    try:
        return read_cursor(asked) if asked else None
    except ValidationError as error:
        raise Http404 from error


def _money(amount: Decimal, currency: str, locale: str) -> str:
    return money(amount, currency, locale=locale)


def _balanced(trial: Trial) -> Pill | None:
    if not trial.rows:
        return None
    return Pill(_("Debits equal credits"), "good") if trial.balances else Pill(_("Out of balance"), "bad")


def _groups(trial: Trial, shown: Sequence[AccountRow], side: str, locale: str) -> list[dict[str, Any]]:
    """Accounts of a page by currency, with the two sums that must be equal: of all accounts of the currency."""
    groups = []
    for currency, total in sorted(trial.totals.items()):
        rows = [
            {
                "name": account_words(row.account.kind),
                "owner": row.account.organization.name,
                "url": reverse(f"{side}-book-account", args=[row.account.pk]),
                "debit": _money(row.sums.debit, currency, locale),
                "credit": _money(row.sums.credit, currency, locale),
                "balance": _money(row.balance, currency, locale),
                "entries": number(row.sums.entries),
            }
            for row in shown
            if row.account.currency == currency
        ]
        if not rows:
            continue
        groups.append(
            {
                "currency": currency,
                "rows": rows,
                "debit": _money(total.debit, currency, locale),
                "credit": _money(total.credit, currency, locale),
                "balance": _money(total.balance, currency, locale),
            }
        )
    return groups


def _entries(found: AccountEntries, side: str, locale: str) -> list[dict[str, Any]]:
    currency = found.account.currency
    named = origins({row.entry.posting_id: row.entry.posting for row in found.rows}.values())
    return [
        {
            "at": moment(row.entry.posting.at, UTC_ZONE, locale=locale),
            "memo": memo_said(row.entry.posting.memo),
            "origin": named[row.entry.posting_id],
            "url": reverse(f"{side}-book-posting", args=[row.entry.posting_id]),
            "debit": _money(row.entry.amount, currency, locale) if row.entry.amount > 0 else "",
            "credit": _money(-row.entry.amount, currency, locale) if row.entry.amount < 0 else "",
            "balance": _money(row.balance, currency, locale),
        }
        for row in found.rows
    ]


def _sides(posting: LedgerPosting, side: str, locale: str) -> list[dict[str, Any]]:
    entries = sorted(posting.entries.all(), key=lambda entry: (entry.amount < 0, entry.account.kind, entry.pk))
    return [
        {
            "name": account_words(entry.account.kind),
            "owner": entry.account.organization.name,
            "url": reverse(f"{side}-book-account", args=[entry.account_id]),
            "debit": _money(entry.amount, entry.currency, locale) if entry.amount > 0 else "",
            "credit": _money(-entry.amount, entry.currency, locale) if entry.amount < 0 else "",
        }
        for entry in entries
    ]


def _pagination(request: HttpRequest, found: AccountEntries, period: Period) -> Pagination | None:
    if not found.rows:
        return None
    words = _("%(count)s entries shown") % {"count": number(len(found.rows))}
    first = with_query(request.path, period.query) if request.GET.get("after") else ""
    following = with_query(request.path, period.query, {"after": write_cursor(found.rows[-1].place)})
    return Pagination(words, previous_url=first, next_url=following if found.has_more else "")
