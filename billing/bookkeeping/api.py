"""The API of the books: trial balance, accounts, postings and the journal, for providers and the operator."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.bookkeeping.causes import origins
from billing.bookkeeping.files import JOURNAL_HEAD, TRIAL_HEAD, beancount_answer, journal_rows, trial_rows
from billing.bookkeeping.reading import (
    AccountRow,
    Book,
    EntryPlace,
    EntryRow,
    account_entries,
    account_in,
    book_of,
    posting_in,
    trial_balance,
)
from billing.bookkeeping.shapes import (
    BOOK,
    CSV,
    FROM,
    TO,
    AccountEntriesSerializer,
    AccountEntrySerializer,
    BookQuerySerializer,
    PostingSerializer,
    SpanQuerySerializer,
    TrialBalanceSerializer,
)
from billing.csv_files import CsvRenderer, csv_answer
from billing.money import round_to_minor
from tenants.authentication import organization_of
from tenants.listing import cursors
from tenants.listing.answers import PAGE_PARAMETERS, ListView, cursor_errors, list_answer, list_responses, read_page
from tenants.listing.paging import Paged, place_of
from tenants.shaped import valid

if TYPE_CHECKING:
    from decimal import Decimal

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

SCOPES: Final = {"GET": "books:read"}


class BookAccountsView(APIView):
    """Accounts of a book."""

    required_scopes = SCOPES
    renderer_classes = [JSONRenderer, CsvRenderer]

    @extend_schema(
        operation_id="books_accounts_list",
        tags=["books"],
        summary="Read the trial balance",
        parameters=[
            BOOK,
            OpenApiParameter("at", datetime, description="at this instant (included), else now"),
            OpenApiParameter("currency", str, description="ISO 4217; without it every currency"),
            CSV,
        ],
        responses={(200, "application/json"): TrialBalanceSerializer, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Read every account with both sides and its balance; debits are credits in every currency."""
        given = valid(BookQuerySerializer, request.query_params.dict())
        book = _book(request, given)
        trial = trial_balance(book, at=given["at"], currency=given["currency"])
        if _wants_csv(request):
            return csv_answer(f"trial-balance-{book.name}-UTC.csv", TRIAL_HEAD, trial_rows(trial))
        totals = [
            {"currency": currency, "debit": _money(total.debit, currency), "credit": _money(total.credit, currency)}
            for currency, total in sorted(trial.totals.items())
        ]
        return Response(
            {
                "book": book.name,
                "at": given["at"] and instant(given["at"]),
                "balanced": trial.balances,
                "totals": totals,
                "accounts": [_account(row) for row in trial.rows],
            }
        )


class BookEntriesView(ListView):
    """Entries of one account."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="books_entries_list",
        tags=["books"],
        summary="Read an account",
        parameters=[
            BOOK,
            FROM,
            TO,
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(AccountEntriesSerializer),
    )
    def get(self, request: Request, account_id: UUID) -> HttpResponseBase:
        """Read the entries of an account over a span with the balance after each, the oldest first."""
        given = _span(request)
        book = _book(request, given)
        account = account_in(book, account_id)
        if account is None:
            raise Http404
        page = read_page(request)
        found = account_entries(
            book,
            account,
            from_at=given["from_at"],
            to_at=given["to_at"],
            after=_place(page.after) if page.after else None,
            limit=page.limit,
        )
        cursor = write_cursor(found.rows[-1].place) if found.has_more else None
        return list_answer(
            request,
            "entries",
            Paged(list(found.rows), cursor),
            AccountEntrySerializer,
            _entry,
            account_id=str(account.pk),
            currency=account.currency,
            opening=_money(found.opening, account.currency),
            closing=_money(found.closing, account.currency),
            has_more=found.has_more,
        )


class BookPostingView(APIView):
    """One posting."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="books_postings_retrieve",
        tags=["books"],
        summary="Read a posting",
        parameters=[BOOK],
        responses={200: PostingSerializer},
    )
    def get(self, request: Request, posting_id: UUID) -> Response:
        """Read a posting with its entries and what it was booked for."""
        book = _book(request, valid(BookQuerySerializer, request.query_params.dict()))
        posting = posting_in(book, posting_id)
        if posting is None:
            raise Http404
        origin = origins([posting])[posting.pk]
        entries = [
            {
                "id": str(entry.pk),
                "account_id": str(entry.account_id),
                "kind": entry.account.kind,
                "organization": entry.account.organization.slug,
                "currency": entry.currency,
                "amount": _money(entry.amount, entry.currency),
            }
            for entry in posting.entries.all()
        ]
        return Response(
            {
                "id": str(posting.pk),
                "key": posting.key,
                "memo": posting.memo,
                "at": instant(posting.at),
                "cause": posting.cause,
                "cause_id": str(posting.cause_id),
                "invoice_id": origin.invoice_id and str(origin.invoice_id),
                "contract": origin.contract,
                "entries": entries,
            }
        )


class JournalView(APIView):
    """The journal as a CSV file."""

    required_scopes = SCOPES
    renderer_classes = [CsvRenderer, JSONRenderer]

    @extend_schema(
        operation_id="books_journal",
        tags=["books"],
        summary="Export the journal as CSV",
        parameters=[BOOK, FROM, TO],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Export every entry over a span, one row each; the column `amount` sums to zero per currency."""
        given = _span(request)
        book = _book(request, given)
        rows = journal_rows(book, from_at=given["from_at"], to_at=given["to_at"])
        return csv_answer(f"journal-{book.name}-UTC.csv", JOURNAL_HEAD, rows)


class BeancountView(APIView):
    """The journal as a Beancount file."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="books_beancount",
        tags=["books"],
        summary="Export the journal as Beancount",
        parameters=[BOOK, FROM, TO],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Export accounts, opening balances, every posting and closing balances in a double-entry format."""
        given = _span(request)
        return beancount_answer(_book(request, given), from_at=given["from_at"], to_at=given["to_at"])


def write_cursor(place: EntryPlace) -> str:
    """Return a place as an opaque word for an address."""
    return cursors.write_cursor(place_of((place.at, place.id)))


def read_cursor(text: str) -> EntryPlace:
    """Return the place that a cursor stands for. Raises ValidationError for anything else."""
    with cursor_errors():
        return _place(cursors.read_cursor(text))


def _place(found: cursors.Place) -> EntryPlace:
    with cursor_errors():
        try:
            at, key = found
            place = EntryPlace(datetime.fromisoformat(str(at)), UUID(str(key)))
        except ValueError as error:
            raise cursors.WrongCursor from error
        if place.at.tzinfo is None:
            raise cursors.WrongCursor
        return place


def _span(request: Request) -> dict[str, Any]:
    query = request.query_params.dict()
    asked = {**query, **{f"{name}_at": query[name] for name in ("from", "to") if name in query}}
    return valid(SpanQuerySerializer, asked)


def _book(request: Request, given: dict[str, Any]) -> Book:
    book = book_of(organization_of(request), given["book"])
    if book is None:
        raise Http404
    return book


def _account(row: AccountRow) -> dict[str, object]:
    account, currency = row.account, row.account.currency
    return {
        "id": str(account.pk),
        "kind": account.kind,
        "organization_id": str(account.organization_id),
        "organization": account.organization.slug,
        "currency": currency,
        "debit": _money(row.sums.debit, currency),
        "credit": _money(row.sums.credit, currency),
        "balance": _money(row.balance, currency),
        "entries": row.sums.entries,
    }


def _entry(row: EntryRow) -> dict[str, object]:
    entry = row.entry
    return {
        "id": str(entry.pk),
        "posting_id": str(entry.posting_id),
        "key": entry.posting.key,
        "memo": entry.posting.memo,
        "at": instant(entry.posting.at),
        "amount": _money(entry.amount, entry.currency),
        "balance": _money(row.balance, entry.currency),
    }


def _wants_csv(request: Request) -> bool:
    return bool(request.accepted_renderer.format == CsvRenderer.format)


def _money(amount: Decimal, currency: str) -> str:
    """In the currency's minor unit; what is finer (there should be nothing) is shown as it is."""
    rounded = round_to_minor(amount, currency)
    return f"{rounded:f}" if rounded == amount else f"{amount.normalize():f}"
