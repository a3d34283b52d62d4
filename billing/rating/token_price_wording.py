"""What a contract says of the price of tokens and of whatever else is counted by the unit.

A price is the one of the price book in force unless the wording has one of its own. Tiers, packages, free allowances
and multipliers change what of it is paid; `docs/rating.md` says in which order, and `check` refuses what contradicts
itself before anything is stored.
"""

from collections.abc import Iterable, Sequence
from datetime import time
from decimal import Decimal
from enum import StrEnum
from itertools import combinations, pairwise

import msgspec

from billing.money import PRICE_DECIMALS_MAX
from billing.rating.quantities import QUANTITIES
from billing.rating.wording import MeteredWording, WrongWording, plain
from metering.context_bands import CONTEXT_BANDS
from metering.event_marks import MARKS
from tenants.sentences import Listed, Name, Names, sentence

FACTOR_DECIMALS_MAX = 6
NAME_CHARS_MAX = 32
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT_AFTER = "24:00"


class Span(StrEnum):
    """How long what was used is counted before the count begins anew."""

    PERIOD = "period"
    YEAR = "year"
    LIFE = "life"


class TierMode(StrEnum):
    """Each unit at the tier that it lies in, or all units at the tier that the last one reached."""

    GRADUATED = "graduated"
    VOLUME = "volume"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the wording."""


class Covers(_Part, frozen=True, kw_only=True):
    """A named part that covers some quantities of some models; of all models where none is named."""

    name: str
    quantities: tuple[str, ...]
    models: tuple[str, ...] = ()

    def covers(self, model: str, quantity: str) -> bool:
        """Whether a quantity of a model is covered."""
        return quantity in self.quantities and (not self.models or model in self.models)


class OwnPrice(_Part, frozen=True, kw_only=True):
    """A price of this contract, instead of the book's: of requests whose input exceeds `context_over`; 0: of all.

    `quantity` is what is metered, such as `input`, `output` or `requests`; `price_unit` what the price is of, such as
    `per_mtok`, a million tokens.
    """

    model: str
    quantity: str
    price: Decimal
    price_unit: str
    context_over: int = 0


class Tier(_Part, frozen=True, kw_only=True):
    """The units up to a count, the last of a table without end (None): at a price, or a percentage of what it was."""

    up_to: int | None = None
    price: Decimal | None = None
    percent: Decimal | None = None


class TierTable(Covers, frozen=True, kw_only=True):
    """Tiers by how much was used in a span; each model and quantity is counted by itself, or all `together`."""

    mode: TierMode
    span: Span
    tiers: tuple[Tier, ...]
    together: bool = False
    price_unit: str = ""

    @property
    def is_absolute(self) -> bool:
        """Whether tiers are prices, not percentages of prices."""
        return self.tiers[0].price is not None


class Package(Covers, frozen=True, kw_only=True):
    """`units` for `amount_per_package`; the next package begins when one is used up, and lapses with the span."""

    units: int
    amount_per_package: Decimal
    span: Span = Span.PERIOD


class Allowance(Covers, frozen=True, kw_only=True):
    """So many units of a billing period cost nothing."""

    units_per_period: int


class Multiplier(_Part, frozen=True, kw_only=True):
    """Usage with a mark costs `factor` times its price, whatever the price book says of the mark."""

    mark: str
    factor: Decimal


class OffPeak(_Part, frozen=True, kw_only=True):
    """Usage that begins in a window of local time costs `factor` times its price.

    Times are `HH:MM` by the clock of the contract's zone, up to "24:00". A window over midnight belongs to the day on
    which it begins; `days` are all where none is named.
    """

    name: str
    from_local: str
    to_local: str
    factor: Decimal
    days: tuple[str, ...] = ()


class TokenPriceWording(MeteredWording, frozen=True, kw_only=True, tag="token_price"):
    """The tenant pays by the unit. Quantities `not_billed` cost nothing, by agreement and not by oversight."""

    prices: tuple[OwnPrice, ...] = ()
    tiers: tuple[TierTable, ...] = ()
    packages: tuple[Package, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    off_peak: tuple[OffPeak, ...] = ()
    not_billed: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `WrongWording` where parts contradict themselves or each other."""
        for place, price in enumerate(self.prices):
            _check_price(f"prices[{place}]", price)
        _check_once("prices", [(each.model, each.quantity, each.context_over) for each in self.prices])
        _check_base(self.prices)
        for place, table in enumerate(self.tiers):
            _check_table(f"tiers[{place}]", table)
        for place, package in enumerate(self.packages):
            _check_package(f"packages[{place}]", package)
        for place, allowance in enumerate(self.allowances):
            _check_allowance(f"allowances[{place}]", allowance)
        _check_covers("tiers", (*self.tiers, *self.packages))
        _check_covers("allowances", self.allowances)
        _check_multipliers(self.multipliers)
        _check_windows(self.off_peak)
        for place, quantity in enumerate(self.not_billed):
            _check_quantity(f"not_billed[{place}]", quantity)
        check_decimal("tolerance_percent", self.tolerance_percent, decimals_max=FACTOR_DECIMALS_MAX, example='"1"')


def local_minutes(text: str) -> int | None:
    """Return a time of day `HH:MM` in minutes since midnight, 1,440 for "24:00"; None where it is none."""
    if text == MIDNIGHT_AFTER:
        return 24 * 60
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return at.hour * 60 + at.minute if text == f"{at.hour:02}:{at.minute:02}" else None


def minutes_of_week(window: OffPeak) -> list[tuple[int, int]]:
    """Return the minutes `[from, to)` of a local week, Monday 00:00 on, that a window covers."""
    start, end = local_minutes(window.from_local), local_minutes(window.to_local)
    assert start is not None
    assert end is not None
    day, week = 24 * 60, 7 * 24 * 60
    found = []
    for number, name in enumerate(WEEKDAYS):
        if window.days and name not in window.days:
            continue
        begins = number * day + start
        ends = number * day + end + (day if end <= start else 0)
        found.append((begins, min(ends, week)))
        if ends > week:
            found.append((0, ends - week))
    return found


def check_decimal(
    field: str, value: Decimal, *, decimals_max: int = PRICE_DECIMALS_MAX, example: str = '"0.60"'
) -> None:
    """Raise `WrongWording` where a number is negative, no number, or finer than it may be."""
    if not value.is_finite() or value < 0:
        raise WrongWording(field, sentence("%(value)s is negative or no number.", value=plain(value)), example)
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    if -exponent > decimals_max:
        raise WrongWording(
            field, sentence("%(value)s has more than %(most)s decimals.", value=value, most=decimals_max), example
        )


def check_name(field: str, name: str) -> None:
    """Raise `WrongWording` where a name is empty or too long for a line's key."""
    if not 0 < len(name) <= NAME_CHARS_MAX or "|" in name:
        raise WrongWording(
            field, sentence("A name has 1 to %(most)s characters and no '|'.", most=NAME_CHARS_MAX), '"main"'
        )


def _check_quantity(field: str, quantity: str) -> None:
    if quantity not in QUANTITIES:
        reason = sentence(
            "%(quantity)s is no quantity; known are %(quantities)s.",
            quantity=repr(quantity),
            quantities=Names("quantity", QUANTITIES),
        )
        raise WrongWording(field, reason, '"input"')


def _check_unit(field: str, quantity: str, unit: str) -> None:
    expected = QUANTITIES[quantity].price_unit
    if unit != expected:
        reason = sentence(
            "%(quantity)s is priced %(expected)s, not %(unit)s.",
            quantity=Name("quantity", quantity, text=quantity),
            expected=Name("price_unit", expected, text=expected),
            unit=Name("price_unit", unit, text=repr(unit)),
        )
        raise WrongWording(field, reason, Name("price_unit", expected, text=f'"{expected}"'))


def _check_price(field: str, price: OwnPrice) -> None:
    if not price.model:
        raise WrongWording(f"{field}.model", sentence("A price is of one model."), '"my-model"')
    _check_quantity(f"{field}.quantity", price.quantity)
    _check_unit(f"{field}.price_unit", price.quantity, price.price_unit)
    check_decimal(f"{field}.price", price.price)
    if price.context_over not in CONTEXT_BANDS:
        known = Listed(map(str, CONTEXT_BANDS[1:]))
        reason = sentence("Requests are told apart at %(known)s tokens only.", known=known)
        raise WrongWording(f"{field}.context_over", reason, "200000")


def _check_once(field: str, keys: Sequence[object]) -> None:
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise WrongWording(f"{field}[{place}]", sentence("%(key)s is said twice.", key=key))


def _check_base(prices: Sequence[OwnPrice]) -> None:
    base = {(price.model, price.quantity) for price in prices if not price.context_over}
    for place, price in enumerate(prices):
        if (price.model, price.quantity) not in base:
            reason = sentence("Long requests have a price of their own, and shorter ones have none.")
            raise WrongWording(
                f"prices[{place}].context_over",
                reason,
                sentence("a price with %(field)s 0 beside it", field=Name("context_over")),
            )


def _check_covered(field: str, part: Covers) -> None:
    check_name(f"{field}.name", part.name)
    if not part.quantities:
        raise WrongWording(f"{field}.quantities", sentence("Name at least one quantity."), '["input", "output"]')
    for place, quantity in enumerate(part.quantities):
        _check_quantity(f"{field}.quantities[{place}]", quantity)
    if len({QUANTITIES[quantity].unit for quantity in part.quantities}) > 1:
        raise WrongWording(
            f"{field}.quantities", sentence("Quantities of different units do not add up."), '["input", "output"]'
        )


def _check_table(field: str, table: TierTable) -> None:
    _check_covered(field, table)
    if not table.tiers:
        raise WrongWording(
            f"{field}.tiers", sentence("A table has at least one tier."), '[{"up_to": null, "price": "3.00"}]'
        )
    _check_ends(field, table.tiers)
    for place, tier in enumerate(table.tiers):
        _check_tier(f"{field}.tiers[{place}]", tier, absolute=table.is_absolute)
    if table.is_absolute:
        for quantity in table.quantities:
            _check_unit(f"{field}.price_unit", quantity, table.price_unit)


def _check_ends(field: str, tiers: Sequence[Tier]) -> None:
    """A tier begins where the one before ends, so a hole or overlap is an end that does not rise, or is not last."""
    example = "[1000000, 10000000, null]"
    ends = [tier.up_to for tier in tiers]
    if ends[-1] is not None:
        reason = sentence("Nothing is said of what lies above %(ends)s.", ends=ends[-1])
        raise WrongWording(f"{field}.tiers[{len(ends) - 1}].up_to", reason, example)
    for place, (before, end) in enumerate(pairwise((0, *ends[:-1]))):
        if end is None:
            raise WrongWording(f"{field}.tiers[{place}].up_to", sentence("Only the last tier has no end."), example)
        assert before is not None
        if end <= before:
            reason = sentence("%(end)s does not lie above %(before)s.", end=end, before=before)
            raise WrongWording(f"{field}.tiers[{place}].up_to", reason, example)


def _check_tier(field: str, tier: Tier, *, absolute: bool) -> None:
    if (tier.price is None) == (tier.percent is None) or (tier.price is not None) != absolute:
        raise WrongWording(
            field, sentence("All tiers of a table have a price, or all have a percentage."), '{"price": "2.00"}'
        )
    if tier.price is not None:
        check_decimal(f"{field}.price", tier.price)
    if tier.percent is not None:
        check_decimal(f"{field}.percent", tier.percent, decimals_max=FACTOR_DECIMALS_MAX, example='"80"')


def _check_package(field: str, package: Package) -> None:
    _check_covered(field, package)
    if package.units <= 0:
        raise WrongWording(
            f"{field}.units", sentence("A package of %(units)s units is never used up.", units=package.units), "1000000"
        )
    check_decimal(f"{field}.amount_per_package", package.amount_per_package, example='"5.00"')


def _check_allowance(field: str, allowance: Allowance) -> None:
    _check_covered(field, allowance)
    if allowance.units_per_period < 0:
        reason = sentence("%(units_per_period)s is negative.", units_per_period=allowance.units_per_period)
        raise WrongWording(f"{field}.units_per_period", reason, "1000000")


def _check_covers(field: str, parts: Sequence[Covers]) -> None:
    _check_once(field, [part.name for part in parts])
    for left, right in combinations(parts, 2):
        models = not left.models or not right.models or set(left.models) & set(right.models)
        both = [quantity for quantity in left.quantities if quantity in right.quantities]
        if models and both:
            reason = sentence(
                "%(name)s and %(right_name)s both cover %(both)s.",
                name=repr(left.name),
                right_name=repr(right.name),
                both=both[0],
            )
            raise WrongWording(field, reason, sentence("one table for each"))


def _check_factor(field: str, factor: Decimal) -> None:
    check_decimal(field, factor, decimals_max=FACTOR_DECIMALS_MAX, example='"0.5"')


def _check_multipliers(multipliers: Sequence[Multiplier]) -> None:
    for place, multiplier in enumerate(multipliers):
        if multiplier.mark not in MARKS:
            reason = sentence(
                "%(mark)s is no mark; known are %(marks)s.", mark=repr(multiplier.mark), marks=Names("mark", MARKS)
            )
            raise WrongWording(f"multipliers[{place}].mark", reason, '"batch"')
        _check_factor(f"multipliers[{place}].factor", multiplier.factor)
    _check_once("multipliers", [multiplier.mark for multiplier in multipliers])


def _check_windows(windows: Sequence[OffPeak]) -> None:
    for place, window in enumerate(windows):
        _check_window(f"off_peak[{place}]", window)
    _check_once("off_peak", [window.name for window in windows])
    for left, right in combinations(windows, 2):
        if _overlap(minutes_of_week(left), minutes_of_week(right)):
            reason = sentence("%(name)s and %(right_name)s overlap.", name=repr(left.name), right_name=repr(right.name))
            raise WrongWording("off_peak", reason, sentence("one window for each hour"))


def _check_window(field: str, window: OffPeak) -> None:
    check_name(f"{field}.name", window.name)
    for name, text in (("from_local", window.from_local), ("to_local", window.to_local)):
        if local_minutes(text) is None or (name == "from_local" and text == MIDNIGHT_AFTER):
            raise WrongWording(f"{field}.{name}", sentence("%(text)s is no time of day.", text=repr(text)), '"22:00"')
    if window.from_local == window.to_local:
        raise WrongWording(
            f"{field}.to_local", sentence("The window has no length."), sentence('"00:00" to "24:00" for a whole day')
        )
    for place, day in enumerate(window.days):
        if day not in WEEKDAYS:
            reason = sentence("%(day)s is none of %(weekdays)s.", day=repr(day), weekdays=Names("days", WEEKDAYS))
            raise WrongWording(f"{field}.days[{place}]", reason, '"sat"')
    _check_factor(f"{field}.factor", window.factor)


def _overlap(left: Iterable[tuple[int, int]], right: Iterable[tuple[int, int]]) -> bool:
    others = list(right)
    return any(start < other_end and other_start < end for start, end in left for other_start, other_end in others)
