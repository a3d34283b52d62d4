"""Proves the invariants of the books from stored rows; every check says how much it looked at and what is wrong."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.canonical import digest
from billing.credit_grants import prepaid_against_ledger
from billing.evidence import differences
from billing.models import (
    Charge,
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceState,
    IssuerSequence,
    LedgerPosting,
)
from billing.money import minor_digits
from billing.rating.book import TokenClass
from clusters.models import Allocation
from metering.event_calls import rolled_totals
from metering.rebuild import hours_against_registers

FINDINGS_MAX = 20
"""Findings shown of one check; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its name, how many rows it was proved on, and where it does not hold."""

    name: str
    looked_at: int
    wrong: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.wrong


def check_books() -> tuple[Check, ...]:
    """Prove every invariant of the books; must run in one transaction at REPEATABLE READ to see one state."""
    return tuple(_run(name, check) for name, check in CHECKS.items())


def _run(name: str, check: Callable[[], tuple[int, Iterable[str]]]) -> Check:
    looked_at, found = check()
    wrong = list(found)
    if len(wrong) > FINDINGS_MAX:
        wrong = [*wrong[:FINDINGS_MAX], f"and {len(wrong) - FINDINGS_MAX} more"]
    return Check(name, looked_at, tuple(wrong))


def _rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _postings_balance() -> tuple[int, Iterable[str]]:
    wrong = _rows(
        """
        SELECT posting.key, coalesce(entry.currency, ''), coalesce(sum(entry.amount), 0), count(entry.id)
        FROM billing_ledgerposting posting LEFT JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        GROUP BY posting.key, entry.currency
        HAVING coalesce(sum(entry.amount), 0) <> 0 OR count(entry.id) = 0 ORDER BY 1, 2
        """
    )
    return LedgerPosting.objects.count(), [
        f"{key}: {amount} {currency} in {count} entries" for key, currency, amount, count in wrong
    ]


def _ledger_nets_to_zero() -> tuple[int, Iterable[str]]:
    sums = _rows("SELECT currency, sum(amount) FROM billing_ledgerentry GROUP BY currency ORDER BY 1")
    return len(sums), [f"{currency}: {amount}" for currency, amount in sums if amount]


def _invoices_add_up() -> tuple[int, Iterable[str]]:
    wrong = _rows(
        """
        SELECT invoice.number, invoice.subtotal, invoice.tax, invoice.total, coalesce(sum(line.amount), 0)
        FROM billing_invoice invoice LEFT JOIN billing_invoiceline line ON line.invoice_id = invoice.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id
        HAVING invoice.subtotal <> coalesce(sum(line.amount), 0)
            OR invoice.total <> invoice.subtotal + invoice.tax ORDER BY 1
        """
    )
    return _issued_count(), [
        f"{number}: lines {lines}, subtotal {subtotal}, tax {tax}, total {total}"
        for number, subtotal, tax, total, lines in wrong
    ]


def _lines_are_rounded_sublines() -> tuple[int, Iterable[str]]:
    rows = _rows(
        """
        SELECT invoice.number, line.position, invoice.currency, line.amount, line.exact_amount, line.quantity,
            coalesce(sum(subline.exact_amount), 0), coalesce(sum(subline.quantity), 0), count(subline.id)
        FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
        LEFT JOIN billing_invoicesubline subline ON subline.line_id = line.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id, line.id ORDER BY 1, 2
        """
    )
    wrong = []
    for number, position, currency, amount, exact, quantity, parts, quantities, count in rows:
        # Sublines are rounded to 18 decimals each, so their sum may lie that little beyond half a unit.
        limit = Decimal(1).scaleb(-minor_digits(currency)) / 2 + Decimal("1e-17") * (count + 1)
        if exact != parts or quantity != quantities or abs(amount - exact) > limit:
            wrong.append(f"{number} line {position}: {amount}, exact {exact}, sublines {parts} of {quantities}")
    return InvoiceLine.objects.exclude(invoice__state=InvoiceState.DRAFT).count(), wrong


def _lines_are_charges() -> tuple[int, Iterable[str]]:
    wrong = _rows(
        """
        WITH charged AS (
            SELECT period_id, term_ref, model, sum(amount) AS amount, sum(quantity) AS quantity
            FROM billing_charge JOIN billing_billingperiod period ON period.id = period_id
            WHERE period.state = 'closed' GROUP BY 1, 2, 3
        ), billed AS (
            SELECT invoice.period_id, line.term_ref, line.model, sum(line.exact_amount) AS amount,
                sum(line.quantity) AS quantity
            FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
            WHERE invoice.state <> 'draft' GROUP BY 1, 2, 3
        )
        SELECT coalesce(charged.period_id, billed.period_id), coalesce(charged.term_ref, billed.term_ref),
            coalesce(charged.model, billed.model), coalesce(charged.amount, 0), coalesce(billed.amount, 0)
        FROM charged FULL JOIN billed ON charged.period_id = billed.period_id
            AND charged.term_ref = billed.term_ref AND charged.model = billed.model
        WHERE coalesce(charged.amount, 0) <> coalesce(billed.amount, 0)
            OR coalesce(charged.quantity, 0) <> coalesce(billed.quantity, 0)
        ORDER BY 1, 2, 3
        """
    )
    return Charge.objects.count(), [
        f"period {period} {term} {model}: charged {charged}, billed {billed}"
        for period, term, model, charged, billed in wrong
    ]


def _invoices_are_booked() -> tuple[int, Iterable[str]]:
    wrong = _rows(
        """
        SELECT invoice.number, invoice.total, coalesce(sum(entry.amount), 0)
        FROM billing_invoice invoice
        LEFT JOIN billing_ledgerposting posting ON posting.key = 'invoice:' || invoice.id || ':issued'
        LEFT JOIN billing_ledgeraccount account ON account.organization_id = invoice.tenant_id
            AND account.kind = 'tenant_receivable' AND account.currency = invoice.currency
        LEFT JOIN billing_ledgerentry entry ON entry.posting_id = posting.id AND entry.account_id = account.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id
        HAVING invoice.total <> coalesce(sum(entry.amount), 0) ORDER BY 1
        """
    )
    return _issued_count(), [f"{number}: total {total}, receivable {booked}" for number, total, booked in wrong]


def _receivables_are_unpaid_invoices() -> tuple[int, Iterable[str]]:
    """A tenant's receivable is what it was invoiced less what it paid, unless something else was booked on it."""
    rows = _rows(
        """
        WITH owed AS (
            SELECT tenant_id, currency, sum(total) AS amount FROM billing_invoice WHERE state <> 'draft' GROUP BY 1, 2
        ), paid AS (
            SELECT invoice.tenant_id, payment.currency, sum(payment.amount) AS amount FROM billing_payment payment
            JOIN billing_invoice invoice ON invoice.id = payment.invoice_id GROUP BY 1, 2
        ), booked AS (
            SELECT account.organization_id AS tenant_id, account.currency, sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
            WHERE account.kind = 'tenant_receivable' AND posting.cause IN ('invoice', 'payment') GROUP BY 1, 2
        )
        SELECT tenant_id, currency, coalesce(owed.amount, 0) - coalesce(paid.amount, 0), coalesce(booked.amount, 0)
        FROM owed FULL JOIN paid USING (tenant_id, currency) FULL JOIN booked USING (tenant_id, currency) ORDER BY 1, 2
        """
    )
    return len(rows), [
        f"organization {tenant}: {due} {currency} due, {booked} booked"
        for tenant, currency, due, booked in rows
        if due != booked
    ]


def _deposits_are_held() -> tuple[int, Iterable[str]]:
    """What is held for tenants is what they were invoiced as deposits less what went back."""
    wrong = _rows(
        """
        WITH invoiced AS (
            SELECT invoice.issuer_id AS organization_id, invoice.currency, sum(line.amount) AS amount
            FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
            WHERE invoice.state <> 'draft' AND line.rule IN ('lease_deposit_taken', 'lease_deposit_returned')
            GROUP BY 1, 2
        ), held AS (
            SELECT account.organization_id, account.currency, -sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE account.kind = 'deposit_held' GROUP BY 1, 2
        )
        SELECT organization_id, currency, coalesce(invoiced.amount, 0), coalesce(held.amount, 0)
        FROM invoiced FULL JOIN held USING (organization_id, currency)
        WHERE coalesce(invoiced.amount, 0) <> coalesce(held.amount, 0) ORDER BY 1, 2
        """
    )
    return _issued_count(), [
        f"organization {owner}: {due} {currency} of deposits invoiced, {held} held"
        for owner, currency, due, held in wrong
    ]


def _numbers_are_gapless() -> tuple[int, Iterable[str]]:
    wrong = []
    sequences = list(IssuerSequence.objects.select_related("issuer").order_by("prefix"))
    for sequence in sequences:
        numbers = Invoice.objects.filter(issuer=sequence.issuer, number__startswith=sequence.prefix)
        found = sorted(
            int(number[len(sequence.prefix) :]) for number in numbers.values_list("number", flat=True) if number
        )
        if found != list(range(1, sequence.next_number)):
            wrong.append(f"{sequence.issuer.slug}: {len(found)} numbers below {sequence.next_number}, {found[:5]} …")
    return len(sequences), wrong


def _evidence_recomputes() -> tuple[int, Iterable[str]]:
    wrong: list[str] = []
    looked_at = 0
    sealed = InvoiceEvidence.objects.select_related("invoice").order_by("invoice_id")
    for evidence in sealed.iterator(chunk_size=100):
        looked_at += 1
        invoice = evidence.invoice
        if digest(evidence.document) != evidence.sha256:
            wrong.append(f"{invoice.number}: the document does not have the hash {evidence.sha256}")
            continue
        document = json.loads(evidence.document)
        wrong.extend(f"{invoice.number}: {difference}" for difference in differences(document))
        stated = document["invoice"]
        if (stated["number"], Decimal(stated["total"])) != (invoice.number, invoice.total):
            wrong.append(f"{invoice.number}: total {invoice.total}, in its evidence {stated['total']}")
    missing = Invoice.objects.exclude(state=InvoiceState.DRAFT).filter(evidence__isnull=True)
    wrong.extend(f"{number}: no evidence" for number in missing.values_list("number", flat=True))
    return looked_at, wrong


def _slices_have_one_holder() -> tuple[int, Iterable[str]]:
    wrong = _rows(
        """
        SELECT slice_id, from_at FROM (
            SELECT slice_id, from_at, max(coalesce(to_at, 'infinity')) OVER (
                PARTITION BY slice_id ORDER BY from_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS held_to FROM clusters_allocation
        ) held WHERE held_to > from_at ORDER BY 1, 2
        """
    )
    return Allocation.objects.count(), [f"slice {held} at {at}" for held, at in wrong]


def _events_are_usage() -> tuple[int, Iterable[str]]:
    """Gateway usage hours hold the tokens of every event that was rolled up, per reporter, source and model."""
    classes = [str(token_class) for token_class in TokenClass]
    events, sent = rolled_totals()
    hours = ", ".join(f"coalesce(sum(hour.value) FILTER (WHERE hour.quantity = '{name}'), 0)" for name in classes)
    kept = _rows(
        f"""
        SELECT meter.reporter_id, meter.source, meter.model, {hours} FROM metering_usagehour hour
        JOIN metering_meter meter ON meter.id = hour.meter_id WHERE meter.witness = 'gateway' GROUP BY 1, 2, 3
        """  # noqa: S608  the names come from an enumeration in code
    )
    counted = {(reporter, source, model): list(map(int, sums)) for reporter, source, model, *sums in kept}
    nothing = dict.fromkeys(classes, 0)
    wrong = [
        key
        for key in sorted(sent.keys() | counted.keys(), key=str)
        if [sent.get(key, nothing)[name] for name in classes] != counted.get(key, list(nothing.values()))
    ]
    return events, [f"reporter {reporter} source {source!r} model {model!r}" for reporter, source, model in wrong]


def _hours_are_registers() -> tuple[int, Iterable[str]]:
    """Usage hours of engines and cards hold what their registers rose by, whatever its quality."""
    return hours_against_registers()


def _prepaid_is_booked() -> tuple[int, Iterable[str]]:
    """What grants have left by their movements is what the ledger owes tenants, and given credit what it cost."""
    return prepaid_against_ledger()


def _issued_count() -> int:
    return Invoice.objects.exclude(state=InvoiceState.DRAFT).count()


CHECKS: dict[str, Callable[[], tuple[int, Iterable[str]]]] = {
    "every posting balances": _postings_balance,
    "the ledger nets to zero": _ledger_nets_to_zero,
    "invoices are the sum of their lines": _invoices_add_up,
    "lines are their sublines, rounded once": _lines_are_rounded_sublines,
    "lines are the charges of their period": _lines_are_charges,
    "invoices are booked as receivable": _invoices_are_booked,
    "receivables are invoices less payments": _receivables_are_unpaid_invoices,
    "deposits are held until they go back": _deposits_are_held,
    "invoice numbers have no gap": _numbers_are_gapless,
    "evidence is unchanged and recomputes": _evidence_recomputes,
    "prepaid credit is grants less what left them": _prepaid_is_booked,
    "no slice has two holders": _slices_have_one_holder,
    "gateway usage is the sum of its events": _events_are_usage,
    "metered usage is the difference of its registers": _hours_are_registers,
}
"""Every invariant by its name for people."""
