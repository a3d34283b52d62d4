"""What of money is told to programs outside: bodies of events, and the sweep of what time alone brings.

Each function is called in the transaction in which the thing happens (`tenants.hooks.emitting`). Bodies hold what a
program needs to decide whether to ask further; the API has the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from billing.api_words import money
from billing.dues import dues_of
from billing.models import Invoice, InvoiceState, Term
from billing.rating.rated import TermKind
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.emitting import emit_to, listeners
from tenants.instants import instant_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from billing.models import (
        Amendment,
        Contract,
        CreditNote,
        Payment,
        PaymentReversal,
        Payout,
        PriceNotice,
        ProviderStatement,
        TermFact,
    )

OVERDUE_KEPT: Final = timedelta(days=7)
"""An invoice that was overdue for longer when somebody began to listen is not told any more."""
OVERDUE_MAX: Final = 500
ACCEPTED: Final = "contract.accepted"
TOLD_OF_TERMS: Final = {
    "amendment.offered": "contract.offered",
    "amendment.accepted": ACCEPTED,
    "amendment.declined": "contract.declined",
}
"""What of an amendment's life both parties are told of, by what the audit log calls it."""
LEASE_ENDING: Final = "lease.ending"
LEASE_ENDED: Final = "lease.ended"
LEASE_ENDS_WITHIN: Final = timedelta(days=7)
LEASES_MAX: Final = 500


def tell_invoice(invoice: Invoice, kind: str, *, at: datetime, occasion: str = "") -> None:
    """Tell both parties of what became of an invoice."""
    body = {
        "id": str(invoice.pk),
        "number": invoice.number,
        "currency": invoice.currency,
        "total": money(invoice.total, invoice.currency),
        "issuer_id": str(invoice.issuer_id),
        "tenant_id": str(invoice.tenant_id),
        "issued_at": instant_text(invoice.issued_at),
        "due_at": instant_text(invoice.due_at),
    }
    _tell((invoice.issuer_id, invoice.tenant_id), kind, invoice.pk, at=at, body=body, occasion=occasion)


def tell_issued(invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Tell the parties of invoices that they were issued, and of those of nothing that they are paid; one query where
    nobody listens."""
    parties = {party for invoice in invoices for party in (invoice.issuer_id, invoice.tenant_id)}
    listening = WebhookEndpoint.objects.filter(
        organization_id__in=parties, disabled_at__isnull=True, removed_at__isnull=True
    )
    heard = set(listening.values_list("organization_id", flat=True))
    for invoice in invoices:
        if heard & {invoice.issuer_id, invoice.tenant_id}:
            tell_invoice(invoice, "invoice.issued", at=at)
            if invoice.state == InvoiceState.PAID:
                tell_invoice(invoice, "invoice.paid", at=at, occasion=at.isoformat())


def tell_payment(invoice: Invoice, payment: Payment) -> None:
    """Tell both parties that money came in for an invoice."""
    body = {
        "id": str(payment.pk),
        "invoice_id": str(invoice.pk),
        "invoice": invoice.number,
        "currency": payment.currency,
        "amount": money(payment.amount, payment.currency),
        "method": str(payment.method),
        "received_at": instant_text(payment.received_at),
    }
    _tell((invoice.issuer_id, invoice.tenant_id), "payment.received", payment.pk, at=payment.received_at, body=body)


def tell_failed_payment(invoice: Invoice, *, why: str, attempt: int, at: datetime) -> None:
    """Tell both parties that what is left of an invoice could not be charged, once a try; `why` is the kind of the
    tenant's notice."""
    body = {
        "id": str(invoice.pk),
        "invoice_id": str(invoice.pk),
        "invoice": invoice.number,
        "top_up_id": None,
        "contract_id": str(invoice.contract_id),
        "contract": invoice.contract.number,
        "currency": invoice.currency,
        "amount": money(dues_of(invoice).left, invoice.currency),
        "why": why,
    }
    occasion = f"{attempt}:{why}"
    _tell((invoice.issuer_id, invoice.tenant_id), "payment.failed", invoice.pk, at=at, body=body, occasion=occasion)


def tell_reversal(invoice: Invoice, reversal: PaymentReversal) -> None:
    """Tell both parties that of a payment something was taken back."""
    body = {
        "id": str(reversal.pk),
        "payment_id": str(reversal.payment_id),
        "invoice_id": str(invoice.pk),
        "invoice": invoice.number,
        "top_up_id": None,
        "contract_id": str(invoice.contract_id),
        "contract": invoice.contract.number,
        "currency": invoice.currency,
        "amount": money(reversal.amount, invoice.currency),
        "reason": reversal.reason,
    }
    parties = (invoice.issuer_id, invoice.tenant_id)
    _tell(parties, "payment.reversed", reversal.pk, at=reversal.reversed_at, body=body)


def tell_credit_note(made: CreditNote, *, at: datetime) -> None:
    """Tell both parties that a credit note was issued."""
    body = {
        "id": str(made.pk),
        "number": made.number,
        "invoice_id": str(made.invoice_id),
        "invoice": made.invoice.number,
        "currency": made.currency,
        "total": money(made.total, made.currency),
        "reason": str(made.reason),
    }
    _tell((made.issuer_id, made.tenant_id), "credit_note.issued", made.pk, at=at, body=body)


def tell_statement(made: ProviderStatement, *, at: datetime) -> None:
    """Tell a provider that its statement is frozen."""
    body = {
        "id": str(made.pk),
        "number": made.number,
        "month": f"{made.month:%Y-%m}",
        "currency": made.currency,
        "closing": money(made.closing, made.currency),
    }
    _tell((made.provider_id,), "statement.ready", made.pk, at=at, body=body)


def tell_payout(payout: Payout, kind: str, *, at: datetime, occasion: str = "") -> None:
    """Tell a provider that a payout was created, arrived, failed or came back."""
    body = {
        "id": str(payout.pk),
        "number": payout.number,
        "currency": payout.currency,
        "amount": money(payout.amount, payout.currency),
        "method": str(payout.method),
        "state": str(payout.state),
        "reference": payout.reference,
        "reason": payout.last_error,
    }
    _tell((payout.provider_id,), kind, payout.pk, at=at, body=body, occasion=occasion)


def tell_amendment(amendment: Amendment, kind: str, *, at: datetime, occasion: str = "") -> None:
    """Tell both parties that terms were offered, agreed on or declined."""
    contract: Contract = amendment.contract
    body = {
        "id": str(amendment.pk),
        "amendment": amendment.number,
        "contract_id": str(contract.pk),
        "contract": contract.number,
        "state": str(amendment.state),
        "effective_at": instant_text(amendment.effective_at),
        "answer_by": instant_text(amendment.expires_at),
    }
    _tell(
        (contract.provider_id, contract.tenant_id),
        kind,
        amendment.pk,
        at=at,
        body=body,
        occasion=occasion,
    )


def tell_audit(stated: TermFact, kind: str, *, at: datetime, settled_by: str | None = None) -> None:
    """Tell both parties what an audit of a share found, that it was disputed, or that it is settled and bills."""
    contract, said = stated.term.contract, stated.document
    body = {
        "id": str(stated.pk),
        "audit": said["audit"],
        "contract_id": str(contract.pk),
        "contract": contract.number,
        "term": stated.term.ref,
        "currency": contract.currency,
        "period_from": said["from_at"],
        "period_to": said["to_at"],
        "reported_share_amount": said["reported_share_amount"],
        "found_share_amount": said["found_share_amount"],
        "cost_amount": said["cost_amount"],
        "answer_by": instant_text(None if said["answer_by"] is None else datetime.fromisoformat(said["answer_by"])),
        "settled_by": settled_by,
    }
    _tell((contract.provider_id, contract.tenant_id), kind, stated.pk, at=at, body=body)


def tell_prices(notice: PriceNotice, *, tenant_id: UUID, at: datetime) -> None:
    """Tell a tenant that prices of its contract change."""
    body = {
        "id": str(notice.pk),
        "contract_id": str(notice.contract_id),
        "contract": notice.contract.number,
        "price_version_id": str(notice.version_id),
        "takes_effect_at": instant_text(notice.takes_effect_at),
    }
    _tell((tenant_id,), "price.announced", notice.pk, at=at, body=body)


def tell_subject(
    parties: Iterable[UUID], kind: str, *, subject_id: UUID, at: datetime, occasion: str = "", **body: str | int | None
) -> None:
    """Tell parties of something that has no body of its own here; `body` is sent beside its id."""
    _tell(parties, kind, subject_id, at=at, body={"id": str(subject_id), **body}, occasion=occasion)


def tell_ending_leases(*, now: datetime, limit: int = LEASES_MAX) -> int:
    """Tell of leases that end soon, to both parties; one whose end was moved is told of again. Return how many.

    A lease that renews itself is told of too: until its end it can still be said otherwise.
    """
    listening = listeners(LEASE_ENDING)
    if not listening:
        return 0
    ending = Term.objects.filter(
        Q(contract__provider__in=listening) | Q(contract__tenant__in=listening),
        kind=TermKind.LEASE,
        to_at__gt=now,
        to_at__lte=now + LEASE_ENDS_WITHIN,
        from_at__lt=F("to_at"),
    ).select_related("contract")
    told = 0
    said = WebhookEvent.objects.filter(kind=LEASE_ENDING, subject_id__in=ending.values("pk"))
    known = set(said.values_list("subject_id", "occasion"))
    for lease in ending.order_by("to_at", "pk"):
        assert lease.to_at is not None
        occasion = lease.to_at.astimezone(UTC).isoformat()
        if (lease.pk, occasion) in known or told == limit:
            continue
        told += 1
        with transaction.atomic():
            contract = lease.contract
            body = {
                "id": str(lease.pk),
                "ref": lease.ref,
                "contract_id": str(contract.pk),
                "contract": contract.number,
                "ends_at": instant_text(lease.to_at),
            }
            _tell(
                (contract.provider_id, contract.tenant_id), LEASE_ENDING, lease.pk, at=now, body=body, occasion=occasion
            )
    return told


def tell_ended_lease(lease: Term, reason: str, *, at: datetime) -> None:
    """Tell both parties that a lease has ended, and why; one that was held past its end can end again."""
    contract, ended_at = lease.contract, instant_text(lease.to_at)
    body = {
        "id": str(lease.pk),
        "ref": lease.ref,
        "contract_id": str(contract.pk),
        "contract": contract.number,
        "ended_at": ended_at,
        "reason": str(reason),
    }
    parties = (contract.provider_id, contract.tenant_id)
    _tell(parties, LEASE_ENDED, lease.pk, at=at, body=body, occasion=ended_at or "")


def tell_overdue(*, now: datetime, limit: int = OVERDUE_MAX) -> int:
    """Tell of invoices that are due and not paid, to whoever listens and was not told; return how many."""
    told = WebhookEvent.objects.filter(kind="invoice.overdue", subject_id=OuterRef("pk"))
    listening = WebhookEndpoint.objects.filter(
        Q(organization=OuterRef("issuer")) | Q(organization=OuterRef("tenant")),
        disabled_at__isnull=True,
        removed_at__isnull=True,
    )
    due = Invoice.objects.filter(
        Exists(listening), ~Exists(told), state=InvoiceState.ISSUED, due_at__lte=now, due_at__gt=now - OVERDUE_KEPT
    ).exclude(collective_part__collective__due_at__gt=now)
    found = list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])
    for invoice_id in found:
        with transaction.atomic():
            invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
            if invoice.state == InvoiceState.ISSUED:
                tell_invoice(invoice, "invoice.overdue", at=now)
    return len(found)


def _tell(
    parties: Iterable[UUID], kind: str, about: UUID, *, at: datetime, body: dict[str, Any], occasion: str = ""
) -> None:
    emit_to(parties, kind=kind, subject_id=about, at=at, body=body, occasion=occasion)
