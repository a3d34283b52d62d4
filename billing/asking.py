"""What is asked for at Stripe of an invoice: what is left of it, and what earlier ones too small to charge have left.

Below its smallest charge Stripe would call an invoice paid and move the debt to the customer's balance. Such an
invoice is not pushed; a later one of the same parties asks for what it has left, on a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef

from billing.dues import dues_of, with_dues
from billing.models import (
    CarriedDue,
    Invoice,
    InvoiceLine,
    InvoiceLineTax,
    InvoiceState,
    Settlement,
    SettlementState,
)
from billing.push_lines import FrozenLine, FrozenTax, push_lines
from billing.stripe_amounts import AmountNotRepresentable, is_too_small, minor_units
from billing.stripe_answers import StripeLine
from billing.together import collective_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

NOTHING = Decimal(0)
METADATA_KIND = "forecourt_kind"
TAX_NAME = "VAT"
"""What Stripe's page calls a tax that has a rate."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What Stripe is asked to collect for an invoice, in its currency.

    `left` is what the invoice itself has left, `settled` what was paid, credited or written off of its total before,
    `carried` what earlier invoices have left.
    """

    left: Decimal
    settled: Decimal
    carried: tuple[CarriedDue, ...]

    @property
    def total(self) -> Decimal:
        """All that is asked for."""
        return self.left + sum((one.amount for one in self.carried), NOTHING)

    @property
    def beside(self) -> Decimal:
        """By how much the sum at Stripe differs from the invoice's total."""
        return self.total - self.left - self.settled


def asked_for(invoice: Invoice) -> Asked:
    """Return what is asked for now; the invoice must be issued."""
    dues = dues_of(invoice)
    return Asked(left=dues.left, settled=invoice.total - dues.left, carried=carried_by(invoice))


def carried_by(invoice: Invoice) -> tuple[CarriedDue, ...]:
    """Return what earlier invoices have left that this one asks for, the oldest first."""
    found = CarriedDue.objects.filter(carrier=invoice, released_at__isnull=True).select_related("invoice")
    return tuple(found.order_by("invoice__issued_at", "invoice_id"))


def beside_lines(invoice: Invoice, asked: Asked) -> tuple[StripeLine, ...]:
    """Return the lines that are pushed beside the invoice's own. Raises AmountNotRepresentable."""
    if not asked.carried and not asked.settled:
        return ()
    period = invoice.period
    collective = collective_of(invoice.pk) if asked.carried else None
    why = f"of collective invoice {collective.number}" if collective else "too small to be charged alone"
    lines = [(f"Invoice {one.invoice.number}, {why}", one.amount) for one in asked.carried]
    if asked.settled:
        lines.append(("Paid or credited before", -asked.settled))
    return tuple(
        StripeLine(
            amount_minor=minor_units(amount, invoice.currency),
            description=words,
            period_from=period.from_at,
            period_to=period.to_at,
            metadata={METADATA_KIND: "beside"},
        )
        for words, amount in lines
    )


def lines_of(invoice: Invoice, asked: Asked) -> tuple[StripeLine, ...]:
    """Return all lines that are pushed: the invoice's own, and those beside them. Raises AmountNotRepresentable."""
    lines = [
        FrozenLine(line.position, line.model, line.description, line.amount, line.from_at, line.to_at, _taxes_of(line))
        for line in invoice.lines.select_related("taxed__rate").order_by("position")
    ]
    beside = beside_lines(invoice, asked)
    return push_lines(lines, currency=invoice.currency, beside=beside)


def _taxes_of(line: InvoiceLine) -> tuple[FrozenTax, ...]:
    """A line's part of its rate; none of what was issued before taxes were worked out."""
    taxed: InvoiceLineTax | None = getattr(line, "taxed", None)
    if taxed is None:
        return ()
    return (FrozenTax(taxed.rate.position, TAX_NAME, taxed.rate.percent, line.amount, taxed.tax),)


@transaction.atomic
def take_up(*, invoice: Invoice, now: datetime) -> tuple[CarriedDue, ...]:
    """Let an invoice ask for what earlier ones of the same parties and currency have left, if all together suffices.

    Rows are locked in the order of their keys, so two invoices never carry the same one. Repeating changes nothing.
    """
    before = carried_by(invoice)
    waiting = Settlement.objects.select_for_update().filter(
        invoice__in=_small_ones(invoice.tenant_id, invoice.issuer_id, invoice.currency), state=_RESTS
    )
    small_ids = [one.invoice_id for one in waiting.order_by("pk") if one.invoice_id != invoice.pk]
    if not small_ids:
        return before
    small = list(with_dues(Invoice.objects.filter(pk__in=small_ids)).order_by("pk"))
    total = asked_for(invoice).total + sum((_left(one) for one in small), NOTHING)
    if is_too_small(total, invoice.currency):
        return before
    CarriedDue.objects.bulk_create(
        CarriedDue(invoice=one, carrier=invoice, amount=_left(one), created_at=now) for one in small if _left(one) > 0
    )
    return carried_by(invoice)


def release(*, carrier_id: UUID, now: datetime) -> int:
    """Let go of what an invoice carried and will not collect; how many invoices that were.

    A part of a collective invoice that is still owed is asked for by itself from then on.
    """
    unpaid = CarriedDue.objects.filter(carrier_id=carrier_id, released_at__isnull=True).exclude(
        invoice__state=InvoiceState.PAID
    )
    let_go = list(unpaid.values_list("invoice_id", flat=True))
    Settlement.objects.filter(pk__in=let_go, state=SettlementState.TOGETHER).update(
        state=SettlementState.CUSTOMER, next_try_at=now, updated_at=now
    )
    return unpaid.update(released_at=now)


@transaction.atomic
def carry_less(*, carrier_id: UUID, now: datetime) -> None:
    """Follow what carried invoices have left by now: what was paid, credited or voided elsewhere is asked for no more.

    Only while nothing was paid at Stripe: what was paid is shared out by the rows as they stood.
    """
    stand = CarriedDue.objects.filter(carrier_id=carrier_id, released_at__isnull=True).select_related("invoice")
    for one in stand.order_by("invoice_id"):
        left = max(dues_of(one.invoice).left, NOTHING)
        if left == one.amount:
            continue
        CarriedDue.objects.filter(pk=one.pk).update(released_at=now)
        if left:
            CarriedDue.objects.create(invoice=one.invoice, carrier_id=carrier_id, amount=left, created_at=now)


@transaction.atomic
def wake_small(*, now: datetime) -> Sequence[UUID]:
    """Begin to collect where invoices too small alone suffice together: the latest of them carries the others."""
    rows = (
        Settlement.objects.filter(state=_RESTS, invoice__state=InvoiceState.ISSUED)
        .exclude(Exists(CarriedDue.objects.filter(invoice=OuterRef("invoice_id"), released_at__isnull=True)))
        .select_related("invoice")
        .order_by("invoice__issued_at", "pk")
    )
    groups: dict[tuple[UUID, UUID, str], list[Invoice]] = {}
    for row in rows:
        invoice = row.invoice
        groups.setdefault((invoice.tenant_id, invoice.issuer_id, invoice.currency), []).append(invoice)
    woken = []
    for (_tenant, _issuer, currency), group in groups.items():
        if len(group) < 2 or not _suffices(group, currency):
            continue
        latest = group[-1]
        if Settlement.objects.filter(pk=latest.pk, state=_RESTS).update(
            state=SettlementState.CUSTOMER, next_try_at=now, updated_at=now
        ):
            woken.append(latest.pk)
    return woken


_RESTS = SettlementState.BELOW_MINIMUM


def _suffices(group: Sequence[Invoice], currency: str) -> bool:
    total = sum((max(dues_of(one).left, NOTHING) for one in group), NOTHING)
    try:
        return not is_too_small(total, currency)
    except AmountNotRepresentable:
        return False


def _small_ones(tenant_id: UUID, issuer_id: UUID, currency: str) -> Sequence[UUID]:
    carried = CarriedDue.objects.filter(invoice=OuterRef("pk"), released_at__isnull=True)
    found = Invoice.objects.filter(
        ~Exists(carried),
        tenant_id=tenant_id,
        issuer_id=issuer_id,
        currency=currency,
        state=InvoiceState.ISSUED,
        settlement__state=_RESTS,
    )
    return list(found.values_list("pk", flat=True))


def _left(invoice: Invoice) -> Decimal:
    """What an invoice annotated by `with_dues` has left."""
    left: Decimal = invoice.left_amount  # type: ignore[attr-defined]  # annotated
    return left
