"""What a posting was booked for: the row behind it, in words and with where it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from billing.credit_books import CAUSE_GRANT, CAUSE_MOVEMENT
from billing.models import (
    BillingPeriod,
    CreditMovement,
    CreditNote,
    Invoice,
    LedgerPosting,
    Payment,
    Refund,
    Term,
    TopUp,
    WriteOff,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The row behind a posting: its own name, the invoice or contract it belongs to, and a word for what it is."""

    words: str | Promise
    name: str = ""
    invoice_id: UUID | None = None
    contract: str = ""


def origins(postings: Iterable[LedgerPosting]) -> dict[UUID, Origin]:
    """Return the origin of each posting by its id: one query per kind of cause; an unknown cause names itself."""
    by_cause: dict[str, list[LedgerPosting]] = {}
    for posting in postings:
        by_cause.setdefault(posting.cause, []).append(posting)
    found: dict[UUID, Origin] = {}
    for cause, group in by_cause.items():
        known = ORIGINS[cause]([one.cause_id for one in group]) if cause in ORIGINS else {}
        for one in group:
            found[one.pk] = known.get(one.cause_id) or Origin(cause.replace("_", " "))
    return found


def _invoices(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = Invoice.objects.filter(pk__in=ids).values_list("pk", "number", "contract__number")
    return {key: Origin(gettext_lazy("Invoice"), number or "", key, contract) for key, number, contract in rows}


def _payments(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = Payment.objects.filter(pk__in=ids).values_list(
        "pk", "reference", "invoice_id", "invoice__number", "invoice__contract__number"
    )
    return {
        key: Origin(gettext_lazy("Payment"), f"{reference} · {number}", invoice_id, contract)
        for key, reference, invoice_id, number, contract in rows
    }


def _grants(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = Term.objects.filter(pk__in=ids).values_list("pk", "ref", "contract__number")
    return {key: Origin(gettext_lazy("Prepaid credit"), ref, None, contract) for key, ref, contract in rows}


def _top_ups(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = TopUp.objects.filter(pk__in=ids).values_list("pk", "term__ref", "term__contract__number")
    return {key: Origin(gettext_lazy("Top-up"), ref, None, contract) for key, ref, contract in rows}


def _movements(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = CreditMovement.objects.filter(pk__in=ids).values_list("pk", "term__ref", "grant", "term__contract__number")
    return {
        key: Origin(gettext_lazy("Prepaid credit"), f"{ref} · {grant}", None, contract)
        for key, ref, grant, contract in rows
    }


def _credit_notes(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = CreditNote.objects.filter(pk__in=ids).values_list(
        "pk", "number", "invoice_id", "invoice__number", "invoice__contract__number"
    )
    return {
        key: Origin(gettext_lazy("Credit note"), f"{number} · {invoice}", invoice_id, contract)
        for key, number, invoice_id, invoice, contract in rows
    }


def _write_offs(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = WriteOff.objects.filter(pk__in=ids).values_list(
        "pk", "invoice_id", "invoice__number", "invoice__contract__number"
    )
    return {
        key: Origin(gettext_lazy("Write-off"), number or "", invoice_id, contract)
        for key, invoice_id, number, contract in rows
    }


def _refunds(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = Refund.objects.filter(pk__in=ids).values_list("pk", "reference", "account__tenant__name")
    return {key: Origin(gettext_lazy("Refund"), " · ".join(filter(None, (name, ref)))) for key, ref, name in rows}


def _of_balances(ids: list[UUID]) -> Mapping[UUID, Origin]:
    """What moved a tenant's balance: a credit note, a refund, unused credit, or the last period of a contract."""
    return {**_credit_notes(ids), **_refunds(ids), **_movements(ids), **_last_periods(ids)}


def _last_periods(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = BillingPeriod.objects.filter(pk__in=ids).values_list("pk", "contract__number")
    return {key: Origin(gettext_lazy("Contract"), contract=number) for key, number in rows}


ORIGINS: Mapping[str, Callable[[list[UUID]], Mapping[UUID, Origin]]] = {
    "invoice": _invoices,
    "payment": _payments,
    "credit_note": _credit_notes,
    "balance": _of_balances,
    "refund": _refunds,
    "write_off": _write_offs,
    "top_up": _top_ups,
    CAUSE_GRANT: _grants,
    CAUSE_MOVEMENT: _movements,
}
"""How each cause finds its rows; a room that posts for another cause adds a line."""
