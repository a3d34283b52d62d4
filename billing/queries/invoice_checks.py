"""The checks of an invoice's evidence that its page shows, each computed from what is stored."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, F, Func, IntegerField, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Abs

from billing.bases import Grain, read_basis, window_of
from billing.basis import rate
from billing.models import (
    BillingPeriod,
    Charge,
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceSubline,
    PriceVersion,
    Term,
)
from billing.money import exact_sum, half_a_unit, round_to_minor
from billing.price_rules import window_versions
from billing.rating.lines import make_bill
from billing.rating.price_rules import price_row
from billing.rating.rated import TermKind
from billing.usage_spans import Window, billed_usage, usage_records, usage_spans

RECORDS_PARTS_MAX = 2_000
"""Of an invoice of more parts it is not counted how many records stand behind it, unless everything is looked at."""


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """One check: `key` is adds_up, same_as_dashboard, priced_by_date or sealed; `facts` are its figures as text.

    `passed` is None where it was not looked at.
    """

    key: str
    passed: bool | None
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sums:
    """All lines and parts of an invoice, added up by the database; `furthest` is the most that a line was rounded.

    `by_group` is what the lines under each heading come to.
    """

    lines: int
    by_group: Mapping[str, Decimal]
    exact: Decimal
    furthest: Decimal
    parts: int
    parts_exact: Decimal

    @property
    def amount(self) -> Decimal:
        """What all lines come to."""
        return exact_sum(self.by_group.values())


def sums_of(invoice: Invoice) -> Sums:
    """Add an invoice up, heading by heading and part by part; two queries."""
    zero = Decimal(0)
    groups = (
        InvoiceLine.objects.filter(invoice=invoice)
        .values("group")
        .annotate(
            count=Count("*"),
            amounts=Sum("amount"),
            exacts=Sum("exact_amount"),
            furthest=Max(Abs(F("amount") - F("exact_amount"))),
        )
        .order_by()
    )
    parts = InvoiceSubline.objects.filter(line__invoice=invoice).aggregate(
        count=Count("*"), exact=Sum("exact_amount", default=zero)
    )
    return Sums(
        lines=sum(group["count"] for group in groups),
        by_group={group["group"]: group["amounts"] for group in groups},
        exact=exact_sum(group["exacts"] for group in groups),
        furthest=max((group["furthest"] for group in groups), default=zero),
        parts=parts["count"],
        parts_exact=parts["exact"],
    )


class Charged(NamedTuple):
    """What was charged of an invoice at one version of a book's prices, from the first instant to the last; without a
    book what was charged at no version of one.
    """

    book_id: UUID | None
    number: int | None
    effective_at: datetime | None
    from_at: datetime
    to_at: datetime
    amount: Decimal


def charged_of(invoice: Invoice) -> list[Charged]:
    """Return what was charged in an invoice's period, by price version; one query."""
    of_version = ("price_version__book", "price_version__number", "price_version__effective_at")
    added = Charge.objects.filter(period=invoice.period).values_list(*of_version)
    return [Charged(*row) for row in added.annotate(Min("from_at"), Max("to_at"), Sum("amount")).order_by()]


def adds_up(invoice: Invoice, sums: Sums, charges: Sequence[Charged], *, count_records: bool) -> EvidenceCheck:
    """Charges, sublines and lines give one exact sum, each line is that sum rounded, and the lines give the total."""
    with_records = count_records or sums.parts <= RECORDS_PARTS_MAX
    records = usage_records(billed_usage(usage_spans([_window(invoice)]))) if with_records else 0
    charged = exact_sum(charge.amount for charge in charges)
    # A sum of many parts, each rounded to 18 decimals, may lie that little beyond half a unit.
    slack = Decimal("1e-17") * (sums.parts + 1)
    passed = (
        charged == sums.exact == sums.parts_exact
        and sums.furthest <= half_a_unit(invoice.currency) + slack
        and sums.amount == invoice.subtotal
        and invoice.subtotal + invoice.tax == invoice.total
    )
    return EvidenceCheck(
        "adds_up", passed, {"records": str(records), "charged": str(charged), "lines": str(sums.exact)}
    )


def same_as_dashboard(invoice: Invoice, sums: Sums, parts_max: int | None) -> EvidenceCheck:
    """What the usage of the period comes to now is what was issued; late usage shows as a difference.

    Not looked at where the invoice has more parts than that.
    """
    if parts_max is not None and sums.parts > parts_max:
        return EvidenceCheck("same_as_dashboard", None, {})
    basis = read_basis(_window(invoice), grain=Grain.PERIOD)
    live = make_bill(rate(basis).lines, invoice.currency).total
    amounts = {"dashboard": live, "invoice": invoice.subtotal, "difference": live - invoice.subtotal}
    facts = {name: str(round_to_minor(amount, invoice.currency)) for name, amount in amounts.items()}
    return EvidenceCheck("same_as_dashboard", live == invoice.subtotal, facts)


def priced_by_date(invoice: Invoice, charges: Sequence[Charged]) -> EvidenceCheck:
    """Every charge at a book's price lies within the time in which its price version was in force for the contract."""
    ruled = Term.objects.filter(contract=invoice.contract, kind=TermKind.PRICE_RULE).exists()
    priced = Charge.objects.filter(period=invoice.period, price_version__isnull=False)
    # Lines are counted where there is something to count: a large invoice has thousands.
    wrong = _outside_rules(invoice, priced) if ruled else _outside_book(priced) if _reach_out(charges) else 0
    versions = sorted({charge.number for charge in charges if charge.number is not None})
    facts = {"wrong": str(wrong), "versions": ", ".join(f"v{number}" for number in versions)}
    return EvidenceCheck("priced_by_date", wrong == 0, facts)


def _reach_out(charges: Sequence[Charged]) -> bool:
    """Whether anything was charged at a version before it began, or after the book's next one did."""
    books = {charge.book_id for charge in charges if charge.book_id is not None}
    begins = list(PriceVersion.objects.filter(book__in=books).values_list("book_id", "effective_at"))
    return any(
        charge.from_at < charge.effective_at
        or any(book_id == charge.book_id and charge.effective_at < at < charge.to_at for book_id, at in begins)
        for charge in charges
        if charge.effective_at is not None
    )


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


def sealed_check(period: BillingPeriod, evidence: QuerySet[InvoiceEvidence], bytes_max: int | None) -> EvidenceCheck:
    """The evidence file still has the hash it was issued with; not looked at where it is longer than that."""
    if bytes_max is not None:
        octets = evidence.annotate(octets=_Octets("document")).values_list("octets", flat=True).first()
        if octets is not None and octets > bytes_max:
            return EvidenceCheck("sealed", None, {})
    sealed = evidence.first()
    found = hashlib.sha256(sealed.document.encode()).hexdigest() if sealed else ""
    return EvidenceCheck(
        "sealed",
        sealed is not None and found == sealed.sha256,
        {"sha256": found, "closed_at": period.closed_at.isoformat() if period.closed_at else ""},
    )


class _Octets(Func):
    """How long a text is, which PostgreSQL knows without reading it."""

    function = "octet_length"
    output_field = IntegerField()


def _window(invoice: Invoice) -> Window:
    invoice.period.contract = invoice.contract
    return window_of(invoice.period)
