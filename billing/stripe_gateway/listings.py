"""What Stripe has of a stretch of time, for comparing with our books: invoices, refunds, transfers, disputes, events,
changes of the balance. Every listing is read page by page as it is walked; windows are half-open, `[start, end)`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TypedDict

import stripe

from billing.stripe_answers import StripeEventSeen, StripeInvoice
from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors
from billing.stripe_gateway.invoice_shapes import invoice_seen
from billing.stripe_gateway.references import id_of, instant, seconds
from billing.stripe_gateway.refunds import refund_seen
from billing.stripe_gateway.transfers import transfer_seen
from billing.stripe_seen import StripeDispute, StripeFunds, StripeMovement, StripeRefund, StripeTransfer


class _Created(TypedDict, total=False):
    gt: int
    gte: int
    lt: int
    lte: int


class Listings(Connection):
    """Listings of the account, newest first."""

    def list_invoices(self, start: datetime, end: datetime) -> Iterator[StripeInvoice]:
        """Invoices made in the window, drafts too; `payments` are left out, and `line_count` counts the first page."""
        with our_errors():
            listed = self._v1.invoices.list({"created": _window(start, end), "limit": PAGE})
            for one in listed.auto_paging_iter():
                yield invoice_seen(one, len(one.lines.data), ())

    def list_refunds(self, start: datetime, end: datetime) -> Iterator[StripeRefund]:
        """Refunds made in the window, failed ones too."""
        with our_errors():
            listed = self._v1.refunds.list({"created": _window(start, end), "limit": PAGE})
            for one in listed.auto_paging_iter():
                yield refund_seen(one)

    def list_transfers(self, start: datetime, end: datetime) -> Iterator[StripeTransfer]:
        """Transfers made in the window; what came back of them is on them, whenever it came."""
        with our_errors():
            listed = self._v1.transfers.list({"created": _window(start, end), "limit": PAGE})
            for one in listed.auto_paging_iter():
                yield transfer_seen(one)

    def list_disputes(self, start: datetime, end: datetime) -> Iterator[StripeDispute]:
        """Disputes opened in the window."""
        with our_errors():
            listed = self._v1.disputes.list({"created": _window(start, end), "limit": PAGE})
            for one in listed.auto_paging_iter():
                yield _dispute_seen(one)

    def get_dispute(self, dispute_id: str) -> StripeDispute:
        """The dispute as it is now."""
        with our_errors():
            return _dispute_seen(self._v1.disputes.retrieve(dispute_id))

    def list_balance_transactions(self, start: datetime, end: datetime) -> Iterator[StripeMovement]:
        """Every change of the account's balance in the window: what Stripe's own books say."""
        with our_errors():
            listed = self._v1.balance_transactions.list({"created": _window(start, end), "limit": PAGE})
            for one in listed.auto_paging_iter():
                yield _movement_seen(one)

    def movements_of(self, source_id: str) -> tuple[StripeMovement, ...]:
        """The changes of the account's balance that one object caused: what a payout took, and what came back."""
        with our_errors():
            listed = self._v1.balance_transactions.list({"source": source_id, "limit": PAGE})
            return tuple(_movement_seen(one) for one in listed.auto_paging_iter())

    def balance(self) -> tuple[StripeFunds, ...]:
        """The account's balance now, by currency."""
        with our_errors():
            balance = self._v1.balance.retrieve()
        available = {one.currency.upper(): one.amount for one in balance.available}
        pending = {one.currency.upper(): one.amount for one in balance.pending}
        return tuple(
            StripeFunds(
                currency=currency,
                available_minor=available.get(currency, 0),
                pending_minor=pending.get(currency, 0),
            )
            for currency in sorted({*available, *pending})
        )

    def customer_balances(self) -> Iterator[tuple[str, int, str]]:
        """Customers with a balance at Stripe, the balance, and its currency, empty where Stripe names none; nothing of
        ours makes one, so each is a finding."""
        with our_errors():
            for one in self._v1.customers.list({"limit": PAGE}).auto_paging_iter():
                if one.balance:
                    yield one.id, one.balance, (one.currency or "").upper()

    def undelivered_events(self, start: datetime, end: datetime) -> Iterator[StripeEventSeen]:
        """Events of the window that reached no endpoint of ours yet; Stripe keeps them for 30 days."""
        with our_errors():
            listed = self._v1.events.list({"created": _window(start, end), "delivery_success": False, "limit": PAGE})
            for one in listed.auto_paging_iter():
                subject = one.to_dict()["data"]["object"]
                yield StripeEventSeen(
                    id=one.id,
                    type=str(one.type),
                    object_type=str(subject["object"]),
                    object_id=subject.get("id"),
                    created=instant(one.created),
                )


def _window(start: datetime, end: datetime) -> _Created:
    return {"gte": seconds(start), "lt": seconds(end)}


def _movement_seen(one: stripe.BalanceTransaction) -> StripeMovement:
    return StripeMovement(
        id=one.id,
        kind=str(one.type),
        amount_minor=one.amount,
        fee_minor=one.fee,
        net_minor=one.net,
        currency=one.currency.upper(),
        source_id=id_of(one.source),
        available_at=instant(one.available_on),
        created=instant(one.created),
    )


def _dispute_seen(dispute: stripe.Dispute) -> StripeDispute:
    due_by = dispute.evidence_details.due_by
    return StripeDispute(
        id=dispute.id,
        status=str(dispute.status),
        amount_minor=dispute.amount,
        withdrawn_minor=-sum(one.amount for one in dispute.balance_transactions),
        fee_minor=sum(one.fee for one in dispute.balance_transactions),
        currency=dispute.currency.upper(),
        reason=dispute.reason,
        charge_id=id_of(dispute.charge) or "",
        payment_intent_id=id_of(dispute.payment_intent),
        respond_by=instant(due_by) if due_by else None,
        created=instant(dispute.created),
    )
