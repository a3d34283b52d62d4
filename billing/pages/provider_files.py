"""A provider's lists as files: each has the rows of its page, read by the same query, with exact figures in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.db.models import Prefetch
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from billing.banking.lists import lines_found, shown_of
from billing.corrections.reading import ROWS_MAX, balances_of, credit_notes_of, disputes_of, refunds_of, stands_at
from billing.csv_files import csv_answer
from billing.dues import read_dues, with_dues
from billing.models import BankMatch, DunningCase, DunningStep, Invoice
from billing.money import to_charge
from billing.pages.bank import SEARCH_CHARACTERS_MAX
from billing.pages.dunning import CASES_SHOWN
from billing.queries.agreements import contracts_of
from billing.queries.draft_detail import DraftState, draft_entries
from billing.queries.lease_list import lease_rows
from billing.queries.revenue import due_rows
from billing.rating.wording import plain
from billing.statements.payouts import payouts_of
from billing.statements.reading import statements_of
from tenants.roles import READ_CONTRACTS, READ_FLEET, READ_INVOICES
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenants.models import Organization

BANK_ROWS_AT_ONCE: Final = 500
DRAFTS_MAX: Final = 5000
"""The page shows them a part at a time, the file all that are open, up to so many."""
Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ListFile:
    """One list: the name of its address and file, who may read it, its head, and its rows."""

    name: str
    permission: str
    head: Sequence[str]
    rows: Callable[[HttpRequest, Organization, datetime], Iterable[Row]]


def _at(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None


def _contracts(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    for one in contracts_of(organization):
        kinds = dict.fromkeys(term.kind for term in one.terms.all() if term.stretches())
        yield (
            one.number, one.tenant.name, one.provider.name, one.state, one.currency, one.time_zone, _at(one.from_at),
            _at(one.to_at), one.version, one.price_book.name if one.price_book else "", " ".join(kinds),
        )  # fmt: skip


def _leases(_request: HttpRequest, organization: Organization, now: datetime) -> Iterable[Row]:
    for one in lease_rows(organization, now, party="provider"):
        yield (
            one.ref, one.title, one.contract, one.tenant, one.state, one.accelerator_model, one.slices,
            one.share_permille, one.currency,
            None if one.price_per_gpu_hour is None else plain(one.price_per_gpu_hour), _at(one.from_at), _at(one.to_at),
            one.renews, one.gpu_ms_held, plain(one.charged),
        )  # fmt: skip


def _disputes(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    for one in disputes_of(organization).filter(issuer=organization)[:ROWS_MAX]:
        yield (
            one.invoice.number, one.line.description if one.line else "", one.tenant.name, one.state, one.opened_by,
            _at(one.opened_at), one.resolved_by, _at(one.resolved_at),
            one.credit_note.number if one.credit_note else "",
        )  # fmt: skip


def _credit_notes(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    for one in credit_notes_of(organization):
        if one.issuer_id == organization.pk:
            yield (
                one.number, one.invoice.number, one.tenant.name, one.reason, _at(one.issued_at), one.currency,
                one.subtotal, one.tax, one.total, one.applied, one.note,
            )  # fmt: skip


def _balances(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    for one in balances_of(organization).filter(issuer=organization):
        yield one.tenant.name, one.currency, stands_at(one)


def _refunds(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    for one in refunds_of(organization).filter(account__issuer=organization)[:ROWS_MAX]:
        yield (
            one.account.tenant.name, one.account.currency, one.amount, one.method, one.state, one.reason,
            one.requested_by, _at(one.requested_at), one.reference, _at(one.finished_at),
        )  # fmt: skip


def payout_rows(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    """Yield the payouts that an organization sees, as a file has them: a provider its own, the operator all."""
    for one in payouts_of(organization):
        yield (
            one.number, one.provider.name, one.currency, one.amount, one.method, one.state, one.reference,
            one.statement.number if one.statement else "", _at(one.created_at), _at(one.settled_at),
        )  # fmt: skip


def _statements(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    for one in statements_of(organization):
        yield (
            one.number, f"{one.month:%Y-%m}", one.currency, one.opening, one.earned, one.tax, one.deposit, one.received,
            one.moved, one.paid_out, one.closing, _at(one.made_at), one.sha256,
        )  # fmt: skip


def _drafts(request: HttpRequest, organization: Organization, now: datetime) -> Iterable[Row]:
    wanted = request.GET.get("state", "")
    state = DraftState(wanted) if wanted in set(DraftState) else None
    for one in draft_entries(organization, now, as_provider=True, state=state, limit=DRAFTS_MAX):
        yield (
            one.contract, one.tenant, one.currency, _at(one.from_at), _at(one.to_at), one.state, plain(one.amount),
            one.previous_number, None if one.previous_amount is None else plain(one.previous_amount),
        )  # fmt: skip


def _dunning(_request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    cases = DunningCase.objects.filter(invoice__issuer=organization, is_open=True).select_related("invoice__tenant")
    found = list(cases.order_by("invoice__due_at", "pk")[:CASES_SHOWN])
    left = {one.pk: read_dues(one).left for one in with_dues(Invoice.objects.filter(pk__in=[c.pk for c in found]))}
    taken = DunningStep.objects.filter(invoice__in=[case.pk for case in found]).order_by("invoice_id", "-at", "-pk")
    last = {step.invoice_id: step for step in taken.distinct("invoice_id")}
    for case in found:
        step = last.get(case.pk)
        yield (
            case.invoice.number, case.invoice.tenant.name, _at(case.invoice.due_at), case.invoice.currency,
            left[case.pk], step.action if step else "", _at(step.at) if step else None, case.waits_for,
            _at(case.next_at),
        )  # fmt: skip


def _bank(request: HttpRequest, organization: Organization, _now: datetime) -> Iterable[Row]:
    search = request.GET.get("q", "").strip()[:SEARCH_CHARACTERS_MAX]
    found = lines_found(organization, shown=shown_of(request.GET.get("show", "")), search=search)
    matches = BankMatch.objects.filter(unmatch__isnull=True).select_related("invoice").order_by("at", "pk")
    for one in found.prefetch_related(Prefetch("matches", matches)).iterator(chunk_size=BANK_ROWS_AT_ONCE):
        paid = [match.invoice.number for match in one.matches.all() if match.invoice and match.invoice.number]
        yield (
            one.booked_on, one.account.number, one.payer, one.payer_account, one.structured, one.text, one.currency,
            one.amount, getattr(one, "left_amount"), one.state, " ".join(paid), one.reference,  # noqa: B009  annotated
        )  # fmt: skip


def _revenue(_request: HttpRequest, organization: Organization, now: datetime) -> Iterable[Row]:
    for one in due_rows(organization, now):
        if one.contract.provider_id == organization.pk:
            statement = one.due.statement
            yield (
                one.contract.number, one.due.term.ref, one.contract.tenant.name, _at(one.due.period.from_at),
                _at(one.due.period.to_at), one.state, one.contract.currency, plain(to_charge(one.check.metered)),
                statement.net_revenue_amount if statement else None, _at(one.due.due_at),
                statement.certified_by if statement else "",
            )  # fmt: skip


PAYOUT_HEAD: Final = (
    "number", "provider", "currency", "amount", "method", "state", "reference", "statement", "made_utc", "settled_utc",
)  # fmt: skip
LISTS: Final = (
    ListFile(
        "bank", READ_INVOICES,
        ("booked_on", "account", "payer", "payer_account", "reference_given", "text", "currency", "amount",
         "unmatched", "state", "invoices", "bank_reference"),
        _bank,
    ),
    ListFile(
        "contracts", READ_CONTRACTS,
        ("contract", "tenant", "provider", "state", "currency", "time_zone", "from_utc", "to_utc", "version",
         "price_book", "terms"),
        _contracts,
    ),
    ListFile(
        "leases", READ_FLEET,
        ("lease", "title", "contract", "tenant", "state", "accelerator", "slices", "share_permille", "currency",
         "price_per_gpu_hour", "from_utc", "to_utc", "renews", "gpu_ms_held", "charged"),
        _leases,
    ),
    ListFile(
        "disputes", READ_INVOICES,
        ("invoice", "line", "tenant", "state", "opened_by", "opened_utc", "resolved_by", "resolved_utc",
         "credit_note"),
        _disputes,
    ),
    ListFile(
        "credit-notes", READ_INVOICES,
        ("number", "invoice", "tenant", "reason", "issued_utc", "currency", "subtotal", "tax", "total", "applied",
         "note"),
        _credit_notes,
    ),
    ListFile("balances", READ_INVOICES, ("tenant", "currency", "balance"), _balances),
    ListFile(
        "refunds", READ_INVOICES,
        ("tenant", "currency", "amount", "method", "state", "reason", "requested_by", "requested_utc", "reference",
         "finished_utc"),
        _refunds,
    ),
    ListFile(
        "payouts", READ_INVOICES,
        PAYOUT_HEAD,
        payout_rows,
    ),
    ListFile(
        "statements", READ_INVOICES,
        ("number", "month", "currency", "opening", "earned", "tax", "deposit", "received", "moved", "paid_out",
         "closing", "made_utc", "sha256"),
        _statements,
    ),
    ListFile(
        "drafts", READ_INVOICES,
        ("contract", "tenant", "currency", "from_utc", "to_utc", "state", "amount", "previous_invoice",
         "previous_amount"),
        _drafts,
    ),
    ListFile(
        "dunning", READ_INVOICES,
        ("invoice", "tenant", "due_utc", "currency", "left", "last_step", "last_step_utc", "waits_for", "next_utc"),
        _dunning,
    ),
    ListFile(
        "revenue", READ_INVOICES,
        ("contract", "share", "tenant", "from_utc", "to_utc", "state", "currency", "metered_at_list_price",
         "certified", "due_utc", "certified_by"),
        _revenue,
    ),
)  # fmt: skip


def address(one: ListFile) -> URLPattern:
    """Return the address of a list's file: `/p/contracts.csv`, named `provider-contracts-csv`."""

    @require_safe
    @provider_page(one.permission)
    def view(request: HttpRequest, organization: Organization) -> HttpResponseBase:
        rows = one.rows(request, organization, datetime.now(UTC))
        return csv_answer(f"{one.name}-{organization.slug}.csv", one.head, rows)

    return path(f"{one.name}.csv", view, name=f"provider-{one.name}-csv")


FILES: Final = [address(one) for one in LISTS]
