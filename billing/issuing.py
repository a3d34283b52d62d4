"""Issuing prepared invoices: number, seal, ledger posting and first step of collecting, as a closing transaction ends.

Numbers have no gap, so that from the first number on every other invoice of the issuer waits for this transaction's
end: what is done from there on is done for all of its invoices at once, in few statements.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.canonical import digest
from billing.documents.beginning import begin_all
from billing.invoicing import Prepared
from billing.ledger import Entry, operator_for, post_all
from billing.models import (
    AccountKind,
    Invoice,
    InvoiceEvidence,
    InvoiceState,
    IssuerSequence,
    LedgerPosting,
    Settlement,
    SettlementState,
)
from billing.stripe_amounts import from_minor_units, minimum_charge_minor
from billing.telling import tell_issued
from billing.together import together_among
from tenants.models import Organization

NUMBER_DIGITS_MIN = 4
PREFIX = "INV-"
SLUG_CHARS_MAX = 11
ISSUE = """
    UPDATE billing_invoice SET number = one.number, state = 'issued', subtotal = one.subtotal, tax = one.tax,
        total = one.total, issued_at = %(now)s, due_at = one.due_at, updated_at = %(now)s
    FROM unnest(
        %(ids)s::uuid[], %(numbers)s::text[], %(subtotals)s::numeric[], %(taxes)s::numeric[], %(totals)s::numeric[],
        %(due)s::timestamptz[]
    ) AS one (id, number, subtotal, tax, total, due_at)
    WHERE billing_invoice.id = one.id
"""


def issue_invoice(prepared: Prepared, *, now: datetime, stripe_ready: bool) -> Invoice:
    """Do `issue_invoices` for one."""
    return issue_invoices([prepared], now=now, stripe_ready=stripe_ready)[0]


def issue_invoices(prepared: Sequence[Prepared], *, now: datetime, stripe_ready: bool) -> list[Invoice]:
    """Number, seal and book prepared invoices whose drafts are stored, in their order: the last that a closing
    transaction does.

    An invoice of 0.00 is paid as it is issued: nothing is collected, and nothing is booked but a deposit that went
    back by it. Raises `OperatorMissing`.
    """
    if not prepared:
        return []
    drafts = [one.invoice for one in prepared]
    begin_all(drafts, now)
    numbers = _numbers([one.contract.provider for one in prepared])
    with connection.cursor() as cursor:
        cursor.execute(
            ISSUE,
            {
                "now": now,
                "ids": [draft.pk for draft in drafts],
                "numbers": numbers,
                "subtotals": [one.totals.subtotal for one in prepared],
                "taxes": [one.totals.tax for one in prepared],
                "totals": [one.totals.total for one in prepared],
                "due": [one.due_at for one in prepared],
            },
        )
    for one, number in zip(prepared, numbers, strict=True):
        # Each by itself: several in one statement go as an array, in which every quote is escaped once more.
        InvoiceEvidence.objects.bulk_create([_sealed(one, number)])
    booked = [_posting(one, number, now) for one, number in zip(prepared, numbers, strict=True)]
    post_all([each for each in booked if each is not None])
    _begin_settlements(prepared, now, stripe_ready)
    stored = Invoice.objects.in_bulk([draft.pk for draft in drafts])
    issued = [stored[draft.pk] for draft in drafts]
    tell_issued(issued, at=now)
    return issued


def _numbers(issuers: Sequence[Organization]) -> list[str]:
    """Take each issuer's next numbers: its row stays locked until the transaction ends, so no number is left out."""
    wanted = {issuer.pk: issuer for issuer in issuers}
    counts: dict[UUID, int] = defaultdict(int)
    for issuer in issuers:
        counts[issuer.pk] += 1
    sequences = _locked(wanted)
    missing = [pk for pk in sorted(wanted) if pk not in sequences]
    for pk in missing:
        _make_sequence(wanted[pk])
    if missing:
        sequences |= _locked(missing)
    following = {pk: sequence.next_number for pk, sequence in sequences.items()}
    found: list[str] = []
    for issuer in issuers:
        found.append(f"{sequences[issuer.pk].prefix}{following[issuer.pk]:0{NUMBER_DIGITS_MIN}d}")
        following[issuer.pk] += 1
    for pk, next_number in following.items():
        IssuerSequence.objects.filter(pk=pk).update(next_number=next_number)
    return found


def _locked(issuer_ids: Iterable[UUID]) -> dict[UUID, IssuerSequence]:
    """Lock in one order, whoever else takes numbers of several."""
    rows = IssuerSequence.objects.select_for_update().filter(pk__in=list(issuer_ids)).order_by("pk")
    return {row.pk: row for row in rows}


def _make_sequence(issuer: Organization) -> None:
    """Give an issuer a prefix that no other has, since a collector may want numbers that are unique among all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('forecourt.issuer_sequence'))")
    taken = set(IssuerSequence.objects.values_list("prefix", flat=True))
    slug = issuer.slug.upper()[:SLUG_CHARS_MAX].rstrip("-")
    candidates = [PREFIX, f"{slug}-", *(f"{slug}{number}-" for number in range(2, len(taken) + 3))]
    prefix = next(prefix for prefix in candidates if prefix not in taken)
    IssuerSequence.objects.bulk_create([IssuerSequence(issuer=issuer, prefix=prefix)], ignore_conflicts=True)


def _sealed(prepared: Prepared, number: str) -> InvoiceEvidence:
    place = json.dumps(str(prepared.invoice.pk))
    assert prepared.text.count(place) == 1, "the draft's id stands where the number goes, and nowhere else"
    sealed = prepared.text.replace(place, json.dumps(number, ensure_ascii=False))
    return InvoiceEvidence(invoice=prepared.invoice, document=sealed, sha256=digest(sealed))


def _posting(prepared: Prepared, number: str, now: datetime) -> tuple[LedgerPosting, list[Entry]] | None:
    """Dr tenant receivable total; Cr deposit held, operator fee, tax payable, and provider payable the rest."""
    invoice, contract, totals = prepared.invoice, prepared.contract, prepared.totals
    if not totals.total and not totals.tax and not totals.deposit:
        return None
    currency = contract.currency
    payable = totals.total - totals.operator_fee - totals.tax - totals.deposit
    entries = [
        Entry(contract.tenant_id, AccountKind.TENANT_RECEIVABLE, currency, totals.total),
        Entry(contract.provider_id, AccountKind.PROVIDER_PAYABLE, currency, -payable),
        Entry(contract.provider_id, AccountKind.TAX_PAYABLE, currency, -totals.tax),
        Entry(contract.provider_id, AccountKind.DEPOSIT_HELD, currency, -totals.deposit),
    ]
    if totals.operator_fee:
        operator = operator_for(contract)
        entries.append(Entry(operator.id, AccountKind.OPERATOR_FEE, currency, -totals.operator_fee))
    key, memo = f"invoice:{invoice.pk}:issued", f"Invoice {number} issued"
    return LedgerPosting(key=key, cause="invoice", cause_id=invoice.pk, memo=memo, at=now), entries


def _begin_settlements(prepared: Sequence[Prepared], now: datetime, stripe_ready: bool) -> None:
    together = together_among({(one.invoice.issuer_id, one.invoice.tenant_id) for one in prepared})
    rows: list[Settlement] = []
    for one in prepared:
        invoice, total = one.invoice, one.totals.total
        state = _first_step(total, invoice.currency, stripe_ready)
        if total and (invoice.issuer_id, invoice.tenant_id) in together:
            state = SettlementState.GATHERING
        rows.append(Settlement(invoice=invoice, state=state, next_try_at=now, updated_at=now))
    Settlement.objects.bulk_create(rows)
    paid = [row.invoice_id for row in rows if row.state == SettlementState.PAID]
    if paid:
        Invoice.objects.filter(pk__in=paid).update(state=InvoiceState.PAID, paid_at=now, updated_at=now)


def _first_step(total: Decimal, currency: str, stripe_ready: bool) -> SettlementState:
    if not total:
        return SettlementState.PAID
    if not stripe_ready:
        return SettlementState.BY_HAND
    smallest = minimum_charge_minor(currency)
    if smallest is not None and total < from_minor_units(smallest, currency):
        return SettlementState.BELOW_MINIMUM
    return SettlementState.CUSTOMER
