"""What the paper of a collective invoice says, from stored rows: one line an invoice, and how to pay them all."""

from uuid import UUID

from billing.documents.inputs import DocumentInput, DocumentKind, Line, Payment, Totals
from billing.documents.parties import parties_of
from billing.models import Collection, Collective, CollectivePart
from billing.money import round_to_minor
from billing.payment_references import payment_reference, printed_reference
from billing.rating.rated import Unit


def read_collective(collective_id: UUID, *, public_url: str) -> DocumentInput:
    """Return what a collective invoice says; a fixed number of queries. Raises Collective.DoesNotExist.

    The parties stand on it as on its latest part.
    """
    collective = Collective.objects.get(pk=collective_id)
    found = CollectivePart.objects.filter(collective=collective).order_by("position")
    parts = list(found.select_related("invoice__contract", "invoice__period", "invoice__issuer", "invoice__tenant"))
    latest = parts[-1].invoice
    parties = parties_of(latest)
    total = round_to_minor(collective.total, collective.currency)
    return DocumentInput(
        kind=DocumentKind.COLLECTIVE,
        language=parties.language,
        number=collective.number,
        issued_at=collective.issued_at,
        due_at=collective.due_at,
        from_at=min(part.invoice.period.from_at for part in parts),
        to_at=max(part.invoice.period.to_at for part in parts),
        time_zone=latest.contract.time_zone,
        currency=collective.currency,
        contract="",
        seller=parties.seller,
        buyer=parties.buyer,
        lines=tuple(_line(part, collective.currency) for part in parts),
        taxes=(),
        totals=Totals(subtotal=total, tax=round_to_minor(total * 0, collective.currency), total=total, due=total),
        payment=Payment(
            account=parties.account,
            reference=printed_reference(payment_reference(collective.number)),
            terms=parties.terms,
            url=f"{public_url.rstrip('/')}/t/collective-invoices/{collective.number}/",
            by_card=latest.contract.collection == Collection.CHARGE_AUTOMATICALLY,
        ),
        notes=parties.notes,
    )


def _line(part: CollectivePart, currency: str) -> Line:
    invoice = part.invoice
    amount = round_to_minor(part.amount, currency)
    return Line(
        position=part.position,
        heading=invoice.contract.number,
        name=invoice.number or "",
        quantity=amount,
        unit=Unit.AMOUNT,
        unit_price=None,
        price_unit="",
        amount=amount,
        from_at=invoice.period.from_at,
        to_at=invoice.period.to_at,
    )
