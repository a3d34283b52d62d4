"""One look: reads what Stripe has of a stretch of time, heals what can be healed, and keeps what differs."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, F, Func, Min, Sum, Value

from billing.collecting.chargebacks import apply_dispute
from billing.collecting.movements import keep_movements
from billing.models import (
    AccountKind,
    Chargeback,
    CreditMovement,
    Difference,
    Invoice,
    LedgerEntry,
    MovementKind,
    Payment,
    PaymentReversal,
    PaymentSource,
    Payout,
    Reconciliation,
    Refund,
    Settlement,
    TopUp,
    TopUpState,
)
from billing.money import round_to_minor
from billing.reconciling.comparing import NOTHING, Found, Moved, OurInvoice, Side, compare_amounts, compare_invoices
from billing.statements.transfers import apply_transfer
from billing.stripe_amounts import from_minor_units, minor_units, told_minor_units
from billing.stripe_answers import StripeRefused, StripeUnavailable
from billing.stripe_events import keep_event
from billing.topups.charged_back import REFUNDED_BY_HAND
from billing.topups.charges import note_charges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from billing.stripe_gateway import StripeGateway
    from billing.stripe_seen import StripeMovement as Seen

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=35)
SETTLING = timedelta(minutes=10)
"""What is younger may be on its way between Stripe and us."""
STALE_AFTER = timedelta(hours=1)
CHARGES = frozenset({"charge", "payment"})
GONE = "gone"
ACCEPTED = "accept"


def begin(*, by: str, now: datetime, day: date | None = None) -> Reconciliation | None:
    """Begin a look over the last 35 days, and back to the oldest open difference; None if this night has its look.

    One that was begun and not ended within an hour was killed: it is taken over.
    """
    oldest = Difference.objects.filter(settled_at__isnull=True).aggregate(at=Min("object_at"))["at"]
    start = min(filter(None, (now - LOOK_BACK, oldest)))
    fields = {"from_at": start, "to_at": now, "started_at": now, "started_by": by}
    if day is None:
        return Reconciliation.objects.create(**fields)
    made, is_new = Reconciliation.objects.get_or_create(day=day, defaults=fields)
    if is_new:
        return made
    stale = Reconciliation.objects.filter(pk=made.pk, finished_at__isnull=True, started_at__lt=now - STALE_AFTER)
    if not stale.update(**fields, error=""):
        return None
    made.refresh_from_db()
    return made


def look(*, run: Reconciliation, gateway: StripeGateway, now: datetime) -> Reconciliation:
    """Compare everything of the run's window; no transaction may be open.

    1. Movements are kept, and fees booked; disputes are applied, missed events kept for the next sweep.
    2. Invoices, charges, refunds, transfers, customers and the balance are compared.
    3. What differs is kept; an open difference that was not found again is settled.

    Raises StripeUnavailable with the reason on the run: nothing is settled then, and a later look begins anew.
    """
    counts: Counter[str] = Counter()
    try:
        found = list(_everything(run, gateway, counts, now))
    except (StripeUnavailable, StripeRefused) as error:
        Reconciliation.objects.filter(pk=run.pk).update(error=str(error)[:500])
        raise
    with transaction.atomic():
        _keep(found, now)
        Reconciliation.objects.filter(pk=run.pk).update(
            finished_at=now, looked_at=dict(counts), found=len(found), error=""
        )
    run.refresh_from_db()
    return run


def _everything(run: Reconciliation, gateway: StripeGateway, counts: Counter[str], now: datetime) -> Iterator[Found]:
    window = (run.from_at, run.to_at)
    _heal(run, gateway, counts, now)
    movements = list(gateway.list_balance_transactions(*window))
    counts["movements"] = len(movements)
    keep_movements(movements, now=now)
    yield from _invoices(run, gateway, counts, now)
    settled = [one for one in movements if one.created < now - SETTLING]
    yield from _charges(settled, counts)
    yield from _payments_gone(run, gateway, movements, counts)
    yield from _refunds(settled, counts)
    yield from _transfers(settled, counts)
    for customer_id, balance_minor, currency in gateway.customer_balances():
        theirs = Side(amount_minor=balance_minor, currency=currency)
        yield Found("customer_balance", customer_id, None, replace(theirs, amount_minor=0), theirs, now)
    yield from _balances(gateway, counts, now)


def _heal(run: Reconciliation, gateway: StripeGateway, counts: Counter[str], now: datetime) -> None:
    """What a lost webhook would have told is applied; events that reached nobody are kept for the sweep."""
    for dispute in gateway.list_disputes(run.from_at, run.to_at):
        counts["disputes"] += 1
        apply_dispute(seen=dispute, now=now)
    for transfer in gateway.list_transfers(run.from_at, run.to_at):
        if transfer.reversed_minor:
            counts["transfers_reversed"] += 1
            apply_transfer(seen=transfer, reversals=gateway.list_reversals(transfer.id), now=now)
    for event in gateway.undelivered_events(run.from_at, run.to_at):
        counts["events_missed"] += 1
        subject = {"object": event.object_type, "id": event.object_id}
        payload = json.dumps({"id": event.id, "type": event.type, "data": {"object": subject}})
        keep_event(seen=event, payload=payload, now=now)
    note_charges(gateway=gateway)


def _invoices(run: Reconciliation, gateway: StripeGateway, counts: Counter[str], now: datetime) -> Iterator[Found]:
    ours = {one.stripe_id: one for one in _our_invoices()}
    seen_ids = set()
    theirs = []
    for seen in gateway.list_invoices(run.from_at, run.to_at):
        counts["invoices"] += 1
        seen_ids.add(seen.id)
        known = ours.get(seen.id)
        theirs.append((seen, known.issued_at if known else now))
    yield from compare_invoices(ours, theirs)
    for stripe_id, known in ours.items():
        if stripe_id in seen_ids or not run.from_at <= known.issued_at < run.to_at:
            continue
        try:
            gateway.get_invoice(stripe_id)
        except StripeRefused:
            ours_now = Side(known.number, known.state)
            yield Found("invoice_gone", stripe_id, known.invoice_id, ours_now, None, known.issued_at)


def _our_invoices() -> Iterator[OurInvoice]:
    paid = dict(
        Payment.objects.filter(method="stripe").values_list("invoice_id").annotate(sum=Sum("amount")).order_by()
    )
    rows = Settlement.objects.exclude(stripe_invoice_id="").select_related("invoice")
    for row in rows.iterator(chunk_size=1000):
        invoice = row.invoice
        assert invoice.issued_at is not None, invoice
        yield OurInvoice(
            invoice_id=invoice.pk,
            number=invoice.number or "",
            state=invoice.state,
            currency=invoice.currency,
            paid_by_stripe_minor=minor_units(paid.get(invoice.pk, Decimal(0)), invoice.currency),
            stripe_id=row.stripe_invoice_id,
            issued_at=invoice.issued_at,
        )


def _charges(movements: Iterable[Seen], counts: Counter[str]) -> Iterator[Found]:
    moved = [_moved(one) for one in movements if one.kind in CHARGES]
    counts["charges"] = len(moved)
    rows = (
        PaymentSource.objects.filter(charge_id__in=[one.source_id for one in moved])
        .values_list("charge_id", "payment__currency", "payment__invoice_id", "payment__amount")
        .order_by("charge_id", "payment_id")
    )
    booked: dict[str, tuple[int, UUID | None]] = {}
    for charge_id, currency, invoice_id, amount in rows:
        before = booked.get(charge_id, (0, None))[0]
        booked[charge_id] = (before + minor_units(amount, currency), invoice_id)
    bought = TopUp.objects.filter(state=TopUpState.PAID, charge_id__in=[one.source_id for one in moved])
    for charge_id, currency, amount in bought.values_list("charge_id", "currency", "amount").order_by("charge_id"):
        booked[charge_id] = (minor_units(amount, currency), None)
    yield from compare_amounts(booked, moved, unbooked="charge_unbooked", differs="charge_amount")


def _payments_gone(
    run: Reconciliation, gateway: StripeGateway, movements: Iterable[Seen], counts: Counter[str]
) -> Iterator[Found]:
    """Payments of the window by card whose charge Stripe's books do not have."""
    seen = {one.source_id for one in movements}
    rows = Payment.objects.filter(method="stripe", received_at__gte=run.from_at, received_at__lt=run.to_at - SETTLING)
    for payment in rows.select_related("source", "invoice").order_by("pk").iterator(chunk_size=1000):
        counts["payments"] += 1
        source = getattr(payment, "source", None)
        won = Chargeback.objects.filter(dispute_id=payment.reference.partition(":")[0]).exists()
        if won or (source is not None and source.charge_id in seen):
            continue
        if source is None or not source.charge_id:
            # Booked before sources were noted: the invoice at Stripe shows it, or nothing does.
            settlement = Settlement.objects.filter(pk=payment.invoice_id).first()
            if settlement and settlement.stripe_invoice_id and _shows(gateway, settlement.stripe_invoice_id, payment):
                continue
        amount_minor = told_minor_units(payment.amount, payment.currency)
        booked = Side(payment.invoice.number or "", amount_minor=amount_minor, currency=payment.currency)
        yield Found("payment_gone", payment.reference[:100], payment.invoice_id, booked, None, payment.received_at)


def _shows(gateway: StripeGateway, stripe_invoice_id: str, payment: Payment) -> bool:
    try:
        seen = gateway.get_invoice(stripe_invoice_id)
    except StripeRefused:
        return False
    return any(payment.reference.startswith(one.id) for one in seen.payments if one.status == "paid")


def _refunds(movements: Iterable[Seen], counts: Counter[str]) -> Iterator[Found]:
    moved = [_moved(one) for one in movements if one.kind in ("refund", "payment_refund")]
    counts["refunds"] = len(moved)
    ours = Refund.objects.filter(reference__in=[one.source_id for one in moved])
    booked: dict[str, tuple[int, UUID | None]] = {
        one.reference: (-minor_units(one.amount, one.account.currency), None) for one in ours.select_related("account")
    }
    for refund_id, invoice_id, back_minor in _booked_by_hand({one.source_id for one in moved}):
        booked[refund_id] = (booked.get(refund_id, (0, None))[0] - back_minor, invoice_id)
    yield from compare_amounts(booked, moved, unbooked="refund_unbooked", differs="refund_unbooked")


def _booked_by_hand(refund_ids: set[str]) -> Iterator[tuple[str, UUID | None, int]]:
    """Of refunds made at Stripe by hand what was taken back of payments and of bought credit here
    (`booking.book_refund`)."""
    named = Func(F("reference"), Value(":"), Value(1), function="split_part", output_field=CharField())
    rows = PaymentReversal.objects.annotate(refund=named).filter(refund__in=refund_ids)
    for refund_id, invoice_id, amount, currency in rows.values_list(
        "refund", "payment__invoice_id", "amount", "payment__currency"
    ):
        yield refund_id, invoice_id, minor_units(amount, currency)
    of_credit = [f"{REFUNDED_BY_HAND}{refund_id}" for refund_id in refund_ids]
    taken = CreditMovement.objects.filter(kind=MovementKind.TAKEN, reference__in=of_credit)
    for reference, amount, currency in taken.values_list("reference", "amount", "term__contract__currency"):
        yield reference.removeprefix(REFUNDED_BY_HAND), None, minor_units(amount, currency)


def _transfers(movements: Iterable[Seen], counts: Counter[str]) -> Iterator[Found]:
    moved = [_moved(one) for one in movements if one.kind == "transfer"]
    counts["transfers"] = len(moved)
    ours = Payout.objects.filter(reference__in=[one.source_id for one in moved])
    booked: dict[str, tuple[int, UUID | None]] = {
        one.reference: (-minor_units(one.amount, one.currency), None) for one in ours
    }
    yield from compare_amounts(booked, moved, unbooked="transfer_unbooked", differs="transfer_unbooked")


def _balances(gateway: StripeGateway, counts: Counter[str], now: datetime) -> Iterator[Found]:
    """The balance at Stripe is the sum of our clearing accounts, of all organizations, by currency."""
    entries = LedgerEntry.objects.filter(account__kind=AccountKind.STRIPE_CLEARING)
    ours = dict(entries.values_list("currency").annotate(sum=Sum("amount")).order_by())
    theirs = {one.currency: one.available_minor + one.pending_minor for one in gateway.balance()}
    for currency in sorted({*ours, *theirs}):
        counts["currencies"] += 1
        have, has = ours.get(currency, Decimal(0)), from_minor_units(theirs.get(currency, 0), currency)
        if have != has:
            # By what it is off, so that one that was accepted stays so while money moves on both sides alike.
            yield Found(
                "balance",
                f"{currency} {round_to_minor(has - have, currency):+}",
                None,
                Side(amount_minor=told_minor_units(have, currency), currency=currency),
                Side(amount_minor=told_minor_units(has, currency), currency=currency),
                now,
            )


def _moved(one: Seen) -> Moved:
    return Moved(one.source_id or one.id, one.amount_minor, one.currency, one.created)


def _keep(found: Iterable[Found], now: datetime) -> None:
    """Keep what was found; what a person accepted stays settled while it is the same, anything else opens again."""
    seen = []
    for one in found:
        sides = _stored(one)
        row, is_new = Difference.objects.select_for_update().get_or_create(
            kind=one.kind,
            stripe_id=one.stripe_id,
            defaults={
                **sides,
                "invoice_id": _existing(one.invoice_id),
                "object_at": one.object_at,
                "first_seen_at": now,
                "last_seen_at": now,
            },
        )
        seen.append(row.pk)
        if is_new:
            told = (one.kind, one.stripe_id, sides["ours"], sides["theirs"])
            logger.error("Our books and Stripe's differ: %s %s: %s / %s", *told)
            continue
        # A balance is the same while it is off by the same, which is its id, though both sides move.
        is_same = one.kind == "balance" or (row.ours, row.theirs) == (sides["ours"], sides["theirs"])
        if row.settled_at is not None and not (row.way == ACCEPTED and is_same):
            row.settled_at, row.settled_by, row.way = None, "", ""
        for name, value in sides.items():
            setattr(row, name, value)
        row.last_seen_at = now
        row.save()
    gone = Difference.objects.filter(settled_at__isnull=True).exclude(pk__in=seen)
    gone.update(settled_at=now, settled_by="reconciliation", way=GONE)


def _stored(one: Found) -> dict[str, Any]:
    """What a row keeps of the two sides: their values, and both as text by which a change of either is seen."""
    return {
        "ours": str(one.ours or NOTHING)[:300],
        "theirs": str(one.theirs or NOTHING)[:300],
        "our_side": {} if one.ours is None else asdict(one.ours),
        "their_side": {} if one.theirs is None else asdict(one.theirs),
    }


def _existing(invoice_id: UUID | None) -> UUID | None:
    return Invoice.objects.filter(pk=invoice_id).values_list("pk", flat=True).first() if invoice_id else None
