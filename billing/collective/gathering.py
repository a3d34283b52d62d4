"""Putting invoices together that wait for each other: one number, one sum, one collection.

An invoice stays what it is: its contract's period, its evidence, its taxes and its postings hang on it. The collective
invoice asks for several of them, and Stripe is asked once: the latest part carries the others there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import Max, Min

from billing.documents.beginning import begin_collective
from billing.dues import read_dues, with_dues
from billing.models import (
    BillingPeriod,
    CarriedDue,
    Collective,
    CollectivePart,
    CollectiveSequence,
    ContractState,
    Invoice,
    InvoiceState,
    IssuerSequence,
    PeriodState,
    Settlement,
    SettlementState,
)
from billing.money import round_to_minor
from tenants.models import AuditEntry, Organization

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

WAITS_MAX: Final = timedelta(days=5)
"""So long after the first invoice was issued the others are waited for; then what is there is asked for."""
NUMBER_DIGITS_MIN: Final = 4
PREFIX: Final = "COL"
FIRST_PREFIX: Final = "INV-"
SLUG_CHARS_MAX: Final = 11
SWEEP: Final = "together"


@dataclass(frozen=True, slots=True)
class Group:
    """Invoices between two parties in one currency that wait to be asked for together."""

    issuer_id: UUID
    tenant_id: UUID
    currency: str


def due_groups(*, now: datetime) -> list[Group]:
    """Return the groups that are complete, or have waited long enough; a query for the groups and one a group."""
    waiting = (
        Settlement.objects.filter(state=SettlementState.GATHERING)
        .values("invoice__issuer_id", "invoice__tenant_id", "invoice__currency")
        .annotate(first_at=Min("invoice__issued_at"), to_at=Max("invoice__period__to_at"))
        .order_by("first_at")
    )
    found = []
    for row in waiting:
        group = Group(row["invoice__issuer_id"], row["invoice__tenant_id"], row["invoice__currency"])
        if row["first_at"] + WAITS_MAX <= now or not _others_close(group, row["to_at"]):
            found.append(group)
    return found


def _others_close(group: Group, to_at: datetime) -> bool:
    """Whether a period of the same parties that is over by then is not billed yet."""
    return (
        BillingPeriod.objects.filter(
            state=PeriodState.OPEN,
            to_at__lte=to_at,
            contract__provider=group.issuer_id,
            contract__tenant=group.tenant_id,
            contract__currency=group.currency,
        )
        .exclude(contract__state__in=(ContractState.DRAFT, ContractState.OFFERED))
        .exists()
    )


@transaction.atomic
def gather(*, group: Group, now: datetime, stripe_ready: bool) -> Collective | None:
    """Ask for the invoices of a group together; None where fewer than two have something left to pay.

    1. Invoices are locked in the order of their keys, so that a payment at the same time is weighed before or after.
    2. One that is alone is collected by itself. What was paid or voided while it waited is left out.
    3. The number is taken last, from a row that stays locked until the transaction ends: none is left out.
    4. Where Stripe collects, the latest part asks for all of them; else all are paid by transfer.
    """
    waiting = list(_locked(group))
    parts = [one for one in waiting if read_dues(one).left > 0 and one.state == InvoiceState.ISSUED]
    _settle([one for one in waiting if one not in parts], SettlementState.BY_HAND, now)
    pushed = SettlementState.CUSTOMER if stripe_ready else SettlementState.BY_HAND
    if len(parts) < 2:
        _settle(parts, pushed, now)
        return None
    parts.sort(key=lambda one: (one.issued_at, one.number))
    made = _made(group, parts, now)
    _settle(parts[:-1], SettlementState.TOGETHER if stripe_ready else SettlementState.BY_HAND, now)
    _settle(parts[-1:], pushed, now)
    if stripe_ready:
        CarriedDue.objects.bulk_create(
            CarriedDue(invoice=one, carrier=parts[-1], amount=read_dues(one).left, created_at=now) for one in parts[:-1]
        )
    return made


def _locked(group: Group) -> Sequence[Invoice]:
    waiting = Invoice.objects.filter(
        issuer_id=group.issuer_id,
        tenant_id=group.tenant_id,
        currency=group.currency,
        settlement__state=SettlementState.GATHERING,
    ).order_by("pk")
    ids = list(waiting.select_for_update(of=("self",)).values_list("pk", flat=True))
    # Read again under the locks: somebody may have been here in between.
    again = Invoice.objects.filter(pk__in=ids, settlement__state=SettlementState.GATHERING)
    return list(with_dues(again.order_by("pk")))


def _made(group: Group, parts: Sequence[Invoice], now: datetime) -> Collective:
    amounts = [read_dues(one).left for one in parts]
    total = round_to_minor(sum(amounts, Decimal(0)), group.currency)
    due_at = max(one.due_at for one in parts if one.due_at is not None)
    number = _next_number(Organization.objects.get(pk=group.issuer_id))
    made = Collective.objects.create(
        number=number,
        issuer_id=group.issuer_id,
        tenant_id=group.tenant_id,
        currency=group.currency,
        total=total,
        issued_at=now,
        due_at=due_at,
    )
    CollectivePart.objects.bulk_create(
        CollectivePart(collective=made, invoice=one, position=position, amount=amount)
        for position, (one, amount) in enumerate(zip(parts, amounts, strict=True), 1)
    )
    begin_collective(made, now)
    AuditEntry.objects.create(
        organization_id=group.issuer_id,
        actor=SWEEP,
        action="collective.made",
        subject=f"collective invoice {number}",
        after={"invoices": [one.number for one in parts], "total": str(total), "currency": group.currency},
        at=now,
    )
    return made


def _settle(invoices: Sequence[Invoice], state: SettlementState, now: datetime) -> None:
    Settlement.objects.filter(pk__in=[one.pk for one in invoices], state=SettlementState.GATHERING).update(
        state=state, next_try_at=now, updated_at=now
    )


def _next_number(issuer: Organization) -> str:
    if not CollectiveSequence.objects.filter(pk=issuer.pk).exists():
        _make_sequence(issuer)
    sequence = CollectiveSequence.objects.select_for_update().get(pk=issuer.pk)
    number = f"{sequence.prefix}{sequence.next_number:0{NUMBER_DIGITS_MIN}d}"
    CollectiveSequence.objects.filter(pk=issuer.pk).update(next_number=sequence.next_number + 1)
    return number


def _make_sequence(issuer: Organization) -> None:
    """Name an issuer's collective invoices after its invoices, so that no text names one and means the other.

    "COL-0001" beside "INV-0001", and "COLACME-0001" beside "ACME-0001": after a letter no number of an invoice begins.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('forecourt.issuer_sequence'))")
    invoices = IssuerSequence.objects.filter(issuer=issuer).first()
    own = invoices.prefix if invoices else f"{issuer.slug.upper()[:SLUG_CHARS_MAX]}-"
    prefix = f"{PREFIX}-" if own == FIRST_PREFIX else f"{PREFIX}{own}"
    CollectiveSequence.objects.bulk_create([CollectiveSequence(issuer=issuer, prefix=prefix)], ignore_conflicts=True)
