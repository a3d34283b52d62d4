"""What a posting was booked for: the row behind it, in words and with where it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from billing.credit_books import CAUSE_GRANT, CAUSE_MOVEMENT
from billing.models import CreditMovement, Invoice, LedgerPosting, Payment, Term


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


def _movements(ids: list[UUID]) -> Mapping[UUID, Origin]:
    rows = CreditMovement.objects.filter(pk__in=ids).values_list("pk", "term__ref", "grant", "term__contract__number")
    return {
        key: Origin(gettext_lazy("Prepaid credit"), f"{ref} · {grant}", None, contract)
        for key, ref, grant, contract in rows
    }


ORIGINS: Mapping[str, Callable[[list[UUID]], Mapping[UUID, Origin]]] = {
    "invoice": _invoices,
    "payment": _payments,
    CAUSE_GRANT: _grants,
    CAUSE_MOVEMENT: _movements,
}
"""How each cause finds its rows; a room that posts for another cause adds a line."""
