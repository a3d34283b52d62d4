"""How much of what budgets limit was used: the very rows that the usage page and its export show."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.money import exact_sum, round_to_minor
from billing.queries.sheet_rows import rows_of
from billing.queries.usage import Side, rated_usage
from billing.queries.usage_sheet import METERED
from billing.queries.usage_sums import bills_of
from billing.rating.kinds import kind_of
from billing.rating.rated import TermKind
from metering.key_models import UsageKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime

    from billing.budgets.rules import Rule
    from billing.queries.sheet_rows import SheetRow
    from billing.queries.usage import RatedUsage
    from tenants.models import Organization

    _Key = tuple[str, datetime, str, bool]
    """Zone, the month's start, currency, whether callers are told apart."""

BY_CALLER = (Scope.KEY, Scope.PROJECT)
"""What is told apart by who called; leases are nobody's."""


class _Days(NamedTuple):
    """What the usage page shows of a time, and in which currencies there is more."""

    currencies: tuple[str, ...]
    rows: tuple[SheetRow, ...]


class _Sum(NamedTuple):
    """A line of a bill."""

    contract: str
    model: str
    kind: str
    from_at: datetime
    amount: Decimal


class Using:
    """What an organization used, rated once for all its budgets that ask.

    Costs of days, weeks and months are sums of the rounded parts that the usage page shows, so that a month's budget
    and its page agree to the cent; an hour's cost is rounded by itself.
    """

    def __init__(self, organization: Organization, side: Side, *, now: datetime) -> None:
        self._organization, self._side, self._now = organization, side, now
        self._days: dict[_Key, _Days] = {}
        self._hours: dict[_Key, RatedUsage] = {}
        self._sums: dict[_Key, tuple[_Sum, ...]] = {}
        self._keys: dict[str, str] = {}

    def used(self, rule: Rule, window: tuple[datetime, datetime]) -> Decimal:
        """Return what a rule counts in a window of it: money rounded to its currency, or tokens."""
        from_at, _to_at = window
        start, _end = window_of(Per.MONTH, rule.zone, from_at)
        if rule.per is Per.HOUR:
            return self._in_hour(rule, start, window)
        if self.needs_no_days(rule, window) and not self.knows_days(rule, window):
            return self._in_month(rule, window)
        return sum_of(self.by_day(rule, window))

    def needs_no_days(self, rule: Rule, window: tuple[datetime, datetime]) -> bool:
        """Whether sums of lines tell what a rule counts: the running month's cost, by whomever it was caused.

        A month that is over is rated up to now, in lines that may go on after it where its zone is not the contract's.
        """
        is_sum = rule.per is Per.MONTH and rule.measure is Measure.COST and rule.scope not in BY_CALLER
        return is_sum and window[0] <= self._now < window[1]

    def knows_days(self, rule: Rule, window: tuple[datetime, datetime]) -> bool:
        """Whether `by_day` costs nothing any more: something that is counted with the same days asked before."""
        start, _end = window_of(Per.MONTH, rule.zone, window[0])
        return rule.per is not Per.HOUR and _key(rule, start, rule.currency) in self._days

    def by_day(self, rule: Rule, window: tuple[datetime, datetime]) -> dict[date, Decimal]:
        """Return the days of a window on which something was used, and how much; not of a rate's hour."""
        start, _end = window_of(Per.MONTH, rule.zone, window[0])
        who = self._caller(rule)
        first, end = (at.astimezone(ZoneInfo(rule.zone)).date() for at in window)
        rows = [
            row
            for currency in self._currencies(rule, start)
            for row in self._in_days(rule, start, currency).rows
            if first <= row.day < end
            and _is_of(rule, row.contract, row.model, row.kind)
            and _is_by(who, row.key_id, row.project)
        ]
        found: dict[date, Decimal] = defaultdict(Decimal)
        if rule.measure is Measure.TOKENS:
            # Where a day of a model has several lines, each shows the same tokens.
            counts = {
                (row.contract, row.term_ref, row.model, row.key_id, row.project, row.day): row.tokens.total
                for row in rows
            }
            for (*_of, at), tokens in counts.items():
                found[at] += tokens
        else:
            for row in rows:
                found[row.day] = exact_sum((found[row.day], row.amount))
        return dict(found)

    def _in_month(self, rule: Rule, window: tuple[datetime, datetime]) -> Decimal:
        """Add up the lines of bills, which are what the rows of days are parts of, rated in as few pieces as may be.

        A line that came late for a closed period begins before the month, and counts in none of its days.
        """
        key = _key(rule, window[0], rule.currency)
        if key not in self._sums:
            usage = rated_usage(
                self._organization,
                window[0],
                self._now,
                rule.zone,
                currency=rule.currency,
                side=self._side,
                whole=True,
            )
            self._sums[key] = tuple(_sums_of(usage))
        counted = (
            line.amount
            for line in self._sums[key]
            if window[0] <= line.from_at < window[1] and _is_of(rule, line.contract, line.model, line.kind)
        )
        return exact_sum((Decimal(0), *counted))

    def _caller(self, rule: Rule) -> tuple[str, str]:
        """Return which key (its id) and which project a rule is of; "" for any."""
        if rule.scope is Scope.KEY:
            if rule.subject not in self._keys:
                found = UsageKey.objects.filter(tenant=self._organization, label=rule.subject).values_list(
                    "pk", flat=True
                )
                self._keys[rule.subject] = str(found.first())
            return self._keys[rule.subject], ""
        return "", rule.subject if rule.scope is Scope.PROJECT else ""

    def _currencies(self, rule: Rule, start: datetime) -> tuple[str, ...]:
        if rule.currency:
            return (rule.currency,)
        return self._in_days(rule, start, "").currencies

    def _in_days(self, rule: Rule, start: datetime, currency: str) -> _Days:
        key = _key(rule, start, currency)
        if key not in self._days:
            usage = rated_usage(
                self._organization,
                start,
                self._now,
                rule.zone,
                currency=currency or None,
                side=self._side,
                by_caller=rule.scope in BY_CALLER,
            )
            self._days[key] = _Days(usage.currencies, rows_of(usage, bills_of(usage), rule.zone))
        return self._days[key]

    def _in_hour(self, rule: Rule, start: datetime, window: tuple[datetime, datetime]) -> Decimal:
        """Rated from the month's start on, so that tiers stand where they do on the bill."""
        who = self._caller(rule)
        if rule.measure is Measure.TOKENS:
            usages = [self._rated(rule, start, currency) for currency in self._rated(rule, start, "").currencies]
            return Decimal(sum(count for usage in usages for count in _tokens(usage, rule, window, who)))
        amounts = _amounts(self._rated(rule, start, rule.currency), rule, window, who)
        return round_to_minor(exact_sum((Decimal(0), *amounts)), rule.currency)

    def _rated(self, rule: Rule, start: datetime, currency: str) -> RatedUsage:
        key = _key(rule, start, currency)
        if key not in self._hours:
            self._hours[key] = rated_usage(
                self._organization,
                start,
                self._now,
                rule.zone,
                currency=currency or None,
                side=self._side,
                by_hour=True,
                by_caller=rule.scope in BY_CALLER,
            )
        return self._hours[key]


def _key(rule: Rule, start: datetime, currency: str) -> _Key:
    return rule.zone, start, currency, rule.scope in BY_CALLER


def _sums_of(usage: RatedUsage) -> Iterator[_Sum]:
    for part, bill in zip(usage.parts, bills_of(usage), strict=True):
        contract = part.basis.contract
        for line in bill.lines:
            yield _Sum(contract, line.model, line.sublines[0].term_kind, line.from_at, line.amount)
        for flat in part.flat:
            # It has no hours from before the time that was rated.
            amount = round_to_minor(flat.exact_amount, usage.currency)
            yield _Sum(contract, flat.model, TermKind.TOKEN_SHARE, part.basis.from_at, amount)


def sum_of(days: Mapping[date, Decimal]) -> Decimal:
    """Return what days come to, 0 without any."""
    return exact_sum((Decimal(0), *days.values()))


def _is_of(rule: Rule, contract: str, model: str, kind: str) -> bool:
    """Whether use counts; of a model that which its tokens cost, and no lease of a card of that name."""
    if rule.scope is Scope.CONTRACT:
        return contract == rule.subject
    return rule.scope is not Scope.MODEL or (model == rule.subject and kind in METERED)


def _is_by(who: tuple[str, str], key_id: str, project: str) -> bool:
    return who[0] in ("", key_id) and who[1] in ("", project)


def _is_by_caller(who: tuple[str, str], caller: str) -> bool:
    key_id, _bar, project = caller.partition("|")
    return _is_by(who, key_id, project)


def _amounts(
    usage: RatedUsage, rule: Rule, window: tuple[datetime, datetime], who: tuple[str, str]
) -> Iterator[Decimal]:
    for basis, rated, _flat in usage.parts:
        for line in rated.lines:
            is_inside = window[0] <= line.from_at < window[1] and _is_by_caller(who, line.caller)
            if is_inside and _is_of(rule, basis.contract, line.model, line.term_kind):
                yield line.amount


def _tokens(usage: RatedUsage, rule: Rule, window: tuple[datetime, datetime], who: tuple[str, str]) -> Iterator[int]:
    for basis, _rated, _flat in usage.parts:
        for term, used in basis.tokens():
            # Cached input is a part of input, and reasoning a part of output.
            counts = used.quantity in ("input", "cache_write", "output") and _is_by_caller(who, used.caller)
            is_inside = window[0] <= used.from_at < window[1]
            if counts and is_inside and _is_of(rule, basis.contract, used.model, kind_of(term)):
                yield used.count
