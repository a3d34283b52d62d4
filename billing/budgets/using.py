"""How much of what budgets limit was used: the very rows that the usage page and its export show."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.money import exact_sum, round_to_minor
from billing.queries.usage import Side, rated_usage
from billing.queries.usage_sheet import METERED, usage_sheet
from billing.rating.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from billing.budgets.rules import Rule
    from billing.queries.usage import RatedUsage
    from billing.queries.usage_sheet import SheetRow, UsageSheet
    from tenants.models import Organization


class Using:
    """What an organization used, rated once for all its budgets that ask.

    Costs of days, weeks and months are sums of the rounded parts that the usage page shows, so that a month's budget
    and its page agree to the cent; an hour's cost is rounded by itself.
    """

    def __init__(self, organization: Organization, side: Side, *, now: datetime) -> None:
        self._organization, self._side, self._now = organization, side, now
        self._sheets: dict[tuple[str, datetime, str], UsageSheet] = {}
        self._hours: dict[tuple[str, datetime, str], RatedUsage] = {}

    def used(self, rule: Rule, window: tuple[datetime, datetime]) -> Decimal:
        """Return what a rule counts in a window of it: money rounded to its currency, or tokens."""
        from_at, _to_at = window
        start, _end = window_of(Per.MONTH, rule.zone, from_at)
        if rule.per is Per.HOUR:
            return self._in_hour(rule, start, window)
        return exact_sum((Decimal(0), *self.by_day(rule, window).values()))

    def by_day(self, rule: Rule, window: tuple[datetime, datetime]) -> dict[date, Decimal]:
        """Return the days of a window on which something was used, and how much; not of a rate's hour."""
        start, _end = window_of(Per.MONTH, rule.zone, window[0])
        rows = [
            row
            for currency in self._currencies(rule, start)
            for row in self._sheet(rule.zone, start, currency).rows
            if _is_in(row, rule, window) and _is_of(rule, row.contract, row.model, row.kind)
        ]
        found: dict[date, Decimal] = defaultdict(Decimal)
        if rule.measure is Measure.TOKENS:
            # Where a day of a model has several lines, each shows the same tokens.
            counts = {(row.contract, row.term_ref, row.model, row.day): row.tokens.total for row in rows}
            for (*_of, at), tokens in counts.items():
                found[at] += tokens
        else:
            for row in rows:
                found[row.day] = exact_sum((found[row.day], row.amount))
        return dict(found)

    def _currencies(self, rule: Rule, start: datetime) -> tuple[str, ...]:
        if rule.currency:
            return (rule.currency,)
        return self._sheet(rule.zone, start, "").overview.currencies

    def _sheet(self, zone: str, start: datetime, currency: str) -> UsageSheet:
        key = (zone, start, currency)
        if key not in self._sheets:
            self._sheets[key] = usage_sheet(
                self._organization, start, self._now, zone, currency=currency or None, side=self._side
            )
        return self._sheets[key]

    def _in_hour(self, rule: Rule, start: datetime, window: tuple[datetime, datetime]) -> Decimal:
        """Rated from the month's start on, so that tiers stand where they do on the bill."""
        if rule.measure is Measure.TOKENS:
            currencies = self._rated(rule.zone, start, "").currencies
            return Decimal(
                sum(
                    count for each in currencies for count in _tokens(self._rated(rule.zone, start, each), rule, window)
                )
            )
        rated = self._rated(rule.zone, start, rule.currency)
        return round_to_minor(exact_sum((Decimal(0), *_amounts(rated, rule, window))), rule.currency)

    def _rated(self, zone: str, start: datetime, currency: str) -> RatedUsage:
        key = (zone, start, currency)
        if key not in self._hours:
            self._hours[key] = rated_usage(
                self._organization, start, self._now, zone, currency=currency or None, side=self._side, by_hour=True
            )
        return self._hours[key]


def _is_in(row: SheetRow, rule: Rule, window: tuple[datetime, datetime]) -> bool:
    zone = ZoneInfo(rule.zone)
    return window[0].astimezone(zone).date() <= row.day < window[1].astimezone(zone).date()


def _is_of(rule: Rule, contract: str, model: str, kind: str) -> bool:
    """Whether use counts; of a model that which its tokens cost, and no lease of a card of that name."""
    if rule.scope is Scope.CONTRACT:
        return contract == rule.subject
    return rule.scope is Scope.ORGANIZATION or (model == rule.subject and kind in METERED)


def _amounts(usage: RatedUsage, rule: Rule, window: tuple[datetime, datetime]) -> Iterator[Decimal]:
    for basis, rated in usage.parts:
        for line in rated.lines:
            if window[0] <= line.from_at < window[1] and _is_of(rule, basis.contract, line.model, line.term_kind):
                yield line.amount


def _tokens(usage: RatedUsage, rule: Rule, window: tuple[datetime, datetime]) -> Iterator[int]:
    for basis, _rated in usage.parts:
        for term, used in basis.tokens():
            # Cached input is a part of input, and reasoning a part of output.
            counts = used.quantity in ("input", "cache_write", "output")
            is_inside = window[0] <= used.from_at < window[1]
            if counts and is_inside and _is_of(rule, basis.contract, used.model, kind_of(term)):
                yield used.count
