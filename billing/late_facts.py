"""Reads what came late for closed periods, as facts of the periods on whose bills it goes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import Sum

from billing.models import Adjustment
from billing.money import round_to_minor
from billing.rating.inputs import Fact
from billing.rating.late import Adjusted
from billing.rating.rated import TermKind
from billing.rating.wording import plain
from billing.usage_spans import Window


def adjusted_facts(windows: Sequence[Window]) -> Mapping[int, list[Fact]]:
    """Return what goes on the bill of each window's period for closed periods before it; one query."""
    found: dict[int, list[Fact]] = defaultdict(list)
    indexes: dict[UUID, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        indexes[window.contract.id].append(index)
    rows = (
        Adjustment.objects.filter(
            into__contract__in=list(indexes), into__from_at__in={window.from_at for window in windows}
        )
        .values(*_ADJUSTED, "into__contract_id", "into__from_at", "into__to_at")
        .annotate(quantities=Sum("quantity"), amounts=Sum("amount"))
        .exclude(amounts=0)
        .order_by("period__from_at", "source")
    )
    for row in rows:
        for index in indexes[row["into__contract_id"]]:
            window = windows[index]
            if (window.from_at, window.period_to_at or window.to_at) == (row["into__from_at"], row["into__to_at"]):
                found[index].append(_adjusted_fact(row, window.contract.currency))
    return found


_ADJUSTED = (
    "source",
    "period__from_at",
    "period__to_at",
    "invoice__number",
    "original__position",
    "term_kind",
    "term_ref",
    "model",
    "rule",
    "about",
    "unit",
)


def _adjusted_fact(row: Mapping[str, Any], currency: str) -> Adjusted:
    return Adjusted(
        invoice=row["invoice__number"] or "",
        line=row["original__position"] or 0,
        from_at=row["period__from_at"],
        to_at=row["period__to_at"],
        kind=TermKind(row["term_kind"]),
        term=row["term_ref"],
        model=row["model"],
        rule=row["rule"],
        about=row["about"],
        unit=row["unit"],
        quantity=Decimal(plain(row["quantities"])),
        amount=round_to_minor(Fraction(row["amounts"]), currency),
    )
