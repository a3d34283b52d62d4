"""The one module that speaks to Stripe: it collects what we invoice, and tells us when it was paid.

We own prices, lines, tax, numbers and documents. Answers come back as dataclasses of ours, failures as exceptions
of ours that say what to do next. Every call that changes something takes the caller's idempotency key, which the
caller stored before the call; calls are made outside any transaction. `finalize`, `pay`, `void` and the like may be
repeated after a crash: a refusal because it is done already counts as done.

Amounts are Stripe's integers (`billing.stripe_amounts`), instants are aware UTC datetimes.
Facts: the `stripe` package as pinned, and docs.stripe.com.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import stripe
from stripe.params import InvoiceAddLinesParamsLine, InvoiceAddLinesParamsLineTaxAmount, InvoiceCreateParams

from billing.stripe_amounts import AmountNotRepresentable, from_minor_units, minimum_charge_minor, minor_units
from billing.stripe_answers import (
    RETRY_AFTER_DEFAULT_S,
    StripeCardDeclined,
    StripeError,
    StripeEventSeen,
    StripeInvoice,
    StripeLine,
    StripeLineTax,
    StripePayment,
    StripeRefused,
    StripeSettings,
    StripeUnavailable,
    TooManyLines,
    WebhookSignatureInvalid,
)

__all__ = [
    "LINES_MAX",
    "METADATA_INVOICE",
    "METADATA_ORGANIZATION",
    "AmountNotRepresentable",
    "StripeCardDeclined",
    "StripeError",
    "StripeEventSeen",
    "StripeGateway",
    "StripeInvoice",
    "StripeLine",
    "StripeLineTax",
    "StripePayment",
    "StripeRefused",
    "StripeSettings",
    "StripeUnavailable",
    "TooManyLines",
    "WebhookSignatureInvalid",
    "from_minor_units",
    "minimum_charge_minor",
    "minor_units",
]

METADATA_ORGANIZATION = "forecourt_organization"
METADATA_INVOICE = "forecourt_invoice"
LINES_MAX = 250
LINES_PER_CALL_MAX = 100
WEBHOOK_TOLERANCE_S = 300
RETRY_AFTER_MAX_S = 3600
_PAGE = 100
_FINALIZED = frozenset({"open", "paid", "uncollectible"})


class StripeGateway:
    """Stripe, for one account. Threads may share it.

    Every method may raise StripeUnavailable and StripeRefused.
    """

    def __init__(self, settings: StripeSettings) -> None:
        self._webhook_secret = settings.webhook_secret
        base = settings.api_base.rstrip("/")
        self._v1 = stripe.StripeClient(
            settings.secret_key,
            stripe_version=settings.api_version,
            # All four, so that no call can leave for another host than the one that was set.
            base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
            max_network_retries=settings.network_retries,
            http_client=stripe.RequestsClient(timeout=settings.timeout_s),
        ).v1

    def create_customer(self, organization_id: str, name: str, email: str, idempotency_key: str) -> str:
        """Make Stripe's customer for an organization; its id."""
        with _our_errors():
            metadata = {METADATA_ORGANIZATION: organization_id}
            return self._v1.customers.create(
                {"name": name, "email": email, "metadata": metadata}, {"idempotency_key": idempotency_key}
            ).id

    def find_customer(self, organization_id: str) -> str | None:
        """The customer made for an organization; the oldest, should there be several.

        Stripe's search lags by up to a minute: right after `create_customer` only its key protects from a second one.
        """
        assert "'" not in organization_id, organization_id
        query = f"metadata['{METADATA_ORGANIZATION}']:'{organization_id}'"
        with _our_errors():
            found = self._v1.customers.search({"query": query, "limit": _PAGE}).data
        return min(found, key=lambda one: (one.created, one.id)).id if found else None

    def set_default_payment_method(self, customer_id: str, payment_method_id: str, idempotency_key: str) -> str:
        """Attach a payment method and charge invoices to it; the id under which it is attached."""
        with _our_errors():
            attached_id = self._attach(customer_id, payment_method_id, f"{idempotency_key}:attach")
            self._v1.customers.update(
                customer_id,
                {"invoice_settings": {"default_payment_method": attached_id}},
                {"idempotency_key": f"{idempotency_key}:default"},
            )
        return attached_id

    def _attach(self, customer_id: str, payment_method_id: str, key: str) -> str:
        try:
            return self._v1.payment_methods.attach(
                payment_method_id, {"customer": customer_id}, {"idempotency_key": key}
            ).id
        except stripe.InvalidRequestError:
            if self._v1.payment_methods.retrieve(payment_method_id).customer != customer_id:
                raise
            return payment_method_id

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
        with _our_errors():
            return self._v1.invoices.create(params, {"idempotency_key": idempotency_key}).id

    def add_lines(self, stripe_invoice_id: str, lines: Sequence[StripeLine], idempotency_key: str) -> None:
        """Add all lines to a draft, 100 a call, each call under `idempotency_key` and its position.

        Repeating after a crash adds nothing twice while Stripe remembers the keys (24 hours); later, delete the draft
        and begin a new one. Raises TooManyLines before the first call.
        """
        if len(lines) > LINES_MAX:
            raise TooManyLines("too_many_lines", f"{len(lines)} lines, at most {LINES_MAX}", "lines")
        for chunk, start in enumerate(range(0, len(lines), LINES_PER_CALL_MAX)):
            pushed = [_line_params(line) for line in lines[start : start + LINES_PER_CALL_MAX]]
            with _our_errors():
                self._v1.invoices.add_lines(
                    stripe_invoice_id, {"lines": pushed}, {"idempotency_key": f"{idempotency_key}:{chunk}"}
                )

    def get_invoice(self, stripe_invoice_id: str) -> StripeInvoice:
        """The invoice now, with all its lines counted and its payments."""
        with _our_errors():
            invoice = self._v1.invoices.retrieve(stripe_invoice_id)
            line_count = len(invoice.lines.data)
            if invoice.lines.has_more:
                pages = self._v1.invoices.line_items.list(stripe_invoice_id, {"limit": _PAGE})
                line_count = sum(1 for _ in pages.auto_paging_iter())
            return _invoice_seen(invoice, line_count, self._payments_of(invoice))

    def _payments_of(self, invoice: stripe.Invoice) -> tuple[StripePayment, ...]:
        if invoice.status == "draft":
            return ()
        found = self._v1.invoice_payments.list(
            {"invoice": invoice.id, "limit": _PAGE, "expand": ["data.payment.payment_intent"]}
        )
        return tuple(_payment_seen(payment) for payment in found.auto_paging_iter())

    def find_invoice(self, invoice_id: str, customer_id: str) -> StripeInvoice | None:
        """What was pushed for our invoice, newest first, a void one only if there is no other; None if nothing was."""
        with _our_errors():
            listed = self._v1.invoices.list({"customer": customer_id, "limit": _PAGE})
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

    def _step(self, stripe_invoice_id: str, step: Callable[[], stripe.Invoice], done: frozenset[str]) -> StripeInvoice:
        try:
            with _our_errors():
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
            with _our_errors():
                self._v1.invoices.delete(stripe_invoice_id)
        except StripeRefused as refused:
            if refused.code != "resource_missing":
                raise

    def verify_event(self, payload: bytes, signature_header: str | None, *, now: datetime) -> StripeEventSeen:
        """Read a webhook delivery, if Stripe signed these very bytes within five minutes of `now`, before or after.

        The package checks the signature; it lets timestamps from the future pass, so both sides are checked here.
        Raises WebhookSignatureInvalid.
        """
        header = signature_header or ""
        try:
            # Comparing a signature outside ASCII raises TypeError in the package; no real one is.
            header.encode("ascii")
            stripe.WebhookSignature.verify_header(payload, header, self._webhook_secret, tolerance=None)
            signed_at = next(int(item[2:]) for item in header.split(",") if item.startswith("t="))
        except (stripe.SignatureVerificationError, ValueError) as error:
            raise WebhookSignatureInvalid("The Stripe-Signature header does not match the body.") from error
        if abs(now.timestamp() - signed_at) > WEBHOOK_TOLERANCE_S:
            raise WebhookSignatureInvalid(f"The delivery was signed at {signed_at}, too far from now.")
        return _event_seen(payload)


def _line_params(line: StripeLine) -> InvoiceAddLinesParamsLine:
    assert line.period_from < line.period_to, line
    taxes: list[InvoiceAddLinesParamsLineTaxAmount] = [
        {
            "amount": tax.amount_minor,
            "taxable_amount": tax.taxable_minor,
            "tax_rate_data": {
                "display_name": tax.display_name,
                "inclusive": False,
                # The package's type; it is printed on the wire and shown, never computed with.
                "percentage": float(tax.percentage),
            },
        }
        for tax in line.taxes
    ]
    params: InvoiceAddLinesParamsLine = {
        "amount": line.amount_minor,
        "description": line.description,
        # Ours is half-open, Stripe's period includes its end.
        "period": {"start": int(line.period_from.timestamp()), "end": int(line.period_to.timestamp()) - 1},
        "metadata": dict(line.metadata),
    }
    if taxes:
        params["tax_amounts"] = taxes
    return params


def _invoice_seen(invoice: stripe.Invoice, line_count: int, payments: tuple[StripePayment, ...]) -> StripeInvoice:
    return StripeInvoice(
        id=invoice.id,
        status=str(invoice.status),
        number=invoice.number,
        customer_id=_id_of(invoice.customer) or "",
        currency=invoice.currency.upper(),
        subtotal_minor=invoice.subtotal,
        tax_minor=sum(tax.amount for tax in invoice.total_taxes or ()),
        total_minor=invoice.total,
        amount_due_minor=invoice.amount_due,
        amount_paid_minor=invoice.amount_paid,
        amount_remaining_minor=invoice.amount_remaining,
        line_count=line_count,
        hosted_url=invoice.hosted_invoice_url,
        metadata=invoice.metadata.to_dict() if invoice.metadata else {},
        payments=payments,
    )


def _payment_seen(payment: stripe.InvoicePayment) -> StripePayment:
    paid_at = payment.status_transitions.paid_at
    intent = getattr(payment.payment, "payment_intent", None)
    charges = (getattr(intent, "latest_charge", None), getattr(payment.payment, "charge", None))
    return StripePayment(
        id=payment.id,
        status=payment.status,
        amount_paid_minor=payment.amount_paid or 0,
        payment_intent_id=_id_of(intent),
        charge_ids=tuple(charge_id for charge_id in map(_id_of, charges) if charge_id),
        paid_at=datetime.fromtimestamp(paid_at, UTC) if paid_at else None,
    )


def _id_of(reference: str | stripe.Customer | stripe.PaymentIntent | stripe.Charge | None) -> str | None:
    """The id of what Stripe sends as an id or, expanded, as an object."""
    return reference if reference is None or isinstance(reference, str) else reference.id


def _event_seen(payload: bytes) -> StripeEventSeen:
    try:
        event = json.loads(payload)
        subject = event["data"]["object"]
        return StripeEventSeen(
            id=str(event["id"]),
            type=str(event["type"]),
            object_type=str(subject["object"]),
            object_id=subject.get("id"),
            created=datetime.fromtimestamp(event["created"], UTC),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WebhookSignatureInvalid("The delivery is signed, but it is no event.") from error


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except stripe.CardError as error:
        decline_code = error.error.decline_code if error.error else None
        raise StripeCardDeclined(error.code or "card_declined", _message(error), decline_code) from error
    except stripe.StripeError as error:
        status = error.http_status or 0
        # 409 is another request under the same key that is still running.
        if status in (0, 409, 429) or status >= 500:
            raise _unavailable(error) from error
        kind = error.error.type if error.error else type(error).__name__
        raise StripeRefused(error.code or kind, _message(error), getattr(error, "param", None)) from error


def _unavailable(error: stripe.StripeError) -> StripeUnavailable:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    told = headers.get("retry-after", "")
    wait_s = int(told) if told.isdecimal() else RETRY_AFTER_DEFAULT_S
    return StripeUnavailable(
        _message(error),
        retry_after_s=max(1, min(wait_s, RETRY_AFTER_MAX_S)),
        is_kept=headers.get("idempotent-replayed") == "true",
    )


def _message(error: stripe.StripeError) -> str:
    return error.user_message or type(error).__name__
