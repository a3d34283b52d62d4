"""What a provider earned and spent over some days, by model, tenant, cluster or day: sums of one set of rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Q, Sum

from billing.economics.cost import MILLIJOULES_PER_KWH, MS_PER_HOUR
from billing.economics.revenue import UNPLACED
from billing.economics.uses import UseKind
from billing.models import MarginRow
from billing.money import exact_sum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tenants.models import Organization

TOKENS_PER_MTOK: Final = 1_000_000
DEFAULT_CURRENCY: Final = "USD"


class Grouping(StrEnum):
    """By what rows are summed."""

    MODEL = "model"
    TENANT = "tenant"
    CLUSTER = "cluster"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of margin rows. Unknown is not zero: `costed_ms` and `metered_ms` say of how much GPU time a figure is.

    `uncosted_rows` counts what was earned on a cluster whose costs are in another currency: its cost is not here.
    """

    revenue: Decimal = Decimal(0)
    gpu_cost: Decimal = Decimal(0)
    energy_cost: Decimal | None = None
    overhead_cost: Decimal = Decimal(0)
    carbon_g: Decimal | None = None
    gpu_ms: int = 0
    costed_ms: int = 0
    metered_ms: int = 0
    energy_mj: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    uncosted_rows: int = 0

    @property
    def tokens(self) -> int:
        """Every token once."""
        return self.input_tokens + self.cache_write_tokens + self.output_tokens

    @property
    def cost(self) -> Decimal:
        """All that is known to have been spent."""
        return exact_sum((self.gpu_cost, self.energy_cost or Decimal(0), self.overhead_cost))

    @property
    def profit(self) -> Decimal | None:
        """What is left, negative for a loss; None where any cost is not known. Unmetered energy is not in it."""
        return exact_sum((self.revenue, -self.cost)) if self.cost_known else None

    @property
    def margin(self) -> Fraction | None:
        """What is left of each unit earned; None where nothing was earned, or any cost is not known."""
        return Fraction(self.profit) / Fraction(self.revenue) if self.revenue and self.profit is not None else None

    @property
    def cost_known(self) -> bool:
        """Whether there is a cost, and every card behind the figures has a price in this currency."""
        return self.costed_ms == self.gpu_ms and not self.uncosted_rows and (self.gpu_ms > 0 or self.cost > 0)

    @property
    def known_gpu_cost(self) -> Decimal | None:
        """Cards and rent, of the GPU time `costed_ms`; None where neither is known."""
        return self.gpu_cost if self.costed_ms or self.gpu_cost else None

    @property
    def known_overhead_cost(self) -> Decimal | None:
        """Overhead; None where no cost at all is known."""
        return self.overhead_cost if self.costed_ms or self.cost else None

    @property
    def metered_share(self) -> Fraction | None:
        """The part of the GPU time with metered energy; None without GPU time."""
        return Fraction(self.metered_ms, self.gpu_ms) if self.gpu_ms else None

    def per_mtok(self, amount: Decimal | None) -> Fraction | None:
        """Return an amount per 1M tokens; None without tokens or where the amount is not known."""
        if amount is None or self.tokens <= 0:
            return None
        return Fraction(amount) * TOKENS_PER_MTOK / self.tokens

    def per_gpu_hour(self, amount: Decimal | None) -> Fraction | None:
        """Return an amount per GPU-hour; None without GPU time or where the amount is not known."""
        return None if amount is None or not self.gpu_ms else Fraction(amount) * MS_PER_HOUR / self.gpu_ms

    @property
    def tokens_per_unit(self) -> Fraction | None:
        """Tokens for each unit of the currency spent; None where the cost of the cards is not wholly known."""
        return Fraction(self.tokens) / Fraction(self.cost) if self.cost_known and self.cost and self.tokens else None

    @property
    def tokens_per_gpu_hour(self) -> Fraction | None:
        """Tokens for each GPU-hour."""
        return Fraction(self.tokens * MS_PER_HOUR, self.gpu_ms) if self.gpu_ms and self.tokens else None

    @property
    def tokens_per_kwh(self) -> Fraction | None:
        """Tokens for each kWh measured at the cards; None unless all the GPU time was metered."""
        if not self.energy_mj or not self.tokens or self.metered_ms < self.gpu_ms:
            return None
        return Fraction(self.tokens * MILLIJOULES_PER_KWH, self.energy_mj)


@dataclass(frozen=True, slots=True)
class MarginLine:
    """One group with its figures; `key` is what it is grouped by, "" for what has none, `name` says it to people."""

    key: str
    name: str
    kind: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Margin:
    """A provider's days `[first, last]` in one currency.

    `total` is the sum of `lines`, whatever they are grouped by. Of `total`, `idle` stood unused and `overhead` is
    shared out in the lines: workload + idle + overhead = cost. `elsewhere` is what was earned in other currencies,
    which is compared with nothing.
    """

    first: date
    last: date
    currency: str
    currencies: tuple[str, ...]
    lines: tuple[MarginLine, ...]
    total: Figures
    idle: Figures
    elsewhere: tuple[tuple[str, Decimal], ...]

    @property
    def idle_cost(self) -> Decimal | None:
        """Cards, rent and energy of GPU time that nobody used; None where any of the cost is not known."""
        return self._idle_cost if self.total.cost_known else None

    @property
    def workload_cost(self) -> Decimal | None:
        """Cards, rent and energy of GPU time in use; None where any of the cost is not known."""
        if not self.total.cost_known:
            return None
        return exact_sum((self.total.cost, -self.total.overhead_cost, -self._idle_cost))

    @property
    def overhead_cost(self) -> Decimal | None:
        """What no card spends; None where any of the cost is not known."""
        return self.total.overhead_cost if self.total.cost_known else None

    @property
    def cost(self) -> Decimal | None:
        """Workload, idle and overhead; None where any of it is not known."""
        return self.total.cost if self.total.cost_known else None

    @property
    def _idle_cost(self) -> Decimal:
        return exact_sum((self.idle.gpu_cost, self.idle.energy_cost or Decimal(0)))


SUMMED: Final = (
    "revenue", "gpu_cost", "energy_cost", "overhead_cost", "carbon_g", "gpu_ms", "costed_ms", "metered_ms", "energy_mj",
    "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "uncosted_rows",
)  # fmt: skip
UNCOSTED: Final = Q(kind__in=(UseKind.HELD, UseKind.SERVED), gpu_ms=0, input_tokens=0, output_tokens=0) & ~Q(revenue=0)
"""Rows that hold what was earned on a cluster and nothing of the cluster: its own rows are in another currency."""
COUNTS: Final = frozenset(SUMMED[5:])


def margin(
    provider: Organization,
    first: date,
    last: date,
    *,
    by: Grouping = Grouping.MODEL,
    currency: str = "",
    cluster_slug: str = "",
    model: str | None = None,
) -> Margin:
    """Return what a provider earned and spent from `first` to `last`, both included; three queries."""
    rows = MarginRow.objects.filter(provider=provider, day__gte=first, day__lte=last)
    earned = dict(
        MarginRow.objects.filter(provider=provider).order_by().values_list("currency").annotate(total=Sum("revenue"))
    )
    chosen = currency or _main_currency(earned)
    if cluster_slug:
        rows = rows.filter(cluster__slug=cluster_slug)
    if model is not None:
        rows = rows.filter(model=model)
    elsewhere = rows.exclude(currency__in=[chosen, ""]).order_by("currency").values_list("currency")
    lines, idle = _lines(rows.filter(Q(currency=chosen) | Q(currency="")), by)
    return Margin(
        first=first,
        last=last,
        currency=chosen,
        currencies=tuple(sorted(code for code in earned if code)),
        lines=tuple(lines),
        total=total_of([line.figures for line in lines]),
        idle=idle,
        elsewhere=tuple((code, total) for code, total in elsewhere.annotate(total=Sum("revenue")) if total),
    )


def revenue_of(provider: Organization, first: date, last: date, *, currency: str) -> Decimal:
    """Return what a provider earned in a currency from `first` to `last`, as `margin` has it in total; one query."""
    rows = MarginRow.objects.filter(provider=provider, day__gte=first, day__lte=last, currency__in=(currency, ""))
    return exact_sum((Decimal(0), rows.aggregate(total=Sum("revenue"))["total"] or Decimal(0)))


def daily(
    provider: Organization, first: date, last: date, *, currency: str, cluster_slug: str = ""
) -> dict[str, dict[date, Figures]]:
    """Return each model's figures by day, for the small lines beside a table; one query."""
    rows = MarginRow.objects.filter(provider=provider, day__gte=first, day__lte=last).filter(
        Q(currency=currency) | Q(currency="")
    )
    if cluster_slug:
        rows = rows.filter(cluster__slug=cluster_slug)
    found: dict[str, dict[date, Figures]] = defaultdict(dict)
    for row in _summed(rows, "model", "day"):
        found[row["model"]][row["day"]] = _figures(row)
    return found


def total_of(parts: Sequence[Figures]) -> Figures:
    """Add figures up; a sum of unknowns is unknown."""
    sums: dict[str, Any] = {}
    for name in SUMMED:
        known = [value for value in (getattr(part, name) for part in parts) if value is not None]
        if name in COUNTS:
            sums[name] = sum(known)
        else:
            sums[name] = exact_sum(known) if known else None
    return Figures(**{**sums, **{name: sums[name] or Decimal(0) for name in ("revenue", "gpu_cost", "overhead_cost")}})


def _main_currency(earned: dict[str, Decimal]) -> str:
    named = {code: total for code, total in earned.items() if code}
    return max(named, key=lambda code: (named[code], code)) if named else DEFAULT_CURRENCY


def _lines(rows: Any, by: Grouping) -> tuple[list[MarginLine], Figures]:
    """The lines of a grouping in their order, and what of all of them stood idle."""
    keys = {
        Grouping.MODEL: ("model", "model"),
        Grouping.TENANT: ("tenant__slug", "tenant__name"),
        Grouping.CLUSTER: ("cluster__slug", "cluster__name"),
        Grouping.DAY: ("day", "day"),
    }[by]
    parts: dict[tuple[str, str, str], list[Figures]] = defaultdict(list)
    idle: list[Figures] = []
    for row in _summed(rows, *dict.fromkeys(keys), "kind"):
        key, name, figures = row[keys[0]], row[keys[1]], _figures(row)
        parts[str(key or ""), str(name or ""), _kind(row["kind"], str(key or ""), by)].append(figures)
        if row["kind"] == UseKind.IDLE:
            idle.append(figures)
    lines = [MarginLine(key, name, kind, total_of(figures)) for (key, name, kind), figures in parts.items()]
    if by is Grouping.DAY:
        return sorted(lines, key=lambda line: line.key), total_of(idle)
    lines.sort(key=lambda line: (line.kind == UseKind.IDLE, _unearned(line.figures), line.name))
    return lines, total_of(idle)


def _unearned(figures: Figures) -> Decimal:
    """By what lines are ordered: what is left by what is known, the most first."""
    return exact_sum((figures.cost, -figures.revenue))


def _kind(kind: str, key: str, by: Grouping) -> str:
    """What a line is beside its key: idle time and what has no place are lines of their own where they have no key."""
    if by in (Grouping.MODEL, Grouping.TENANT) and kind == UseKind.IDLE:
        return UseKind.IDLE
    return UNPLACED if not key else ""


def _summed(rows: Any, *keys: str) -> Any:
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in SUMMED if name != "uncosted_rows"}
    return rows.order_by().values(*keys).annotate(**sums, sum_uncosted_rows=Count("pk", filter=UNCOSTED))


def _figures(row: dict[str, Any]) -> Figures:
    sums: dict[str, Any] = {name: row[f"sum_{name}"] for name in SUMMED}
    return Figures(**{**sums, **{name: int(sums[name]) for name in COUNTS}})
