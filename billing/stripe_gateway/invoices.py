"""Invoices at Stripe: draft, lines, finalize, pay, close.

`finalize`, `pay`, `void` and the like may be repeated after a crash: a refusal because it is done already counts as
done.
"""

from collections.abc import Callable, Mapping, Sequence

import stripe
from stripe.params import InvoiceCreateParams

from billing.stripe_answers import (
    METADATA_INVOICE,
    StripeCardDeclined,
    StripeInvoice,
    StripeLine,
    StripePayment,
    StripeRefused,
    TooManyLines,
)
from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors
from billing.stripe_gateway.invoice_shapes import invoice_seen, line_params, payment_seen
from billing.stripe_gateway.references import METADATA_REFERENCE, written

LINES_MAX = 250
LINES_PER_CALL_MAX = 100
_FINALIZED = frozenset({"open", "paid", "uncollectible"})


class Invoices(Connection):
    """Invoices of the account."""

    def create_draft_invoice(
        self,
        *,
        customer_id: str,
        currency: str,
        number: str,
        invoice_id: str,
        days_until_due: int | None,
        idempotency_key: str,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Make an empty draft with our number that Stripe never advances by itself; Stripe's id of it.

        `invoice_id` is ours: `find_invoice` finds the draft by it. With `days_until_due` the customer is to pay the
        hosted page; None means that `pay` will charge the default payment method.
        """
        params: InvoiceCreateParams = {
            "customer": customer_id,
            "currency": currency.lower(),
            "number": number,
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "metadata": {**(metadata or {}), METADATA_INVOICE: invoice_id},
            "collection_method": "charge_automatically" if days_until_due is None else "send_invoice",
        }
        if days_until_due is not None:
            params["days_until_due"] = days_until_due
        with our_errors():
            return self._v1.invoices.create(params, {"idempotency_key": idempotency_key}).id

    def add_lines(self, stripe_invoice_id: str, lines: Sequence[StripeLine], idempotency_key: str) -> None:
        """Add all lines to a draft, 100 a call, each call under `idempotency_key` and its position.

        Repeating after a crash adds nothing twice while Stripe remembers the keys (24 hours); later, delete the draft
        and begin a new one. Raises TooManyLines before the first call.
        """
        if len(lines) > LINES_MAX:
            raise TooManyLines("too_many_lines", f"{len(lines)} lines, at most {LINES_MAX}", "lines")
        for chunk, start in enumerate(range(0, len(lines), LINES_PER_CALL_MAX)):
            pushed = [line_params(line) for line in lines[start : start + LINES_PER_CALL_MAX]]
            with our_errors():
                self._v1.invoices.add_lines(
                    stripe_invoice_id, {"lines": pushed}, {"idempotency_key": f"{idempotency_key}:{chunk}"}
                )

    def get_invoice(self, stripe_invoice_id: str) -> StripeInvoice:
        """The invoice now, with all its lines counted and its payments."""
        with our_errors():
            invoice = self._v1.invoices.retrieve(stripe_invoice_id)
            line_count = len(invoice.lines.data)
            if invoice.lines.has_more:
                pages = self._v1.invoices.line_items.list(stripe_invoice_id, {"limit": PAGE})
                line_count = sum(1 for _ in pages.auto_paging_iter())
            return invoice_seen(invoice, line_count, self._payments_of(invoice))

    def _payments_of(self, invoice: stripe.Invoice) -> tuple[StripePayment, ...]:
        if invoice.status == "draft":
            return ()
        found = self._v1.invoice_payments.list(
            {"invoice": invoice.id, "limit": PAGE, "expand": ["data.payment.payment_intent"]}
        )
        return tuple(payment_seen(payment) for payment in found.auto_paging_iter())

    def find_invoice(self, invoice_id: str, customer_id: str) -> StripeInvoice | None:
        """What was pushed for our invoice, newest first, a void one only if there is no other; None if nothing was."""
        with our_errors():
            listed = self._v1.invoices.list({"customer": customer_id, "limit": PAGE})
            found = [
                one
                for one in listed.auto_paging_iter()
                if (one.metadata.to_dict() if one.metadata else {}).get(METADATA_INVOICE) == invoice_id
            ]
        if not found:
            return None
        return self.get_invoice(next((one for one in found if one.status != "void"), found[0]).id)

    def finalize(self, stripe_invoice_id: str, idempotency_key: str) -> StripeInvoice:
        """Close the draft for good, without letting Stripe collect by itself."""
        return self._step(
            stripe_invoice_id,
            lambda: self._v1.invoices.finalize_invoice(
                stripe_invoice_id, {"auto_advance": False}, {"idempotency_key": idempotency_key}
            ),
            _FINALIZED,
        )

    def pay(self, stripe_invoice_id: str, idempotency_key: str) -> StripeInvoice:
        """Charge the customer's default payment method now. Raises StripeCardDeclined; each attempt takes a new key."""
        return self._step(
            stripe_invoice_id,
            lambda: self._v1.invoices.pay(
                stripe_invoice_id, {"off_session": True}, {"idempotency_key": idempotency_key}
            ),
            frozenset({"paid"}),
        )

    def mark_paid_out_of_band(self, stripe_invoice_id: str, idempotency_key: str) -> StripeInvoice:
        """Close an invoice that was paid elsewhere, by bank transfer say; no money moves."""
        return self._step(
            stripe_invoice_id,
            lambda: self._v1.invoices.pay(
                stripe_invoice_id, {"paid_out_of_band": True}, {"idempotency_key": idempotency_key}
            ),
            frozenset({"paid"}),
        )

    def mark_uncollectible(self, stripe_invoice_id: str, idempotency_key: str) -> StripeInvoice:
        """Give up collecting; the invoice can still be paid or voided."""
        return self._step(
            stripe_invoice_id,
            lambda: self._v1.invoices.mark_uncollectible(stripe_invoice_id, {}, {"idempotency_key": idempotency_key}),
            frozenset({"uncollectible"}),
        )

    def void(self, stripe_invoice_id: str, idempotency_key: str) -> StripeInvoice:
        """Cancel a finalized, unpaid invoice; it keeps its number."""
        return self._step(
            stripe_invoice_id,
            lambda: self._v1.invoices.void_invoice(stripe_invoice_id, {}, {"idempotency_key": idempotency_key}),
            frozenset({"void"}),
        )

    def credit(self, stripe_invoice_id: str, *, amount_minor: int, reference: str, idempotency_key: str) -> str:
        """Ask for less on an open invoice, by a credit note of Stripe's; its id.

        What was paid already is given back by `refund`, never by this. Credited down to nothing it counts as paid.
        """
        with our_errors():
            made = self._v1.credit_notes.create(
                {
                    "invoice": stripe_invoice_id,
                    "amount": amount_minor,
                    "metadata": {METADATA_REFERENCE: reference},
                    "email_type": "none",
                },
                {"idempotency_key": idempotency_key},
            )
        return made.id

    def find_credit(self, stripe_invoice_id: str, reference: str) -> str | None:
        """The credit note made for our reference on an invoice; None if there is none."""
        with our_errors():
            listed = self._v1.credit_notes.list({"invoice": stripe_invoice_id, "limit": PAGE})
            mine = [one.id for one in listed.auto_paging_iter() if written(one.metadata) == reference]
        return mine[-1] if mine else None

    def _step(self, stripe_invoice_id: str, step: Callable[[], stripe.Invoice], done: frozenset[str]) -> StripeInvoice:
        try:
            with our_errors():
                step()
        except StripeCardDeclined:
            raise
        except StripeRefused:
            seen = self.get_invoice(stripe_invoice_id)
            if seen.status not in done:
                raise
            return seen
        return self.get_invoice(stripe_invoice_id)

    def delete_draft(self, stripe_invoice_id: str) -> None:
        """Remove a draft with its lines; one that is gone already is fine."""
        try:
            with our_errors():
                self._v1.invoices.delete(stripe_invoice_id)
        except StripeRefused as refused:
            if refused.code != "resource_missing":
                raise
