"""Movements, files and accounts of a provider as pages and programs read them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from django.db.models import Count, DecimalField, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest

from billing.models import BankAccount, BankImport, BankLine, BankLineState, BankMatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from tenants.models import Organization

PAGE_ROWS: Final = 50
IMPORTS_SHOWN: Final = 20
TO_DECIDE: Final = (BankLineState.NEW, BankLineState.SUGGESTED, BankLineState.UNMATCHED)
_MONEY: DecimalField[Decimal, Decimal] = DecimalField(max_digits=38, decimal_places=4)


class Shown(StrEnum):
    """Which movements a list shows."""

    TO_DECIDE = ""
    MATCHED = "matched"
    OUTGOING = "outgoing"
    ALL = "all"


_STATES: Final[Mapping[Shown, tuple[BankLineState, ...]]] = {
    Shown.TO_DECIDE: TO_DECIDE,
    Shown.MATCHED: (BankLineState.MATCHED,),
    Shown.OUTGOING: (BankLineState.OUTGOING,),
    Shown.ALL: tuple(BankLineState),
}


@dataclass(frozen=True, slots=True)
class LineList:
    """One page of movements: `page` counts from 1, `found` is how many there are in all."""

    lines: tuple[BankLine, ...]
    found: int
    page: int


def lines_of(provider: Organization) -> QuerySet[BankLine]:
    """Return the movements of a provider's accounts, with `left_amount`: what no match has."""
    matched = (
        BankMatch.objects.filter(line=OuterRef("pk"), unmatch__isnull=True)
        .values("line")
        .order_by("line")
        .annotate(sum=Sum("amount"))
        .values("sum")
    )
    nothing = Value(Decimal(0), output_field=_MONEY)
    return (
        BankLine.objects.filter(account__provider=provider)
        .select_related("account__provider")
        .annotate(
            left_amount=Greatest(F("amount"), nothing, output_field=_MONEY)
            - Coalesce(Subquery(matched, output_field=_MONEY), nothing, output_field=_MONEY)
        )
    )


def shown_of(text: str) -> Shown:
    """Return which movements an address asks for; what it does not know is those to decide on."""
    try:
        return Shown(text)
    except ValueError:
        return Shown.TO_DECIDE


def lines_found(provider: Organization, *, shown: Shown, search: str = "") -> QuerySet[BankLine]:
    """Return the movements of a list that a search finds, the latest day first."""
    found = lines_of(provider).filter(state__in=_STATES[shown])
    for word in search.split()[:10]:
        found = found.filter(
            Q(payer__icontains=word)
            | Q(text__icontains=word)
            | Q(structured__icontains=word)
            | Q(matches__invoice__number__icontains=word)
        ).distinct()
    return found.order_by("-booked_on", "-pk")


def line_list(provider: Organization, *, shown: Shown, search: str = "", page: int = 1) -> LineList:
    """Return a page of movements, the latest day first; a page beyond the end is the last one."""
    found = lines_found(provider, shown=shown, search=search)
    count = found.count()
    page = max(1, min(page, -(-count // PAGE_ROWS)))
    start = (page - 1) * PAGE_ROWS
    rows = tuple(found[start : start + PAGE_ROWS])
    return LineList(rows, count, page)


def lines_shown(provider: Organization, shown: Shown) -> QuerySet[BankLine]:
    """Return the movements that a list shows."""
    return lines_of(provider).filter(state__in=_STATES[shown])


def find_line(provider: Organization, line_id: UUID) -> BankLine | None:
    """Return one movement with its matches, the first one first, and what was taken back of them."""
    matches = BankMatch.objects.select_related("invoice", "tenant", "unmatch").order_by("at", "pk")
    return lines_of(provider).filter(pk=line_id).prefetch_related(Prefetch("matches", matches)).first()


def counts_of(provider: Organization) -> Mapping[str, int]:
    """Return how many movements stand in each state."""
    rows = BankLine.objects.filter(account__provider=provider).values_list("state").annotate(count=Count("pk"))
    return dict(rows.order_by("state"))


def unmatched_of(provider: Organization) -> Mapping[str, Decimal]:
    """Return what came in and no match has, by currency."""
    found: dict[str, Decimal] = {}
    for line in lines_of(provider).filter(state__in=TO_DECIDE).only("currency", "amount", "account"):
        left: Decimal = getattr(line, "left_amount")  # noqa: B009  an annotation, which the type does not know
        found[line.currency] = found.get(line.currency, Decimal(0)) + left
    return found


def imports_of(provider: Organization) -> QuerySet[BankImport]:
    """Return the files that were taken, the latest first, without their bytes."""
    return BankImport.objects.filter(provider=provider).defer("document").order_by("-created_at", "-pk")


def accounts_of(provider: Organization) -> QuerySet[BankAccount]:
    """Return every account of a provider, the open ones first."""
    return BankAccount.objects.filter(provider=provider).order_by(F("closed_at").asc(nulls_first=True), "opened_at")
