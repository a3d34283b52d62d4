"""Stripe's webhook events: kept once by id, then worked off by looking at the object that an event names.

What an event says is not believed, only what Stripe answers about the object now; so duplicates, late, shuffled and
missing events end in the same state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q

from billing.collecting.cards import look_at_session
from billing.collecting.chargebacks import apply_dispute
from billing.collecting.movements import keep_movements
from billing.corrections.sending import apply_refund
from billing.models import Invoice, Refund, Settlement, StripeEvent
from billing.statements.onboarding import apply_account
from billing.statements.transfers import apply_transfer
from billing.stripe_answers import METADATA_INVOICE, StripeRefused
from billing.stripe_results import apply_stripe_invoice
from billing.topups import buying

if TYPE_CHECKING:
    from datetime import datetime

    from billing.stripe_answers import StripeEventSeen, StripeInvoice
    from billing.stripe_gateway import StripeGateway

logger = logging.getLogger(__name__)

ABOUT_INVOICES = frozenset(
    {
        "invoice.finalized",
        "invoice.finalization_failed",
        "invoice.sent",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.overdue",
        "invoice.overpaid",
        "invoice.marked_uncollectible",
        "invoice.voided",
        "invoice.updated",
        "invoice_payment.paid",
    }
)
ABOUT_DISPUTES = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
ABOUT_SESSIONS = frozenset({"checkout.session.completed", "checkout.session.expired"})
ABOUT_REFUNDS = frozenset({"refund.created", "refund.updated", "refund.failed"})
ABOUT_ACCOUNTS = frozenset({"account.updated"})
ABOUT_TRANSFERS = frozenset({"transfer.created", "transfer.updated", "transfer.reversed"})
ABOUT_PAYOUTS = frozenset({"payout.created", "payout.updated", "payout.paid", "payout.failed", "payout.canceled"})
MONEY_BACK = frozenset({"credit_note.created", "credit_note.updated", "credit_note.voided"})
SUBSCRIBED = frozenset().union(
    ABOUT_INVOICES,
    ABOUT_DISPUTES,
    ABOUT_SESSIONS,
    ABOUT_REFUNDS,
    ABOUT_ACCOUNTS,
    ABOUT_TRANSFERS,
    ABOUT_PAYOUTS,
    MONEY_BACK,
)
"""What the endpoint at Stripe should send; anything else is answered and not kept."""

Deed = Callable[[], str]
"""Applies what was seen, in a transaction, and says what came of it."""
Look = Callable[["StripeEvent", "StripeGateway", "datetime"], Deed]

OUTCOME_CHARACTERS_MAX = 200


KEEP: Final = """
    INSERT INTO billing_stripeevent (event_id, type, object_id, payload, received_at, outcome)
    VALUES (%s, %s, %s, %s, %s, '') ON CONFLICT (event_id) DO NOTHING
"""
"""One statement and its own commit: a look whether it is there, and a transaction around both, took longer."""


def keep_event(*, seen: StripeEventSeen, payload: str, now: datetime) -> bool:
    """Store a verified event with the JSON that told of it; True if it is new. One nobody asked for is not stored."""
    if seen.type not in SUBSCRIBED:
        return False
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [seen.id, seen.type, seen.object_id or "", payload, now])
        return bool(cursor.rowcount)


def unprocessed_events(*, limit: int) -> list[str]:
    """Return events still to be applied: those never tried before those that failed, each in order of arrival."""
    found = StripeEvent.objects.filter(processed_at__isnull=True).annotate(
        is_tried=ExpressionWrapper(~Q(outcome=""), output_field=BooleanField())
    )
    return list(found.order_by("is_tried", "received_at", "pk").values_list("pk", flat=True)[:limit])


def apply_event(*, event_id: str, gateway: StripeGateway, now: datetime) -> bool:
    """Look at what an event is about and apply what is forward; True if this call did.

    1. The object is fetched, with no transaction open.
    2. The event's row is locked; if another worker holds it or was first, nothing happens.
    3. The object is applied to the books and the outcome stored, in one transaction.

    Raises StripeUnavailable, which leaves the event to be tried again.
    """
    assert not connection.in_atomic_block, "no lock is held over the network"
    event = StripeEvent.objects.get(pk=event_id)
    if event.processed_at is not None:
        return False
    deed = _look(event, gateway, now)
    with transaction.atomic():
        mine = StripeEvent.objects.select_for_update(skip_locked=True).filter(pk=event_id, processed_at__isnull=True)
        if not mine.exists():
            return False
        outcome = deed()
        StripeEvent.objects.filter(pk=event_id).update(processed_at=now, outcome=outcome[:OUTCOME_CHARACTERS_MAX])
    return True


def note_failure(*, event_id: str, reason: str) -> None:
    """Keep why an event could not be applied yet; it is tried again after those that were never tried."""
    StripeEvent.objects.filter(pk=event_id, processed_at__isnull=True).update(outcome=reason[:OUTCOME_CHARACTERS_MAX])


def _look(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    """Fetch what an event is about as it is now: what to do with it in the transaction that closes the event."""
    look = next((look for types, look in _LOOKS.items() if event.type in types), _look_at_nothing)
    try:
        return look(event, gateway, now)
    except StripeRefused as refused:
        outcome = f"unknown object: {refused}"
        return lambda: outcome


def _look_at_invoice(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    invoice_id = _invoice_named(event)
    if not invoice_id:
        return lambda: "names no invoice"
    seen = gateway.get_invoice(invoice_id)
    return lambda: _apply(seen, now)


def _look_at_dispute(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    seen = gateway.get_dispute(event.object_id)

    def book() -> str:
        row = apply_dispute(seen=seen, now=now)
        return (
            f"{row.status}, {row.withdrawn} withdrawn"
            if row.payment_id or row.top_up_id
            else "unknown object: pays nothing of ours"
        )

    return book


def _look_at_session(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    """A visit's card is made the one that pays by calls to Stripe, so all of it happens before the transaction."""
    session = gateway.get_session(event.object_id)
    ours = look_at_session(session=session, gateway=gateway, now=now) or buying.look_at_session(
        session=session, gateway=gateway, now=now
    )
    return lambda: f"visit is {session.status}" if ours else "unknown object: no visit of ours"


def _look_at_refund(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    seen = gateway.get_refund(event.object_id)

    def apply() -> str:
        refund_id = _uuid(seen.reference)
        if refund_id is None or not Refund.objects.filter(pk=refund_id).exists():
            logger.error("Stripe's refund %s is not in our books: the reconciliation lists it", seen.id)
            return f"unknown object: {seen.id} is no refund of ours"
        apply_refund(refund_id=refund_id, seen=seen, now=now)
        return f"refund is {seen.status}"

    return apply


def _look_at_account(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    seen = gateway.get_account(event.object_id)
    return lambda: "looked at" if apply_account(seen, now=now) else f"unknown object: {seen.id} is no account of ours"


def _look_at_transfer(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    seen = gateway.get_transfer(event.object_id)
    reversals = gateway.list_reversals(seen.id)
    return lambda: apply_transfer(seen=seen, reversals=reversals, now=now)


def _look_at_payout(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:
    """Ours goes to the operator's bank, and is booked from the balance; a provider's own says how its account stands.

    What reached a provider's account at Stripe is paid to it: its own payout from there moves nothing in our books.
    """
    account_id = event.payload.get("account") if isinstance(event.payload, dict) else None
    if isinstance(account_id, str) and account_id:
        account = gateway.get_account(account_id)
        ours = f"account of a provider, {'' if account.can_pay_out else 'not '}paid out"
        return lambda: ours if apply_account(account, now=now) else f"unknown object: {account_id} is not ours"
    movements = gateway.movements_of(event.object_id)
    return lambda: f"{keep_movements(movements, now=now)} of {len(movements)} movements were new"


def _look_at_nothing(event: StripeEvent, gateway: StripeGateway, now: datetime) -> Deed:  # noqa: ARG001  as the others
    logger.error("Stripe event %s (%s) is not in our books: a person must book it", event.pk, event.type)
    return lambda: "money back: not in our books, book it by hand"


def _invoice_named(event: StripeEvent) -> str:
    """Only the id to look up is taken from what was sent."""
    if event.type.startswith("invoice."):
        return event.object_id
    try:
        named = event.payload["data"]["object"]["invoice"]
    except (KeyError, TypeError):
        return ""
    return named if isinstance(named, str) else ""


def _apply(seen: StripeInvoice, now: datetime) -> str:
    invoice_id = _our_invoice(seen)
    if invoice_id is None:
        return f"unknown object: {seen.id} is no invoice of ours"
    return apply_stripe_invoice(invoice_id=invoice_id, seen=seen, now=now).value


def _our_invoice(seen: StripeInvoice) -> UUID | None:
    """Ours by what we stored, or by what we wrote on it, where the event was faster than our storing."""
    settlement = Settlement.objects.filter(stripe_invoice_id=seen.id).first()
    if settlement is not None:
        return settlement.invoice_id
    written = _uuid(seen.metadata.get(METADATA_INVOICE, ""))
    if written is None:
        return None
    return Invoice.objects.filter(pk=written).values_list("pk", flat=True).first()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


_LOOKS: Mapping[frozenset[str], Look] = {
    ABOUT_INVOICES: _look_at_invoice,
    ABOUT_DISPUTES: _look_at_dispute,
    ABOUT_SESSIONS: _look_at_session,
    ABOUT_REFUNDS: _look_at_refund,
    ABOUT_ACCOUNTS: _look_at_account,
    ABOUT_TRANSFERS: _look_at_transfer,
    ABOUT_PAYOUTS: _look_at_payout,
}
