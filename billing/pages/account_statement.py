"""A tenant's statement of account: what it owed, was invoiced, paid and was credited, and owes; and as a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.documents.inputs import Language
from billing.documents.press import chinese_face
from billing.dues import read_dues
from billing.money import round_to_minor
from billing.pages.invoice_words import day_words
from billing.pages.paper_words import memo_said, reader_language
from billing.pages.periods import Period, UnreadablePeriod, read_period, with_query
from billing.statements.account import Account, Party, account_of, parties_of, to_pay
from billing.statements.paper_api import paper_answer
from billing.statements.printing import AccountNotPrintable, print_account
from portal.figures import moment, money, span
from portal.locales import active_locale
from portal.parts import Choice, Empty, Kpi, Pill
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import tenant_page

LINES_SHOWN_MAX = 500
DUE_SHOWN_MAX = 20
CSV_HEAD = ("at_utc", "what", "cause", "reference", "currency", "amount", "balance")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for."""

    period: Period
    parties: list[Party]
    party: Party | None


@require_safe
@tenant_page(READ_INVOICES)
def tenant_statement(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show a tenant's account with one provider over some days."""
    asked = _asked(request, organization)
    locale = active_locale()
    empty = Empty(_("Nothing was booked yet"), _("An account begins with the first invoice."), icon="ledger")
    context: dict[str, object] = {"period": asked.period, "empty": empty, "choices": _choices(request.path, asked)}
    if asked.party is not None:
        account = _account(organization, asked.party, asked.period)
        context |= {
            "party": asked.party,
            "sub": f"{asked.party.provider} · {span(asked.period.first, asked.period.last, locale)}",
            "kpis": _kpis(account, locale),
            "rows": _rows(account, locale),
            "closing": money(account.closing, asked.party.currency, locale=locale),
            "due": _due(organization, asked.party, locale),
            "left_out": max(len(account.lines) - LINES_SHOWN_MAX, 0),
            "pdf_url": with_query(reverse("tenant-statement-pdf"), _query(asked.party), _days(asked.period)),
            "export_url": with_query(reverse("tenant-statement-csv"), _query(asked.party), _days(asked.period)),
        }
    return render(request, "billing/tenant_statement.html", context)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_statement_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write every line of the account that the page shows with the same address, opening and closing with them."""
    asked = _asked(request, organization)
    if asked.party is None:
        raise Http404
    account = _account(organization, asked.party, asked.period)
    name = f"account-{asked.party.slug}-{asked.period.first}-{asked.period.last}-UTC.csv"
    return csv_answer(name, CSV_HEAD, _csv_rows(account))


@require_safe
@tenant_page(READ_INVOICES)
def tenant_statement_pdf(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Print the account that the page shows with the same address, in the reader's language."""
    asked = _asked(request, organization)
    if asked.party is None:
        raise Http404
    try:
        # Without a face that has Chinese letters the paper is in English, rather than none.
        language = reader_language() if chinese_face() else Language.EN
        paper = print_account(organization, _account(organization, asked.party, asked.period), language)
    except AccountNotPrintable:
        messages.error(request, _("The account cannot be printed: ask for fewer days, or save it as CSV."))
        return redirect(with_query(reverse("tenant-statement"), _query(asked.party), _days(asked.period)))
    return paper_answer(request, paper)


def _asked(request: HttpRequest, organization: Organization) -> Asked:
    try:
        period = read_period(request.GET.dict(), "UTC", datetime.now(UTC))
    except UnreadablePeriod as error:
        raise Http404 from error
    parties = parties_of(organization)
    wanted = (request.GET.get("provider", ""), request.GET.get("currency", ""))
    named = [one for one in parties if (one.slug, one.currency) == wanted]
    if any(wanted) and not named:
        raise Http404
    return Asked(period, parties, next(iter(named or parties), None))


def _account(organization: Organization, party: Party, period: Period) -> Account:
    return account_of(organization, party, from_at=period.from_at, to_at=period.end_at)


def _query(party: Party) -> dict[str, str]:
    return {"provider": party.slug, "currency": party.currency}


def _days(period: Period) -> dict[str, str]:
    return {"from": period.first.isoformat(), "to": period.last.isoformat()}


def _choices(path: str, asked: Asked) -> list[Choice]:
    return [
        Choice(
            f"{one.provider} · {one.currency}",
            with_query(path, _query(one), _days(asked.period)),
            current=one == asked.party,
        )
        for one in asked.parties
    ]


def _kpis(account: Account, locale: str) -> list[Kpi]:
    def amount(name: str) -> str:
        return money(getattr(account, name), account.party.currency, locale=locale)

    owed = _("to be paid") if account.closing > 0 else _("in your favour") if account.closing < 0 else ""
    return [
        Kpi(_("Opening balance"), amount("opening")),
        Kpi(_("Invoiced"), amount("charged")),
        Kpi(_("Paid and credited"), amount("settled")),
        Kpi(_("Closing balance"), amount("closing"), foot=owed),
    ]


def _rows(account: Account, locale: str) -> list[dict[str, str]]:
    currency = account.party.currency
    return [
        {
            "at": moment(line.at, UTC, locale=locale),
            "memo": memo_said(line.memo),
            "url": reverse("tenant-invoice", args=[line.invoice]) if line.invoice else "",
            "reference": line.reference,
            "amount": money(line.amount, currency, locale=locale),
            "balance": money(line.balance, currency, locale=locale),
        }
        for line in account.lines[-LINES_SHOWN_MAX:]
    ]


def _due(organization: Organization, party: Party, locale: str) -> list[dict[str, object]]:
    """Return the invoices that are to be paid now, whatever days the page shows."""
    now = datetime.now(UTC)
    rows: list[dict[str, object]] = []
    for invoice in to_pay(organization, party)[:DUE_SHOWN_MAX]:
        assert invoice.due_at is not None, invoice
        rows.append(
            {
                "number": invoice.number,
                "url": reverse("tenant-invoice", args=[invoice.number]),
                "due": day_words(invoice.due_at, invoice.contract.time_zone, locale),
                "pill": Pill(_("Overdue"), "bad") if invoice.due_at <= now else None,
                "left": money(read_dues(invoice).left, invoice.currency, locale=locale),
            }
        )
    return rows


def _csv_rows(account: Account) -> Iterator[tuple[object, ...]]:
    currency = account.party.currency
    opening, closing = (round_to_minor(amount, currency) for amount in (account.opening, account.closing))
    yield (account.from_at.isoformat(), "opening", None, None, currency, None, opening)
    for line in account.lines:
        amount, balance = (round_to_minor(value, currency) for value in (line.amount, line.balance))
        yield (line.at.isoformat(), line.memo, line.cause, line.reference, currency, amount, balance)
    yield (account.to_at.isoformat(), "closing", None, None, currency, None, closing)
