"""Rating closed periods anew with what came late, and booking the difference into the period that is open.

Every run looks at the whole of a closed period and books what its lines come to now, less what was billed and booked
of them: done again it books nothing. A period that hands on something else than before (a tier's position, what is
left of a package) makes those after it be rated anew too.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Sum

from billing.adjusting.late_usage import ClosedPeriod, closed_before
from billing.adjusting.rules import upward_until
from billing.bases import Grain, read_basis, window_of
from billing.basis import PeriodBasis, rate
from billing.evidence import read_basis as read_sealed
from billing.evidence import recompute
from billing.evidence_adjustments import Restated
from billing.models import Adjustment, BillingPeriod, Invoice, InvoiceEvidence, InvoiceLine, PeriodCarry
from billing.money import exact_sum, less, round_to_minor
from billing.rating.lines import make_bill
from billing.rating.rated import Carry, TermKind
from billing.restating import (
    Billed,
    LineKey,
    LineNow,
    in_order,
    is_restated,
    key_of,
    late_basis,
    lines_now,
    restated_carries,
    source_of,
)


@dataclass(frozen=True, slots=True)
class _Original:
    """What a closed period was billed with: its invoice, and the basis that was sealed; None where it had none."""

    invoice: Invoice | None
    sha256: str
    sealed: PeriodBasis | None
    lines: Mapping[LineKey, InvoiceLine]


def restate_into(
    *, into: BillingPeriod, now: datetime, before: Sequence[ClosedPeriod] | None = None
) -> tuple[Restated, ...]:
    """Book into an open period what came late for the closed periods before it; return those with adjustments in it.

    The caller has locked the contract and the period. Two queries where nothing came late, none where the closed
    periods `before` it were read already.
    """
    found: list[Restated] = []
    moved = False
    for closed in closed_before(into) if before is None else before:
        period = closed.period
        if not (moved or closed.is_late or closed.is_adjusted):
            continue
        period.contract = into.contract
        restated, handed_on = _restate(period, into, now)
        moved = moved or handed_on
        BillingPeriod.objects.filter(pk=period.pk).update(restated_at=now)
        if any(line.adjusted_amount or line.withheld_amount for line in restated.lines):
            found.append(restated)
    return tuple(found)


def _restate(period: BillingPeriod, into: BillingPeriod, now: datetime) -> tuple[Restated, bool]:
    original = _original(period)
    current = read_basis(window_of(period), grain=Grain.HOUR)
    basis = current if original.sealed is None else late_basis(original.sealed, current)
    rated = rate(basis)
    limit = upward_until(period=period)
    lines = lines_now(
        make_bill(rated.lines, basis.currency),
        _billed(period, into, original),
        upward_billed=limit is None or into.from_at < limit,
    )
    _book(period, into, original, {source_of(basis, line): line for line in lines}, now)
    carries = restated_carries(rated.carries, basis.contract, basis)
    restated = Restated(
        invoice=(original.invoice.number or "") if original.invoice else "",
        sha256=original.sha256,
        basis=basis,
        upward_billed=limit is None or into.from_at < limit,
        lines=lines,
        carries=carries,
    )
    return restated, _hand_on(period, basis, carries)


def _original(period: BillingPeriod) -> _Original:
    issued = InvoiceEvidence.objects.select_related("invoice").filter(invoice__period=period)
    evidence = issued.filter(invoice__reissued_by__isnull=True).first()
    if evidence is None:
        return _Original(None, "", None, {})
    document = json.loads(evidence.document)
    sealed = read_sealed(document)
    bill = in_order(recompute(document).lines)
    stored = InvoiceLine.objects.filter(invoice=evidence.invoice).order_by("position")
    lines = {
        key_of(line): row for line, row in zip(bill, stored, strict=True) if is_restated(line.sublines[0].term_kind)
    }
    return _Original(evidence.invoice, evidence.sha256, sealed, lines)


def _billed(period: BillingPeriod, into: BillingPeriod, original: _Original) -> dict[LineKey, Billed]:
    """Return what was billed of each line, on its invoice and by adjustments on invoices before that of `into`."""
    currency = period.contract.currency
    billed = {
        key: Billed(TermKind(row.term_kind), row.position, row.quantity, round_to_minor(row.amount, currency))
        for key, row in original.lines.items()
    }
    rows = (
        Adjustment.objects.filter(period=period)
        .exclude(into=into)
        .values("term_ref", "model", "rule", "unit", "about", "term_kind")
        .annotate(quantities=Sum("quantity"), amounts=Sum("amount"))
    )
    for row in rows:
        key = LineKey(row["term_ref"], row["model"], row["rule"], row["unit"], row["about"])
        before = billed.get(key, Billed(TermKind(row["term_kind"]), 0, Decimal(0), Decimal(0)))
        billed[key] = Billed(
            before.kind,
            before.position,
            exact_sum((before.quantity, row["quantities"])),
            round_to_minor(exact_sum((before.amount, row["amounts"])), currency),
        )
    return billed


def _book(
    period: BillingPeriod, into: BillingPeriod, original: _Original, lines: Mapping[str, LineNow], now: datetime
) -> None:
    booked = _booked(period, into)
    rows: list[Adjustment] = []
    for source, line in lines.items():
        before = booked[source]
        quantity = less(line.quantity, line.billed_quantity, before.quantity)
        amount = less(line.adjusted_amount, before.amount)
        withheld = less(line.withheld_amount, before.withheld)
        if quantity or amount or withheld:
            rows.append(
                Adjustment(
                    period=period,
                    source=source,
                    seq=before.seq + 1,
                    into=into,
                    original=original.lines.get(line.key),
                    invoice=original.invoice,
                    term_kind=line.kind,
                    term_ref=line.key.term,
                    model=line.key.model,
                    rule=line.key.rule,
                    about=line.key.about,
                    unit=line.key.unit,
                    quantity=quantity,
                    amount=amount,
                    withheld=withheld,
                    found_at=now,
                )
            )
    Adjustment.objects.bulk_create(rows)


@dataclass(frozen=True, slots=True)
class _Booked:
    seq: int = 0
    quantity: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    withheld: Decimal = Decimal(0)


def _booked(period: BillingPeriod, into: BillingPeriod) -> dict[str, _Booked]:
    """Return what is booked of each line into an open period; what was withheld, and the number, over all periods."""
    booked: dict[str, _Booked] = defaultdict(_Booked)
    rows = Adjustment.objects.filter(period=period).values("source", "into_id")
    for row in rows.annotate(
        last=Max("seq"), quantities=Sum("quantity"), amounts=Sum("amount"), withholds=Sum("withheld")
    ):
        before = booked[row["source"]]
        here = row["into_id"] == into.pk
        booked[row["source"]] = _Booked(
            max(before.seq, row["last"]),
            row["quantities"] if here else before.quantity,
            row["amounts"] if here else before.amount,
            exact_sum((before.withheld, row["withholds"])),
        )
    return booked


def _hand_on(period: BillingPeriod, basis: PeriodBasis, carries: Iterable[Carry]) -> bool:
    """Store what a restated period hands on where that is something else than before; whether it is."""
    credit = {term.ref for term in basis.of_kind(TermKind.CREDIT)}
    stored = {
        (row.term_ref, row.name): row
        for row in PeriodCarry.objects.filter(period=period).order_by("seq")
        if row.term_ref != basis.contract and row.term_ref not in credit
    }
    now = {(carry.term_ref, carry.name): carry.value for carry in carries}
    rows = []
    for key in sorted({*stored, *now}):
        before, value = stored.get(key), now.get(key, Decimal(0))
        if value != (before.value if before else 0):
            rows.append(
                PeriodCarry(
                    period=period, term_ref=key[0], name=key[1], value=value, seq=before.seq + 1 if before else 1
                )
            )
    PeriodCarry.objects.bulk_create(rows)
    return bool(rows)
