"""The hours of one day by model, for the page behind a day's column."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.queries.usage import usage_by_hour
from billing.queries.usage_sheet import EVERYTHING, Chosen
from billing.token_counts import TokenCounts
from tenants.models import Organization

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HourRow:
    """One hour that begins at an instant; a day has 23 to 25 of them where clocks change."""

    at: datetime
    tokens: TokenCounts
    tokens_by_model: Mapping[str, int]


def usage_hours(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    zone: str,
    *,
    currency: str | None = None,
    chosen: Chosen = EVERYTHING,
) -> tuple[HourRow, ...]:
    """Return the hours of `[from_at, to_at)`; usage of a part of an hour belongs to the hour it begins in.

    The hours hold what is chosen of the usage that `rated_usage` rates; nothing is rated here.
    """
    bases = usage_by_hour(organization, from_at, to_at, zone, currency=currency, by_caller=chosen.tells_callers)
    sums: dict[datetime, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for basis in bases:
        for _term, used in basis.tokens():
            if chosen.holds_use(used.model, used.caller):
                place = from_at + (used.from_at - from_at) // HOUR * HOUR
                sums[place][used.model][used.quantity] += used.count
    rows = []
    at = from_at
    while at < to_at:
        models = {model: TokenCounts(**counts) for model, counts in sums[at].items()}
        rows.append(
            HourRow(at, _added(tuple(models.values())), {model: counts.total for model, counts in models.items()})
        )
        at += HOUR
    return tuple(rows)


def _added(counts: tuple[TokenCounts, ...]) -> TokenCounts:
    return TokenCounts(
        input=sum(each.input for each in counts),
        cached_input=sum(each.cached_input for each in counts),
        cache_write=sum(each.cache_write for each in counts),
        output=sum(each.output for each in counts),
        reasoning=sum(each.reasoning for each in counts),
    )
