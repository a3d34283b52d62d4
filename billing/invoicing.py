"""Issuing an invoice: number, frozen lines, totals, evidence and ledger posting, in the transaction that closes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from billing.basis import PeriodBasis, rate
from billing.canonical import canonical, digest
from billing.documents.beginning import begin_documents
from billing.evidence import Header, Proof, differences, issued_again, make_document, read_basis
from billing.evidence_adjustments import Restated
from billing.evidence_taxes import Taxes
from billing.ledger import Entry, operator_for, post
from billing.models import (
    AccountKind,
    Adjustment,
    BillingPeriod,
    Contract,
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceState,
    InvoiceSubline,
    IssuerSequence,
    Settlement,
    SettlementState,
)
from billing.money import from_minor, round_to_minor
from billing.rating import lines as rating_lines
from billing.rating.inputs import facts_of
from billing.rating.late import RULE_LATE, Adjusted
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.price_rules import price_row
from billing.rating.rated import Rated, TermKind, Unit
from billing.rating.share_settling import settle_by
from billing.rating.wording import plain
from billing.rating.words import line_words
from billing.restating import in_order, rank
from billing.stripe_amounts import from_minor_units, minimum_charge_minor
from billing.tax.deciding import taxes_of
from billing.tax.parties import freeze_parties
from billing.tax.storing import store_taxes
from billing.telling import tell_invoice
from billing.together import is_together
from tenants.models import Organization
from tenants.profiles import ensure_profiles

LEASES_HEADING = "GPU leases"
LATE_HEADING = "Adjustments of earlier periods"
OTHER_HEADING = "Other"
NUMBER_DIGITS_MIN = 4
PREFIX = "INV-"
SLUG_CHARS_MAX = 11
SUBLINE_BATCH_ROWS = 2_000


DocumentOf = Callable[[Header, Taxes], dict[str, Any]]
"""Makes the evidence of a bill with its taxes."""


class EvidenceBroken(Exception):
    """The evidence about to be sealed does not recompute to the lines about to be issued."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of an invoice in its currency's minor unit.

    `deposit` is what of the total is held for the tenant, below zero where it goes back; the fee is of the rest.
    """

    subtotal: Decimal
    tax: Decimal
    total: Decimal
    operator_fee: Decimal
    deposit: Decimal


@dataclass(frozen=True, slots=True)
class Prepared:
    """An invoice that lacks nothing but its number: its draft and lines are stored, its evidence recomputes.

    `text` is the evidence with the draft's id where the number goes.
    """

    invoice: Invoice
    contract: Contract
    totals: Totals
    text: str
    due_at: datetime


def prepare_invoice(
    *,
    period: BillingPeriod,
    rated: Rated,
    basis: PeriodBasis,
    proof: Proof,
    now: datetime,
    restated: Sequence[Restated] = (),
) -> Prepared:
    """Store the draft and lines of a period's invoice from its final rating. Must run in the closing transaction.

    One line per term, model and rule, rounded once; its sublines (class, tier, price version and day) stay unrounded
    and sum to the line's exact amount. The total is never below zero (`billing.rating.below_zero`). `basis` is the
    same usage by the hour, for the evidence, which is recomputed before it is sealed (`EvidenceBroken`); `restated` are
    the closed periods that its adjustments come from. Taxes are by what both parties and the provider's rates say now;
    raises `TaxWaits`, before anything is stored, where they cannot be worked out yet.
    """

    bill = rating_lines.make_bill(rated.lines, period.contract.currency)

    def document(header: Header, taxes: Taxes) -> dict[str, Any]:
        return make_document(header, basis, proof, bill, carries=rated.carries, restated=restated, taxes=taxes)

    return _prepared(period, bill, basis, now, document_of=document)


def prepare_again(*, voided: Invoice, now: datetime) -> Prepared:
    """Store the draft and lines of a void invoice once more, from its own evidence, linked to it; no transaction ends.

    What was billed is what is billed: usage that came since is adjusted on the next invoice, as ever. Parties, taxes
    and the due date are those of now. Raises `TaxWaits`, InvoiceEvidence.DoesNotExist.
    """
    sealed = json.loads(voided.evidence.document)
    basis = read_basis(sealed)
    bill = rating_lines.make_bill(rate(basis).lines, basis.currency)

    def document(header: Header, taxes: Taxes) -> dict[str, Any]:
        return issued_again(sealed, header, taxes)

    return _prepared(voided.period, bill, basis, now, document_of=document, voided=voided)


def _prepared(
    period: BillingPeriod,
    bill: rating_lines.Bill,
    basis: PeriodBasis,
    now: datetime,
    *,
    document_of: DocumentOf,
    voided: Invoice | None = None,
) -> Prepared:
    contract = period.contract
    parties = ensure_profiles([contract.provider, contract.tenant], now)
    taxes = taxes_of(period=period, basis=basis, bill=bill, parties=parties, now=now)
    totals = _totals(contract, bill, taxes.bill.total)
    assert totals.total >= 0
    invoice = Invoice.objects.create(
        issuer_id=contract.provider_id,
        tenant_id=contract.tenant_id,
        contract=contract,
        period=period,
        reissues=voided,
        kind=_invoice_kind(bill.lines),
        currency=contract.currency,
        updated_at=now,
    )
    freeze_parties(invoice, parties)
    _store_lines(invoice, period, bill, basis, taxes)
    settling = settle_by(
        (term.stretches for term in basis.terms), due_days=contract.due_days, grace_hours=contract.grace_hours
    )
    header = Header(
        str(invoice.pk), contract.provider.name, contract.tenant.name, now, totals.subtotal, totals.tax, totals.total
    )
    document = document_of(header, taxes)
    wrong = differences(document)
    if wrong:
        raise EvidenceBroken(f"invoice of period {period.pk}: {'; '.join(wrong)}")
    return Prepared(invoice, contract, totals, canonical(document), settling.due_at(now))


def issue_invoice(prepared: Prepared, *, now: datetime, stripe_ready: bool) -> Invoice:
    """Number, seal and book a prepared invoice: the last that a closing transaction does.

    From the number on, every other invoice of the issuer waits for this transaction's end. An invoice of 0.00 is paid
    as it is issued: nothing is collected, and nothing is booked but a deposit that went back by it.
    """
    invoice, contract, totals = prepared.invoice, prepared.contract, prepared.totals
    begin_documents(invoice, now)
    number = _next_number(contract.provider)
    Invoice.objects.filter(pk=invoice.pk).update(
        number=number,
        state=InvoiceState.ISSUED,
        subtotal=totals.subtotal,
        tax=totals.tax,
        total=totals.total,
        issued_at=now,
        due_at=prepared.due_at,
        updated_at=now,
    )
    _seal(invoice, prepared.text, number)
    _post(invoice, contract, number, totals, now)
    _begin_settlement(invoice, totals.total, now, stripe_ready)
    return _told(invoice, now)


def _told(invoice: Invoice, now: datetime) -> Invoice:
    """Tell both parties of the invoice as it is stored."""
    invoice.refresh_from_db()
    tell_invoice(invoice, "invoice.issued", at=now)
    if invoice.state == InvoiceState.PAID:
        tell_invoice(invoice, "invoice.paid", at=now, occasion=now.isoformat())
    return invoice


def _totals(contract: Contract, bill: rating_lines.Bill, tax: Decimal) -> Totals:
    zero = from_minor(0, contract.currency)
    deposit = sum((line.amount for line in bill.lines if line.sublines[0].rule in DEPOSIT_RULES), start=zero)
    earned = Fraction(bill.total - deposit)
    fee = round_to_minor(earned * Fraction(contract.operator_fee_percent) / 100, contract.currency)
    return Totals(bill.total, tax, bill.total + tax, fee, deposit)


def _store_lines(
    invoice: Invoice, period: BillingPeriod, bill: rating_lines.Bill, basis: PeriodBasis, taxes: Taxes
) -> None:
    places = {id(line): place for place, line in enumerate(bill.lines)}
    lines = in_order(bill.lines)
    titles = {term.ref: term.title for term in basis.terms}
    stored: list[InvoiceLine] = []
    sublines: list[InvoiceSubline] = []
    zone = ZoneInfo(basis.zone)
    late = {fact.source: fact for fact in facts_of(basis.facts, Adjusted)}
    originals = _originals(period) if late else {}
    for position, line in enumerate(lines, 1):
        row = _line(invoice, position, line, _heading(line), _description(line, titles.get(line.term_ref, "")))
        if line.sublines[0].rule == RULE_LATE:
            source = line.sublines[0].about_ref
            row.adjusts_period_id, row.adjusts_id = originals[source]
            row.description = _late_words(late[source], zone)
            row.from_at, row.to_at = line.from_at, line.to_at
        else:
            row.from_at, row.to_at = max(line.from_at, period.from_at), min(line.to_at, period.to_at)
        stored.append(row)
        sublines.extend(_sublines(row, line, zone))
    InvoiceLine.objects.bulk_create(stored)
    InvoiceSubline.objects.bulk_create(sublines, batch_size=SUBLINE_BATCH_ROWS)
    store_taxes(invoice, taxes, [(row, places[id(line)]) for row, line in zip(stored, lines, strict=True)])


def _originals(period: BillingPeriod) -> dict[str, tuple[UUID, UUID | None]]:
    """Return of what is adjusted on the bill of a period which period and which invoice line it is."""
    # Where an invoice was issued again meanwhile, the latest says which line it is now.
    rows = Adjustment.objects.filter(into=period).order_by("seq").values_list("source", "period_id", "original_id")
    return {source: (period_id, original_id) for source, period_id, original_id in rows}


def _late_words(fact: Adjusted, zone: ZoneInfo) -> str:
    first, last = (at.astimezone(zone).date() for at in (fact.from_at, fact.to_at - timedelta(microseconds=1)))
    about = f"{fact.invoice} line {fact.line}" if fact.invoice and fact.line else fact.invoice
    counted = "" if fact.unit == Unit.AMOUNT else f"{plain(fact.quantity)} {fact.unit}"
    words = " · ".join(filter(None, (fact.term, f"came late for {first} to {last}", about, counted)))
    return words[: InvoiceLine._meta.get_field("description").max_length]


def _heading(line: rating_lines.InvoiceLine) -> str:
    return (line.model, LEASES_HEADING, LATE_HEADING, OTHER_HEADING)[rank(line)]


def _description(line: rating_lines.InvoiceLine, title: str) -> str:
    share = "a share" if line.share_percent is None else f"{line.share_percent.normalize():f} %"
    words = line_words(line.sublines[0].rule, share)
    return " · ".join(filter(None, (line.term_ref, title, words)))


def _line(invoice: Invoice, position: int, line: rating_lines.InvoiceLine, group: str, description: str) -> InvoiceLine:
    first = line.sublines[0]
    assert line.quantity is not None  # gathered by unit
    return InvoiceLine(
        invoice=invoice,
        position=position,
        group=group,
        description=description[: InvoiceLine._meta.get_field("description").max_length],
        term_kind=first.term_kind,
        term_ref=line.term_ref,
        model=line.model,
        quantity=line.quantity,
        unit=first.unit,
        unit_price=None if line.price is None else line.price.amount,
        unit_price_unit=first.price.unit,
        share_percent=line.share_percent if first.term_kind == TermKind.TOKEN_SHARE else None,
        rule=first.rule,
        quality={quality: str(quantity) for quality, quantity in line.quality_mix.items()},
        base_amount=line.base_amount,
        exact_amount=line.exact_amount,
        amount=line.amount,
    )


def _sublines(row: InvoiceLine, line: rating_lines.InvoiceLine, zone: ZoneInfo) -> list[InvoiceSubline]:
    return [
        InvoiceSubline(
            line=row,
            position=position,
            day=subline.from_at.astimezone(zone).date(),
            token_class=subline.token_class,
            context_over=subline.context_over,
            price_version_id=price_row(subline.price_version_id),
            quantity=subline.quantity,
            unit_price=subline.price.amount,
            base_amount=subline.base_amount,
            exact_amount=subline.amount,
        )
        for position, subline in enumerate(line.sublines, 1)
    ]


def _next_number(issuer: Organization) -> str:
    """Take the issuer's next number: its row stays locked until the transaction ends, so no number is left out."""
    sequence = IssuerSequence.objects.select_for_update().filter(issuer=issuer).first()
    if sequence is None:
        _make_sequence(issuer)
        sequence = IssuerSequence.objects.select_for_update().get(issuer=issuer)
    number = f"{sequence.prefix}{sequence.next_number:0{NUMBER_DIGITS_MIN}d}"
    IssuerSequence.objects.filter(pk=issuer.pk).update(next_number=sequence.next_number + 1)
    return number


def _make_sequence(issuer: Organization) -> None:
    """Give an issuer a prefix that no other has, since a collector may want numbers that are unique among all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('forecourt.issuer_sequence'))")
    taken = set(IssuerSequence.objects.values_list("prefix", flat=True))
    slug = issuer.slug.upper()[:SLUG_CHARS_MAX].rstrip("-")
    candidates = [PREFIX, f"{slug}-", *(f"{slug}{number}-" for number in range(2, len(taken) + 3))]
    prefix = next(prefix for prefix in candidates if prefix not in taken)
    IssuerSequence.objects.bulk_create([IssuerSequence(issuer=issuer, prefix=prefix)], ignore_conflicts=True)


def _seal(invoice: Invoice, text: str, number: str) -> None:
    place = json.dumps(str(invoice.pk))
    assert text.count(place) == 1, "the draft's id stands where the number goes, and nowhere else"
    sealed = text.replace(place, json.dumps(number, ensure_ascii=False))
    InvoiceEvidence.objects.create(invoice=invoice, document=sealed, sha256=digest(sealed))


def _post(invoice: Invoice, contract: Contract, number: str, totals: Totals, now: datetime) -> None:
    """Dr tenant receivable total; Cr deposit held, operator fee, tax payable, and provider payable the rest."""
    if not totals.total and not totals.tax and not totals.deposit:
        return
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
    post(
        key=f"invoice:{invoice.pk}:issued",
        cause="invoice",
        cause_id=invoice.pk,
        memo=f"Invoice {number} issued",
        at=now,
        entries=entries,
    )


def _begin_settlement(invoice: Invoice, total: Decimal, now: datetime, stripe_ready: bool) -> None:
    state = _first_step(total, invoice.currency, stripe_ready)
    if total and is_together(provider_id=invoice.issuer_id, tenant_id=invoice.tenant_id):
        state = SettlementState.GATHERING
    Settlement.objects.create(invoice=invoice, state=state, next_try_at=now, updated_at=now)
    if state == SettlementState.PAID:
        Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.PAID, paid_at=now, updated_at=now)


def _first_step(total: Decimal, currency: str, stripe_ready: bool) -> SettlementState:
    if not total:
        return SettlementState.PAID
    if not stripe_ready:
        return SettlementState.BY_HAND
    smallest = minimum_charge_minor(currency)
    if smallest is not None and total < from_minor_units(smallest, currency):
        return SettlementState.BELOW_MINIMUM
    return SettlementState.CUSTOMER


def _kind(line: rating_lines.InvoiceLine) -> TermKind:
    return line.sublines[0].term_kind


def _invoice_kind(lines: Sequence[rating_lines.InvoiceLine]) -> str:
    kinds = {_kind(line) for line in lines}
    return str(kinds.pop()) if len(kinds) == 1 else "mixed"
