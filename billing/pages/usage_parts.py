"""Usage by key and by project: the choices, the table, and what links lead to."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.money import exact_sum
from billing.pages.periods import Period, with_query
from billing.pages.usage_charts import Grouping, added, buckets, by_model, by_part, model_tones
from billing.queries.sheet_rows import SheetRow
from billing.queries.usage_sheet import NOBODY, UsageSheet
from metering.key_queries import KnownKey
from portal.charts import Part, bar, sparkline
from portal.figures import share
from portal.parts import Pill

KEYS_OFFERED = 100
"""In a list to choose from; the table by key leads to every one."""


@dataclass(frozen=True, slots=True)
class Known:
    """A tenant's keys by id, and its projects' names by slug."""

    keys: Mapping[str, KnownKey]
    projects: Mapping[str, str]

    def key_words(self) -> dict[str, str]:
        """Return what keys are called, with what has none."""
        return {**{key_id: key.label for key_id, key in self.keys.items()}, "": _("Without a key")}

    def project_words(self) -> dict[str, str]:
        """Return what projects are called, with what is in none."""
        return {**self.projects, "": _("In no project")}


@dataclass(frozen=True, slots=True)
class PartLine:
    """A row of the table by key or by project."""

    name: str
    url: str
    tone: str
    pill: Pill | None
    input: int
    cached: int
    output: int
    trend: str
    cost: Decimal
    share_bar: str
    share: str


def grouping_of(sheet: UsageSheet, group: str, known: Known) -> Grouping | None:
    """Return how columns are stacked; None: by class of token."""
    if group == "model":
        return by_model(sheet)
    if group == "key":
        return by_part(sheet, lambda row: row.key_id, known.key_words())
    if group == "project":
        return by_part(sheet, lambda row: row.project, known.project_words())
    return None


def part_lines(sheet: UsageSheet, period: Period, kept: Mapping[str, str], known: Known) -> list[PartLine]:
    """Return the table by key or project, the dearest first; it adds up to the total of the page."""
    by_key = kept["group"] == "key"
    key_of: Callable[[SheetRow], str] = (lambda row: row.key_id) if by_key else (lambda row: row.project)
    words = known.key_words() if by_key else known.project_words()
    parts: dict[str, list[SheetRow]] = defaultdict(list)
    for row in sheet.rows:
        parts[key_of(row)].append(row)
    costs = {key: exact_sum(row.amount for row in rows) for key, rows in parts.items()}
    ordered = sorted(parts, key=lambda key: (-costs[key], -sum(row.tokens.total for row in parts[key]), key))
    grouping = grouping_of(sheet, kept["group"], known)
    tones = model_tones(grouping.keys if grouping else ())
    highest = max((cost for cost in costs.values() if cost > 0), default=Decimal(0))
    lines = []
    for key in ordered:
        rows, cost = parts[key], costs[key]
        tokens = added([row.tokens for row in rows])
        spent = [bucket.tokens.total for bucket in buckets(period, rows) if bucket.first <= period.today]
        lines.append(
            PartLine(
                name=words.get(key, key),
                url=_url(key, period, kept, by_key=by_key),
                tone=tones.get(key, "m5"),
                pill=deleted_pill(known.keys.get(key)) if by_key else None,
                input=tokens.uncached_input,
                cached=tokens.cached_input,
                output=tokens.output,
                trend=sparkline(spent, small=True, height_px=22) if tokens.total else "",
                cost=cost,
                share_bar=bar([Part("m0", max(cost, Decimal(0)))], whole=highest) if highest else "",
                share=share(cost / sheet.total) if sheet.total else "",
            )
        )
    return lines


def deleted_pill(key: KnownKey | None) -> Pill | None:
    """Return what marks a deleted key; its history stays."""
    return Pill(_("deleted"), small=True) if key is not None and key.deleted_at else None


def _url(key: str, period: Period, kept: Mapping[str, str], *, by_key: bool) -> str:
    if by_key and key:
        others = {name: value for name, value in kept.items() if name not in {"group", "key"}}
        return with_query(reverse("tenant-usage-key", args=[key]), period.query, others)
    chosen = {"key": key or NOBODY} if by_key else {"project": key or NOBODY}
    return with_query(reverse("tenant-usage"), period.query, {**kept, **chosen, "group": "" if by_key else "key"})


def filters(known: Known, kept: Mapping[str, str]) -> dict[str, Any]:
    """Return (value, words, whether chosen) of the keys and projects that the page can be narrowed to."""
    offered: Sequence[tuple[str, str]] = [(key_id, key.label) for key_id, key in known.keys.items()][:KEYS_OFFERED]
    if kept["key"] in known.keys and kept["key"] not in dict(offered):
        offered = [*offered, (kept["key"], known.keys[kept["key"]].label)]
    keys = [*offered, (NOBODY, _("Without a key"))]
    projects = [*known.projects.items(), (NOBODY, _("In no project"))]
    return {
        "keys": [(value, words, value == kept["key"]) for value, words in keys] if known.keys else (),
        "projects": [(value, words, value == kept["project"]) for value, words in projects] if known.projects else (),
    }
