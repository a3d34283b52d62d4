"""Lines as the package takes them, invoices and payments as it gives them."""

import stripe
from stripe.params import InvoiceAddLinesParamsLine, InvoiceAddLinesParamsLineTaxAmount

from billing.stripe_answers import StripeInvoice, StripeLine, StripePayment
from billing.stripe_gateway.references import id_of, instant


def line_params(line: StripeLine) -> InvoiceAddLinesParamsLine:
    """A line as it is pushed."""
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


def invoice_seen(invoice: stripe.Invoice, line_count: int, payments: tuple[StripePayment, ...]) -> StripeInvoice:
    """An invoice with what had to be asked for besides."""
    return StripeInvoice(
        id=invoice.id,
        status=str(invoice.status),
        number=invoice.number,
        customer_id=id_of(invoice.customer) or "",
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


def payment_seen(payment: stripe.InvoicePayment) -> StripePayment:
    """A payment of an invoice, its payment intent expanded."""
    paid_at = payment.status_transitions.paid_at
    intent = getattr(payment.payment, "payment_intent", None)
    charges = (getattr(intent, "latest_charge", None), getattr(payment.payment, "charge", None))
    return StripePayment(
        id=payment.id,
        status=payment.status,
        amount_paid_minor=payment.amount_paid or 0,
        payment_intent_id=id_of(intent),
        charge_ids=tuple(charge_id for charge_id in map(id_of, charges) if charge_id),
        paid_at=instant(paid_at) if paid_at else None,
    )
