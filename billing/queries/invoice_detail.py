"""One invoice with its lines, sublines and the checks of its evidence, each computed from what is stored."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum

from billing.bases import Grain, read_basis, window_of
from billing.basis import rate
from billing.models import (
    BillingPeriod,
    Charge,
    DocumentFile,
    DocumentFormat,
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceSubline,
    PriceVersion,
    Term,
)
from billing.money import exact_sum, minor_digits, round_to_minor
from billing.price_rules import window_versions
from billing.queries.invoices import InvoiceRow, invoices_for, row_of
from billing.rating.lines import make_bill
from billing.rating.price_rules import price_row
from billing.rating.rated import TermKind, Unit
from billing.usage_spans import Window, billed_usage, usage_records, usage_spans
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class SublineRow:
    """A part of a line: one class, tier, price version and day; amounts are exact."""

    day: date
    token_class: str
    context_over: int
    quantity: Decimal
    unit_price: Decimal
    version: int | None
    base_amount: Decimal
    exact_amount: Decimal


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A line's tokens of one class and tier; `unit_price` is None where it changed within the period."""

    token_class: str
    context_over: int
    quantity: Decimal
    unit_price: Decimal | None
    versions: tuple[int, ...]
    base_amount: Decimal
    exact_amount: Decimal


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line as issued; `source` is the price versions' numbers, or the contract where it agreed the price."""

    position: int
    description: str
    term_kind: str
    term_ref: str
    model: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    unit_price_unit: str
    share_percent: Decimal | None
    rule: str
    quality: Mapping[str, str]
    source: str
    base_amount: Decimal
    exact_amount: Decimal
    amount: Decimal
    classes: tuple[ClassRow, ...]
    sublines: tuple[SublineRow, ...]


@dataclass(frozen=True, slots=True)
class LineGroup:
    """Lines under one heading, and their sum."""

    heading: str
    amount: Decimal
    lines: tuple[LineRow, ...]


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """One check: `key` is adds_up, same_as_dashboard, priced_by_date or sealed; `facts` are its figures as text.

    `passed` is None where it was not looked at.
    """

    key: str
    passed: bool | None
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InvoiceDetail:
    """An invoice with everything that its page shows."""

    row: InvoiceRow
    groups: tuple[LineGroup, ...]
    checks: tuple[EvidenceCheck, ...]
    sha256: str
    closed_at: str
    accepted_gaps: tuple[Mapping[str, object], ...]
    has_pdf: bool


@dataclass(frozen=True, slots=True)
class InvoiceLines:
    """An invoice and its lines under their headings."""

    row: InvoiceRow
    groups: tuple[LineGroup, ...]


def invoice_detail(
    organization: Organization, invoice_id: UUID, *, compared_parts_max: int | None = None
) -> InvoiceDetail | None:
    """Return an issued invoice that the organization owes or issued, or None.

    To compare it with the usage page its whole period is rated anew; not where it has more than `compared_parts_max`
    parts.
    """
    invoice = invoices_for(organization).filter(pk=invoice_id).first()
    if invoice is None:
        return None
    lines, sublines = _read_lines(invoice)
    rows = _line_rows(lines, sublines, invoice.contract.number)
    parts = [part for of_line in sublines.values() for part in of_line]
    evidence = InvoiceEvidence.objects.filter(invoice=invoice).first()
    checks = (
        _adds_up(invoice, lines, parts),
        _same_as_dashboard(invoice)
        if compared_parts_max is None or len(parts) <= compared_parts_max
        else EvidenceCheck("same_as_dashboard", None, {}),
        _priced_by_date(invoice),
        _sealed(invoice.period, evidence),
    )
    return InvoiceDetail(
        row=row_of(invoice),
        groups=_groups(lines, rows),
        checks=checks,
        sha256=evidence.sha256 if evidence else "",
        closed_at=invoice.period.closed_at.isoformat() if invoice.period.closed_at else "",
        accepted_gaps=tuple(invoice.period.accepted_gaps),
        has_pdf=DocumentFile.objects.filter(step_id=invoice.pk, format=DocumentFormat.PDF).exists(),
    )


def invoice_lines(organization: Organization, invoice_id: UUID) -> InvoiceLines | None:
    """Return the lines of an issued invoice that the organization owes or issued, without any check, or None."""
    invoice = invoices_for(organization).filter(pk=invoice_id).first()
    if invoice is None:
        return None
    lines, sublines = _read_lines(invoice)
    return InvoiceLines(row_of(invoice), _groups(lines, _line_rows(lines, sublines, invoice.contract.number)))


def invoice_evidence(organization: Organization, invoice_id: UUID) -> tuple[str, str] | None:
    """Return the exact text that was sealed with an invoice and its SHA-256, or None."""
    invoice = invoices_for(organization).filter(pk=invoice_id).first()
    if invoice is None:
        return None
    return InvoiceEvidence.objects.filter(invoice=invoice).values_list("document", "sha256").first()


_Sublines = Mapping[UUID, Sequence[SublineRow]]
"""By their line."""


def _read_lines(invoice: Invoice) -> tuple[list[InvoiceLine], _Sublines]:
    """Sublines are read as plain values: there are thousands of them on a large invoice."""
    lines = list(InvoiceLine.objects.filter(invoice=invoice).order_by("position"))
    by_line: dict[UUID, list[SublineRow]] = defaultdict(list)
    rows = InvoiceSubline.objects.filter(line__in=lines).order_by("line__position", "position").values_list(
        "line_id", "day", "token_class", "context_over", "quantity", "unit_price", "price_version__number",
        "base_amount", "exact_amount",
    )  # fmt: skip
    for line_id, day, token_class, context_over, quantity, unit_price, version, base, exact in rows:
        part = SublineRow(day, token_class, context_over, quantity, unit_price, version, base, exact)
        by_line[line_id].append(part)
    return lines, by_line


def _line_rows(lines: Sequence[InvoiceLine], sublines: _Sublines, contract: str) -> dict[UUID, LineRow]:
    return {line.id: _line_row(line, tuple(sublines.get(line.id, ())), contract) for line in lines}


def _line_row(line: InvoiceLine, sublines: tuple[SublineRow, ...], contract: str) -> LineRow:
    versions = sorted({subline.version for subline in sublines if subline.version is not None})
    return LineRow(
        position=line.position,
        description=line.description,
        term_kind=line.term_kind,
        term_ref=line.term_ref,
        model=line.model,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        unit_price_unit=line.unit_price_unit,
        share_percent=line.share_percent,
        rule=line.rule,
        quality=line.quality,
        source=", ".join(f"v{number}" for number in versions) or contract,
        base_amount=line.base_amount,
        exact_amount=line.exact_amount,
        amount=line.amount,
        classes=() if line.unit == Unit.AMOUNT else _classes(sublines),
        sublines=sublines,
    )


def _classes(sublines: Sequence[SublineRow]) -> tuple[ClassRow, ...]:
    by_class: dict[tuple[str, int], list[SublineRow]] = defaultdict(list)
    for subline in sublines:
        if subline.token_class:
            by_class[subline.token_class, subline.context_over].append(subline)
    rows = []
    for (token_class, context_over), parts in by_class.items():
        prices = {part.unit_price for part in parts}
        rows.append(
            ClassRow(
                token_class=token_class,
                context_over=context_over,
                quantity=exact_sum(part.quantity for part in parts),
                unit_price=prices.pop() if len(prices) == 1 else None,
                versions=tuple(sorted({part.version for part in parts if part.version is not None})),
                base_amount=exact_sum(part.base_amount for part in parts),
                exact_amount=exact_sum(part.exact_amount for part in parts),
            )
        )
    return tuple(rows)


def _groups(lines: Sequence[InvoiceLine], rows: Mapping[UUID, LineRow]) -> tuple[LineGroup, ...]:
    by_heading: dict[str, list[LineRow]] = defaultdict(list)
    for line in lines:
        by_heading[line.group].append(rows[line.id])
    return tuple(
        LineGroup(heading, exact_sum(row.amount for row in group), tuple(group))
        for heading, group in by_heading.items()
    )


def _window(invoice: Invoice) -> Window:
    invoice.period.contract = invoice.contract
    return window_of(invoice.period)


def _adds_up(invoice: Invoice, lines: Sequence[InvoiceLine], sublines: Sequence[SublineRow]) -> EvidenceCheck:
    """Charges, sublines and lines give one exact sum, each line is that sum rounded, and the lines give the total."""
    records = usage_records(billed_usage(usage_spans([_window(invoice)])))
    charged = Charge.objects.filter(period=invoice.period).aggregate(amount=Sum("amount"))["amount"] or Decimal(0)
    exact = exact_sum(line.exact_amount for line in lines)
    half_unit = Decimal(1).scaleb(-minor_digits(invoice.currency)) / 2
    # A sum of many parts, each rounded to 18 decimals, may lie that little beyond half a unit.
    slack = Decimal("1e-17") * (len(sublines) + 1)
    passed = (
        charged == exact == exact_sum(subline.exact_amount for subline in sublines)
        and all(abs(line.amount - line.exact_amount) <= half_unit + slack for line in lines)
        and exact_sum(line.amount for line in lines) == invoice.subtotal
        and invoice.subtotal + invoice.tax == invoice.total
    )
    return EvidenceCheck("adds_up", passed, {"records": str(records), "charged": str(charged), "lines": str(exact)})


def _same_as_dashboard(invoice: Invoice) -> EvidenceCheck:
    """What the usage of the period comes to now is what was issued; late usage shows as a difference."""
    basis = read_basis(_window(invoice), grain=Grain.PERIOD)
    live = make_bill(rate(basis).lines, invoice.currency).total
    amounts = {"dashboard": live, "invoice": invoice.subtotal, "difference": live - invoice.subtotal}
    facts = {name: str(round_to_minor(amount, invoice.currency)) for name, amount in amounts.items()}
    return EvidenceCheck("same_as_dashboard", live == invoice.subtotal, facts)


def _priced_by_date(invoice: Invoice) -> EvidenceCheck:
    """Every charge at a book's price lies within the time in which its price version was in force for the contract."""
    priced = Charge.objects.filter(period=invoice.period, price_version__isnull=False)
    ruled = Term.objects.filter(contract=invoice.contract, kind=TermKind.PRICE_RULE).exists()
    wrong = _outside_rules(invoice, priced) if ruled else _outside_book(priced)
    versions = sorted(set(priced.values_list("price_version__number", flat=True)))
    facts = {"wrong": str(wrong), "versions": ", ".join(f"v{number}" for number in versions)}
    return EvidenceCheck("priced_by_date", wrong == 0, facts)


def _outside_book(priced: QuerySet[Charge]) -> int:
    """Return how many lines were charged at a version before it began, or after the book's next one did."""
    following = (
        PriceVersion.objects.filter(
            book=OuterRef("price_version__book"), effective_at__gt=OuterRef("price_version__effective_at")
        )
        .order_by("effective_at")
        .values("effective_at")[:1]
    )
    outside = priced.annotate(next_at=Subquery(following)).filter(
        Q(from_at__lt=F("price_version__effective_at")) | Q(to_at__gt=F("next_at"))
    )
    return _standing(outside)


def _outside_rules(invoice: Invoice, priced: QuerySet[Charge]) -> int:
    """Return how many lines were charged at a version when the contract's own rules had another one in force."""
    window = _window(invoice)
    [versions] = window_versions([(window.contract, window.from_at, window.to_at)])
    ends = [version.effective_at for version in versions[1:]] + [window.to_at]
    within = Q(pk__in=[])
    for version, end in zip(versions, ends, strict=True):
        within |= Q(price_version=price_row(version.version_id), from_at__gte=version.effective_at, to_at__lte=end)
    return _standing(priced.exclude(within))


def _standing(charges: QuerySet[Charge]) -> int:
    """Count lines; one that was taken back in full no longer counts."""
    lines = charges.values("line_key").annotate(quantities=Sum("quantity"))
    return lines.exclude(quantities=0).count()


def _sealed(period: BillingPeriod, evidence: InvoiceEvidence | None) -> EvidenceCheck:
    """The evidence file still has the hash it was issued with."""
    found = hashlib.sha256(evidence.document.encode()).hexdigest() if evidence else ""
    return EvidenceCheck(
        "sealed",
        evidence is not None and found == evidence.sha256,
        {"sha256": found, "closed_at": period.closed_at.isoformat() if period.closed_at else ""},
    )
