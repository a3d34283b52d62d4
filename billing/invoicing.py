"""Making an invoice: frozen lines, totals and evidence, in the transaction that closes (`billing.issuing`)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.basis import PeriodBasis, rate
from billing.canonical import canonical
from billing.evidence import Header, Proof, differences, issued_again, make_document, read_basis
from billing.evidence_adjustments import Restated
from billing.evidence_taxes import Taxes
from billing.line_details import detail_of
from billing.models import (
    Adjustment,
    BillingPeriod,
    Contract,
    Invoice,
    InvoiceLine,
    InvoiceLineTax,
    InvoiceParties,
    InvoiceSubline,
    InvoiceTax,
    TaxSettings,
)
from billing.money import from_minor, round_to_minor
from billing.rating import lines as rating_lines
from billing.rating.adjusting import is_adjustment
from billing.rating.inputs import facts_of
from billing.rating.late import RULE_LATE, Adjusted
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.price_rules import price_row
from billing.rating.rated import Rated, TermKind, Unit
from billing.rating.share_settling import settle_by
from billing.rating.wording import plain
from billing.rating.words import line_words
from billing.restating import in_order, rank
from billing.tax.deciding import settings_by_provider, taxes_of
from billing.tax.parties import parties_row
from billing.tax.storing import tax_rows
from tenants.models import BillingProfile
from tenants.profiles import ensure_profiles

LEASES_HEADING = "GPU leases"
LATE_HEADING = "Adjustments of earlier periods"
OTHER_HEADING = "Other"
BATCH_ROWS = 2_000


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
class Rows:
    """What is stored with a draft."""

    parties: InvoiceParties
    lines: list[InvoiceLine]
    sublines: list[InvoiceSubline]
    taxes: list[InvoiceTax]
    line_taxes: list[InvoiceLineTax]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An invoice that lacks nothing but its number: its evidence recomputes. `store_drafts` stores its rows.

    `text` is the evidence with the draft's id where the number goes.
    """

    invoice: Invoice
    contract: Contract
    totals: Totals
    text: str
    due_at: datetime
    rows: Rows


def prepare_invoice(
    *,
    period: BillingPeriod,
    rated: Rated,
    basis: PeriodBasis,
    proof: Proof,
    now: datetime,
    parties: Mapping[UUID, BillingProfile],
    settings: Mapping[UUID, TaxSettings],
    restated: Sequence[Restated] = (),
) -> Prepared:
    """Return a period's invoice from its final rating, to be stored in the closing transaction.

    One line per term, model and rule, rounded once; its sublines (class, tier, price version and day) stay unrounded
    and sum to the line's exact amount. The total is never below zero (`billing.rating.below_zero`). `basis` is the
    same usage by the hour, for the evidence, which is recomputed before it is sealed (`EvidenceBroken`); `restated` are
    the closed periods that its adjustments come from. Taxes are by what both `parties` (their profiles in force) and
    the provider's `settings` and rates say now; raises `TaxWaits`, where they cannot be worked out yet.
    """

    bill = rating_lines.make_bill(rated.lines, period.contract.currency)

    def document(header: Header, taxes: Taxes) -> dict[str, Any]:
        return make_document(header, basis, proof, bill, carries=rated.carries, restated=restated, taxes=taxes)

    return _prepared((period, bill, basis), now, (parties, settings), document_of=document)


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

    contract = voided.period.contract
    parties = ensure_profiles([contract.provider, contract.tenant], now)
    settings = settings_by_provider([contract.provider_id])
    made = _prepared((voided.period, bill, basis), now, (parties, settings), document_of=document, voided=voided)
    store_drafts([made])
    return made


def store_drafts(made: Sequence[Prepared]) -> None:
    """Store drafts with their lines, in few statements. Must run in the transaction that issues them."""
    Invoice.objects.bulk_create([one.invoice for one in made])
    InvoiceParties.objects.bulk_create([one.rows.parties for one in made])
    InvoiceLine.objects.bulk_create([row for one in made for row in one.rows.lines], batch_size=BATCH_ROWS)
    InvoiceSubline.objects.bulk_create([row for one in made for row in one.rows.sublines], batch_size=BATCH_ROWS)
    InvoiceTax.objects.bulk_create([row for one in made for row in one.rows.taxes])
    InvoiceLineTax.objects.bulk_create([row for one in made for row in one.rows.line_taxes], batch_size=BATCH_ROWS)


def _prepared(
    rated: tuple[BillingPeriod, rating_lines.Bill, PeriodBasis],
    now: datetime,
    said: tuple[Mapping[UUID, BillingProfile], Mapping[UUID, TaxSettings]],
    *,
    document_of: DocumentOf,
    voided: Invoice | None = None,
) -> Prepared:
    period, bill, basis = rated
    parties, settings = said
    contract = period.contract
    taxes = taxes_of(period=period, basis=basis, bill=bill, parties=parties, now=now, settings=settings)
    totals = _totals(contract, bill, taxes.bill.total)
    assert totals.total >= 0
    invoice = Invoice(
        issuer_id=contract.provider_id,
        tenant_id=contract.tenant_id,
        contract=contract,
        period=period,
        reissues=voided,
        kind=_invoice_kind(bill.lines),
        currency=contract.currency,
        updated_at=now,
    )
    rows = _rows(invoice, rated, parties_row(invoice, parties), taxes)
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
    return Prepared(invoice, contract, totals, canonical(document), settling.due_at(now), rows)


def _totals(contract: Contract, bill: rating_lines.Bill, tax: Decimal) -> Totals:
    zero = from_minor(0, contract.currency)
    deposit = sum((line.amount for line in bill.lines if line.sublines[0].rule in DEPOSIT_RULES), start=zero)
    earned = Fraction(bill.total - deposit)
    fee = round_to_minor(earned * Fraction(contract.operator_fee_percent) / 100, contract.currency)
    return Totals(bill.total, tax, bill.total + tax, fee, deposit)


def _rows(
    invoice: Invoice,
    rated: tuple[BillingPeriod, rating_lines.Bill, PeriodBasis],
    parties: InvoiceParties,
    taxes: Taxes,
) -> Rows:
    period, bill, basis = rated
    places = {id(line): place for place, line in enumerate(bill.lines)}
    lines = in_order(bill.lines)
    titles = {term.ref: term.title for term in basis.terms}
    stored: list[InvoiceLine] = []
    sublines: list[InvoiceSubline] = []
    zone = ZoneInfo(basis.zone)
    late = {fact.source: fact for fact in facts_of(basis.facts, Adjusted)}
    originals = _originals(period) if late else {}
    for position, line in enumerate(lines, 1):
        row = _line(invoice, position, line, _heading(line), _description(line, titles.get(line.term_ref, ""), basis))
        row.nature = taxes.natures[places[id(line)]]
        if line.sublines[0].rule == RULE_LATE:
            source = line.sublines[0].about_ref
            row.adjusts_period_id, row.adjusts_id = originals[source]
            row.description = _late_words(late[source], zone)
            row.from_at, row.to_at = line.from_at, line.to_at
        else:
            row.from_at, row.to_at = max(line.from_at, period.from_at), min(line.to_at, period.to_at)
        stored.append(row)
        sublines.extend(_sublines(row, line, zone))
    of_each = [(row, places[id(line)]) for row, line in zip(stored, lines, strict=True)]
    return Rows(parties, stored, sublines, *tax_rows(invoice, taxes, of_each))


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


def _description(line: rating_lines.InvoiceLine, title: str, basis: PeriodBasis) -> str:
    """Return what a line is: term, title, the term that it takes something off, what it goes by, and its rule."""
    first = line.sublines[0]
    about = first.about_ref if is_adjustment(first) else ""
    share = "a share" if line.share_percent is None else f"{line.share_percent.normalize():f} %"
    words = line_words(first.rule, share)
    return " · ".join(filter(None, (line.term_ref, title, about, detail_of(line, basis), words)))


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


def _kind(line: rating_lines.InvoiceLine) -> TermKind:
    return line.sublines[0].term_kind


def _invoice_kind(lines: Sequence[rating_lines.InvoiceLine]) -> str:
    kinds = {_kind(line) for line in lines}
    return str(kinds.pop()) if len(kinds) == 1 else "mixed"
