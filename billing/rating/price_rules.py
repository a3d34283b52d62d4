"""Which prices are in force for one contract: its own, the version it is pinned to, or its price book's.

The price of a moment is, price by price, the first that there is of: the contract's override; the version that the
contract is pinned to, or the one in force when its lock began; the book's version in force. Two protections hold
prices of the book back: a **notice** that has not run (a fall comes at once, a rise and the end of a price wait), and
a **cap** on the rise within a year of the contract.

What comes out are versions again, each in force from its own instant, so that everything that rates by versions rates
by these. One that has just the prices of a version of the book bears its id; another one bears the id of the book's
newest version of its time, "@", and the instant from which it is in force.
"""

from calendar import isleap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from billing.money import PRICE_DECIMALS_MAX
from billing.rating.book import PriceVersion
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.price_lists import PriceKey, PriceList, prices_of, version_of
from billing.rating.price_rows import PriceRow, prices_in
from billing.rating.rated import Rated
from billing.rating.wording import Stretch, Wording, WrongWording
from tenants.sentences import ForPrograms, sentence

NOTICE_DAYS_MAX: Final = 3_650
RISE_PERCENT_MAX: Final = 1_000
YEARS_MAX: Final = 100
_LEFT_OUT: Final = ForPrograms('"lock": null', sentence("leave one of them out"))
_STEPS: Final = 10**PRICE_DECIMALS_MAX
_LEAP_DAY: Final = (2, 29)
_ADJUSTED: Final = "@"
_MOMENT: Final = timedelta(microseconds=1)


class PriceLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prices in force at `from_at` hold until `to_at`, or as long as the contract runs (None).

    What had no price then follows the book.
    """

    from_at: datetime
    to_at: datetime | None = None


class PricePin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prices of one version hold until `to_at`, or as long as the contract runs; others follow the book."""

    price_version_id: UUID
    to_at: datetime | None = None


class RiseCap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No price rises by more than a percentage within a year; years count from `from_at` in the contract's zone.

    The first year's base is what the contract paid as the cap began, each later one's what it paid as the year began.
    What had no price then counts from its first one.
    """

    percent_per_year: Decimal
    from_at: datetime


class PriceRule(Wording, frozen=True, kw_only=True, tag="price_rule"):
    """How a contract follows its price book: the one term of its kind in a contract. As it stands here it floats."""

    notice_days: int = 0
    lock: PriceLock | None = None
    pin: PricePin | None = None
    rise_cap: RiseCap | None = None
    overrides: tuple[PriceRow, ...] = ()

    @property
    def floats(self) -> bool:
        """Whether nothing but the book decides."""
        return self == FLOAT

    def check(self) -> None:
        """Raise `WrongWording` where the rule contradicts itself."""
        if not 0 <= self.notice_days <= NOTICE_DAYS_MAX:
            raise WrongWording("notice_days", sentence("it lies within 0 and %(most)s.", most=NOTICE_DAYS_MAX), "30")
        if self.lock and self.pin:
            raise WrongWording("pin", sentence("prices are locked or pinned, not both."), _LEFT_OUT)
        for name, at in self._instants():
            if at.tzinfo is None:
                raise WrongWording(name, sentence("an instant names its offset from UTC."), "2026-12-01T00:00:00Z")
        if self.lock and self.lock.to_at is not None and self.lock.to_at <= self.lock.from_at:
            raise WrongWording("lock.to_at", sentence("a lock ends after it begins."), "2027-12-01T00:00:00Z")
        if self.rise_cap and not 0 <= self.rise_cap.percent_per_year <= RISE_PERCENT_MAX:
            raise WrongWording(
                "rise_cap.percent_per_year", sentence("it lies within 0 and %(most)s.", most=RISE_PERCENT_MAX), "5"
            )
        prices_in(self.overrides, where="overrides")

    def prices(self) -> dict[PriceKey, Decimal]:
        """Return the contract's own prices."""
        return prices_in(self.overrides, where="overrides")

    def _instants(self) -> Iterable[tuple[str, datetime]]:
        given = [
            ("lock.from_at", self.lock.from_at if self.lock else None),
            ("lock.to_at", self.lock.to_at if self.lock else None),
            ("pin.to_at", self.pin.to_at if self.pin else None),
            ("rise_cap.from_at", self.rise_cap.from_at if self.rise_cap else None),
        ]
        return [(name, at) for name, at in given if at is not None]


FLOAT: Final = PriceRule()
"""The rule of a contract that says nothing of its prices."""

RuleStretches = Sequence[Stretch[PriceRule]]
"""The rules of a contract one after the other, as its versions say them."""


def rate_price_rule(_term: TermInput, _window: RatingWindow) -> Rated:
    """Rate nothing: a rule owes no money, it decides the prices in force that other terms are rated at."""
    return Rated()


def row_id(version_id: str) -> str:
    """Return the id of the book's version that a version of a contract comes from."""
    return version_id.partition(_ADJUSTED)[0]


def price_row(version_id: str | None) -> UUID | None:
    """Return the id of the book's version that a rated line's prices come from, None where they are the contract's."""
    found = row_id(version_id or "")
    return UUID(found) if found else None


def contract_versions(
    book: Sequence[PriceVersion], rules: RuleStretches, *, zone: str, from_at: datetime, to_at: datetime
) -> tuple[PriceVersion, ...]:
    """Return the versions in force for a contract at some instant of `[from_at, to_at)`, in the order they start.

    `book` are all versions of the price book (a rule can reach back), `rules` the contract's from its beginning; where
    there is none the book's prices are in force. `zone` is the contract's IANA time zone.
    """
    versions = sorted(book, key=lambda version: version.effective_at)
    if all(stretch.wording.floats for stretch in rules):
        return _in_window(versions, from_at, to_at)
    walk = _Walk(versions, rules, zone)
    found: list[PriceVersion] = []
    for at in walk.instants(from_at, to_at):
        version = walk.version_at(at, found[-1] if found else None)
        if version is not None and (not found or version is not found[-1]):
            found.append(version)
    return _in_window(found, from_at, to_at)


def takes_effect_at(
    book: Sequence[PriceVersion], rules: RuleStretches, version_id: str, *, zone: str, until: datetime
) -> datetime | None:
    """Return when a version of the book first changes a price of the contract; None where it never does by `until`."""
    [version] = [each for each in book if each.version_id == version_id]
    with_it = [each for each in book if each.effective_at <= version.effective_at]
    without = [each for each in with_it if each.version_id != version_id]
    window = {"zone": zone, "from_at": version.effective_at, "to_at": until}
    before = contract_versions(without, rules, **window)  # type: ignore[arg-type]  # one mapping of three kinds
    after = contract_versions(with_it, rules, **window)  # type: ignore[arg-type]  # the same
    starts = {each.effective_at for each in (*before, *after)}
    for at in sorted({max(start, version.effective_at) for start in starts}):
        if _list_at(before, at) != _list_at(after, at):
            return at
    return None


def _in_window(versions: Sequence[PriceVersion], from_at: datetime, to_at: datetime) -> tuple[PriceVersion, ...]:
    """Keep the version in force at a window's start and those that start inside it."""
    started = [version for version in versions if version.effective_at <= from_at]
    return (*started[-1:], *(version for version in versions if from_at < version.effective_at < to_at))


def _list_at(versions: Sequence[PriceVersion], at: datetime) -> PriceList:
    started = [version for version in versions if version.effective_at <= at]
    return prices_of(started[-1]) if started else {}


@dataclass(slots=True)
class _Walk:
    """The prices of a contract from its beginning on, instant by instant; a cap remembers what was paid."""

    versions: Sequence[PriceVersion]
    rules: RuleStretches
    zone: str
    paid: dict[PriceKey, Decimal] = field(default_factory=dict)
    base: dict[PriceKey, Decimal] = field(default_factory=dict)
    cap_year: tuple[datetime, int] | None = None

    def instants(self, from_at: datetime, to_at: datetime) -> list[datetime]:
        """Every instant before `to_at` at which the prices may change; the first is where the walk begins."""
        begin = min((from_at, *(rule.from_at for rule in self.rules)))
        found = {begin, from_at}
        found.update(version.effective_at for version in self.versions)
        for stretch in self.rules:
            found |= {stretch.from_at, stretch.to_at}
            found.update(at for _, at in stretch.wording._instants())
            found.update(_notice_ends(version, stretch.wording) for version in self.versions)
            if stretch.wording.rise_cap:
                found.update(self._years(stretch.wording.rise_cap, to_at))
        return sorted(at for at in found if begin <= at < max(to_at, from_at + _MOMENT))

    def version_at(self, at: datetime, before: PriceVersion | None) -> PriceVersion | None:
        """Return what is in force at an instant; `before` itself where nothing changed. Called in order of instants."""
        started = [version for version in self.versions if version.effective_at <= at]
        rule = self._rule_at(at)
        prices = self._capped(rule, at, self._held(rule, at)) | rule.prices()
        newest = started[-1] if started else None
        if newest is None and not prices:
            return None
        named = self._named(prices, newest, at, before)
        if before is not None and before.version_id == named:
            return before
        if newest is not None and named == newest.version_id and (before is None or newest.effective_at == at):
            return newest
        return version_of(named, at, prices)

    def _named(self, prices: PriceList, newest: PriceVersion | None, at: datetime, before: PriceVersion | None) -> str:
        """Return the id of the newest version with these prices, else of what was in force, else a new one."""
        if newest is not None and prices == prices_of(newest):
            return newest.version_id
        if before is not None and prices == prices_of(before):
            return before.version_id
        same = [one for one in self.versions if one.effective_at <= at and prices_of(one) == prices]
        if same:
            return same[-1].version_id
        return f"{newest.version_id if newest else ''}{_ADJUSTED}{at.astimezone(UTC).isoformat()}"

    def _rule_at(self, at: datetime) -> PriceRule:
        return next((one.wording for one in self.rules if one.from_at <= at < one.to_at), FLOAT)

    def _held(self, rule: PriceRule, at: datetime) -> dict[PriceKey, Decimal]:
        """The book's prices as far as notice, lock and pin let them through."""
        prices = self._noticed(rule, at)
        if rule.lock and rule.lock.from_at <= at and not _is_over(rule.lock.to_at, at):
            prices |= self._noticed(rule, rule.lock.from_at)
        if rule.pin and not _is_over(rule.pin.to_at, at):
            pinned = str(rule.pin.price_version_id)
            prices |= next((prices_of(one) for one in self.versions if one.version_id == pinned), {})
        return prices

    def _noticed(self, rule: PriceRule, at: datetime) -> dict[PriceKey, Decimal]:
        """The prices of the newest version whose notice has run, and of later ones what does not wait for theirs."""
        started = [version for version in self.versions if version.effective_at <= at]
        agreed_at = self.rules[0].from_at if self.rules else at
        run = [
            place
            for place, version in enumerate(started)
            if version.effective_at <= agreed_at or _notice_ends(version, rule) <= at
        ]
        first = run[-1] if run else 0
        prices = prices_of(started[first]) if started else {}
        for version in started[first + 1 :]:
            waiting = prices_of(version)
            prices |= {key: min(price, prices.get(key, price)) for key, price in waiting.items()}
        return prices

    def _capped(self, rule: PriceRule, at: datetime, prices: PriceList) -> dict[PriceKey, Decimal]:
        """The prices with no rise beyond the cap of the year that an instant lies in."""
        cap = rule.rise_cap
        if cap is None or at < cap.from_at:
            self.cap_year = None
            self.paid |= prices
            return dict(prices)
        year = (cap.from_at, sum(anniversary <= at for anniversary in self._years(cap, at + _MOMENT)))
        if year != self.cap_year:
            self.cap_year, self.base = year, dict(self.paid)
        most = {key: _risen(self.base.setdefault(key, price), cap) for key, price in prices.items()}
        capped = {key: min(price, most[key]) for key, price in prices.items()}
        self.paid |= capped
        return capped

    def _years(self, cap: RiseCap, before: datetime) -> list[datetime]:
        """The instants before another at which a year of a cap begins, the first year's not among them."""
        begin = cap.from_at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        found: list[datetime] = []
        for years in range(1, YEARS_MAX + 1):
            leap_day = (begin.month, begin.day) == _LEAP_DAY and not isleap(begin.year + years)
            local = begin.replace(year=begin.year + years, day=28 if leap_day else begin.day)
            at = local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)
            if at >= before:
                break
            found.append(at)
        return found


def _is_over(end: datetime | None, at: datetime) -> bool:
    return end is not None and end <= at


def _notice_ends(version: PriceVersion, rule: PriceRule) -> datetime:
    """A day of notice is 24 hours, from the instant at which the version was announced."""
    announced_at = version.announced_at or version.effective_at
    return max(version.effective_at, announced_at + timedelta(days=rule.notice_days))


def _risen(base: Decimal, cap: RiseCap) -> Decimal:
    """The most that a price may be: rounded down, so that the cap is never passed."""
    most = Fraction(base) * (1 + Fraction(cap.percent_per_year) / 100)
    return Decimal(most * _STEPS // 1).scaleb(-PRICE_DECIMALS_MAX)
