"""One invoice with its lines, sublines and the checks of its evidence, each computed from what is stored."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Min, Sum

from billing.dues import Dues, read_dues
from billing.models import (
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceSubline,
)
from billing.money import exact_sum
from billing.queries.invoice_checks import (
    EvidenceCheck,
    adds_up,
    charged_of,
    priced_by_date,
    same_as_dashboard,
    sealed_check,
    sums_of,
)
from billing.queries.invoices import InvoiceRow, invoices_for, row_of
from billing.rating.rated import Unit
from tenants.limits.reader import within_own
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
    """A line's tokens of one class and tier; `unit_price` is None where it changed within the period.

    `prices` are all that it had, as their versions follow each other.
    """

    token_class: str
    context_over: int
    quantity: Decimal
    unit_price: Decimal | None
    prices: tuple[Decimal, ...]
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
    days: int
    """On how many days its parts are."""
    sublines: tuple[SublineRow, ...]
    """None where they were not asked for."""


@dataclass(frozen=True, slots=True)
class LineGroup:
    """Lines under one heading, and their sum."""

    heading: str
    amount: Decimal
    lines: tuple[LineRow, ...]


OF_BOTH: Final = "what an invoice is of is both its parties', and the reader is one of them"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for of an invoice: so many of its lines, on a page of them or on the one that holds a `line` (0:
    none), and what is looked at without being asked for, by how many parts and how long an evidence file it has.

    Up to `lines_max` stand on one page, more of them `page_lines` to a page (None: as many). Of an invoice of more than
    `parts_max` parts those of `line` alone are read."""

    lines_max: int
    page: int = 1
    line: int = 0
    compared_parts_max: int | None = None
    hashed_bytes_max: int | None = None
    parts_max: int | None = None
    page_lines: int | None = None

    def lines_on_a_page(self, lines: int) -> int:
        """Return how many lines stand on a page of an invoice of so many; 0 for all."""
        return self.lines_max if self.page_lines is None or lines <= self.lines_max else self.page_lines


@dataclass(frozen=True, slots=True)
class InvoiceDetail:
    """An invoice with everything that its page shows: of `lines` lines those of one page of `page_lines` (0: all)
    from number `first` on.

    `row` and `dues` are one reading: what was paid and what is left add up while payments come in.
    """

    row: InvoiceRow
    dues: Dues
    lines: int
    parts: int
    page: int
    page_lines: int
    first: int
    groups: tuple[LineGroup, ...]
    checks: tuple[EvidenceCheck, ...]
    sha256: str
    closed_at: str
    accepted_gaps: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class InvoiceLines:
    """An invoice and its lines under their headings."""

    row: InvoiceRow
    groups: tuple[LineGroup, ...]


def invoice_detail(
    organization: Organization, invoice_id: UUID, asked: Asked = Asked(lines_max=0)
) -> InvoiceDetail | None:
    """Return an issued invoice that the organization owes or issued, or None; without `lines_max` with all its lines.

    Sums are of all lines whichever are shown. To compare it with the usage page its whole period is rated anew, and to
    hold its evidence to the hash all of that is read: a check that was not made has not passed nor failed.
    """
    with within_own(organization.pk, OF_BOTH):
        invoice = invoices_for(organization).filter(pk=invoice_id).first()
    return None if invoice is None else detail_of(organization, invoice, asked)


def detail_of(organization: Organization, invoice: Invoice, asked: Asked) -> InvoiceDetail:
    """Return the same of an invoice that the organization was given already (`find_invoice`)."""
    with within_own(organization.pk, OF_BOTH):
        return _detail_of(invoice, asked)


def _detail_of(invoice: Invoice, asked: Asked) -> InvoiceDetail:
    sums, charges = sums_of(invoice), charged_of(invoice)
    size = asked.lines_on_a_page(sums.lines)
    page = _page(asked, sums.lines, size)
    first = (page - 1) * size + 1
    last = first + size if size else None
    lines = _read_lines(invoice, first, last)
    are_few = asked.parts_max is None or sums.parts <= asked.parts_max
    opened = lines if are_few else [line for line in lines if line.position == asked.line]
    rows = _line_rows(lines, opened, invoice.contract.number)
    evidence = InvoiceEvidence.objects.filter(invoice=invoice)
    checks = (
        adds_up(invoice, sums, charges, count_records=asked.hashed_bytes_max is None),
        same_as_dashboard(invoice, sums, asked.compared_parts_max),
        priced_by_date(invoice, charges),
        sealed_check(invoice.period, evidence, asked.hashed_bytes_max),
    )
    return InvoiceDetail(
        row=row_of(invoice),
        dues=read_dues(invoice),
        lines=sums.lines,
        parts=sums.parts,
        page=page,
        page_lines=size,
        first=first,
        groups=_groups(lines, rows, sums.by_group),
        checks=checks,
        sha256=evidence.values_list("sha256", flat=True).first() or "",
        closed_at=invoice.period.closed_at.isoformat() if invoice.period.closed_at else "",
        accepted_gaps=tuple(invoice.period.accepted_gaps),
    )


def _page(asked: Asked, lines: int, size: int) -> int:
    """Return the page of lines that is shown; one that is not there is the nearest that is."""
    if not size:
        return 1
    last = max(1, -(-lines // size))
    wanted = -(-asked.line // size) if 0 < asked.line <= lines else asked.page
    return min(max(1, wanted), last)


def invoice_lines(organization: Organization, invoice_id: UUID) -> InvoiceLines | None:
    """Return the lines of an issued invoice that the organization owes or issued, without any check, or None."""
    invoice = invoices_for(organization).filter(pk=invoice_id).first()
    if invoice is None:
        return None
    lines = _read_lines(invoice)
    return InvoiceLines(row_of(invoice), _groups(lines, _line_rows(lines, lines, invoice.contract.number), {}))


def invoice_evidence(organization: Organization, invoice_id: UUID) -> tuple[str, str] | None:
    """Return the exact text that was sealed with an invoice and its SHA-256, or None."""
    invoice = invoices_for(organization).filter(pk=invoice_id).first()
    if invoice is None:
        return None
    return InvoiceEvidence.objects.filter(invoice=invoice).values_list("document", "sha256").first()


def _read_lines(invoice: Invoice, first: int = 1, end: int | None = None) -> list[InvoiceLine]:
    """Lines are numbered from 1."""
    chosen = InvoiceLine.objects.filter(invoice=invoice, position__gte=first)
    return list((chosen if end is None else chosen.filter(position__lt=end)).order_by("position"))


def _line_rows(lines: Sequence[InvoiceLine], opened: Sequence[InvoiceLine], contract: str) -> dict[UUID, LineRow]:
    """Return lines with what they come to by class, and those of `opened` with their parts. Three queries at most."""
    closed = set(lines) - set(opened)
    parts, priced = _sublines(opened), _priced(closed)
    counted = InvoiceSubline.objects.filter(line__in=closed).values_list("line").annotate(Count("day", distinct=True))
    days = dict(counted.order_by())
    days |= {line_id: len({part.day for part in of_line}) for line_id, of_line in parts.items()}
    return {
        line.id: _line_row(
            line, parts[line.id] or priced[line.id], days.get(line.id, 0), tuple(parts[line.id]), contract
        )
        for line in lines
    }


def _priced(lines: Collection[InvoiceLine]) -> dict[UUID, list[SublineRow]]:
    """Have the database add parts up, in the order of the first of each: a large invoice has thousands of them.

    Those of one class, tier, price version and price are one, on the first day of them.
    """
    found: dict[UUID, list[SublineRow]] = defaultdict(list)
    rows = (
        InvoiceSubline.objects.filter(line__in=lines)
        .values_list("line_id", "token_class", "context_over", "unit_price", "price_version__number")
        .annotate(Min("day"), Sum("quantity"), Sum("base_amount"), Sum("exact_amount"), place=Min("position"))
        .order_by("place")
    )
    for line_id, token_class, context_over, unit_price, version, day, quantity, base, exact, _place in rows:
        part = SublineRow(day, token_class, context_over, quantity, unit_price, version, base, exact)
        found[line_id].append(part)
    return found


def _sublines(lines: Sequence[InvoiceLine]) -> dict[UUID, list[SublineRow]]:
    """Read the parts of lines, as plain values."""
    found: dict[UUID, list[SublineRow]] = defaultdict(list)
    rows = InvoiceSubline.objects.filter(line__in=lines).order_by("line__position", "position").values_list(
        "line_id", "day", "token_class", "context_over", "quantity", "unit_price", "price_version__number",
        "base_amount", "exact_amount",
    )  # fmt: skip
    for line_id, day, token_class, context_over, quantity, unit_price, version, base, exact in rows:
        part = SublineRow(day, token_class, context_over, quantity, unit_price, version, base, exact)
        found[line_id].append(part)
    return found


def _line_row(
    line: InvoiceLine, priced: Sequence[SublineRow], days: int, sublines: Sequence[SublineRow], contract: str
) -> LineRow:
    versions = sorted({part.version for part in priced if part.version is not None})
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
        classes=() if line.unit == Unit.AMOUNT else _classes(priced),
        days=days,
        sublines=tuple(sublines),
    )


def _classes(priced: Sequence[SublineRow]) -> tuple[ClassRow, ...]:
    by_class: dict[tuple[str, int], list[SublineRow]] = defaultdict(list)
    for each in priced:
        if each.token_class:
            by_class[each.token_class, each.context_over].append(each)
    rows = []
    for (token_class, context_over), parts in by_class.items():
        in_order = sorted(parts, key=lambda part: (part.version or 0, part.day))
        prices = tuple(dict.fromkeys(part.unit_price for part in in_order))
        rows.append(
            ClassRow(
                token_class=token_class,
                context_over=context_over,
                quantity=exact_sum(part.quantity for part in parts),
                unit_price=prices[0] if len(prices) == 1 else None,
                prices=prices,
                versions=tuple(sorted({part.version for part in parts if part.version is not None})),
                base_amount=exact_sum(part.base_amount for part in parts),
                exact_amount=exact_sum(part.exact_amount for part in parts),
            )
        )
    return tuple(rows)


def _groups(
    lines: Sequence[InvoiceLine], rows: Mapping[UUID, LineRow], sums: Mapping[str, Decimal]
) -> tuple[LineGroup, ...]:
    """Gather lines by their heading; `sums` are those of headings that have lines elsewhere too."""
    by_heading: dict[str, list[LineRow]] = defaultdict(list)
    for line in lines:
        by_heading[line.group].append(rows[line.id])
    return tuple(
        LineGroup(heading, sums.get(heading, exact_sum(row.amount for row in group)), tuple(group))
        for heading, group in by_heading.items()
    )
