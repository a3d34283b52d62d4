"""What rating gives: rated lines, and usage that no price is in force for.

A rated line is the whole of one thing in one period as far as it is known: so many tokens of one class of one
model at one price, so many GPU-seconds of one lease at one rate. Rating is cumulative: it is done anew from
the totals, and `billing.rating.cumulative` takes what is booked already off.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

import msgspec

from billing.money import SECONDS_PER_HOUR, TOKENS_PER_PRICE_UNIT, exact_amount, exact_sum, sum_of_fractions, to_charge

LINE_KEY_CHARS_MAX = 300
WHOLE_PERCENT = Decimal(100)
PRODUCTS_KEPT = 16_384


class TermKind(StrEnum):
    """Which kind of term a line comes from."""

    LEASE = "lease"
    ON_DEMAND = "on_demand"
    SPOT = "spot"
    STORAGE = "storage"
    TOKEN_PRICE = "token_price"  # noqa: S105 - the name of a contract term
    TOKEN_SHARE = "token_share"  # noqa: S105 - the name of a contract term
    AVAILABILITY = "availability"
    DISCOUNT = "discount"
    COMMITMENT = "commitment"
    CREDIT = "credit"
    PRICE_RULE = "price_rule"
    DEBIT = "debit"


class Unit(StrEnum):
    """What a quantity counts. `AMOUNT` counts an amount itself: 1 owed, or -1 taken off."""

    TOKENS = "tokens"
    REQUESTS = "requests"
    IMAGES = "images"
    STEPS = "steps"
    GPU_SECONDS = "gpu_seconds"
    GB_SECONDS = "gb_seconds"
    PACKAGES = "packages"
    SECONDS = "seconds"
    AMOUNT = "amount"


class PriceUnit(StrEnum):
    """What a unit price is for; the amount of a period is prorated by the second."""

    PER_MTOK = "per_mtok"
    PER_REQUEST = "per_request"
    PER_IMAGE = "per_image"
    PER_STEP = "per_step"
    PER_SECOND = "per_second"
    PER_GPU_HOUR = "per_gpu_hour"
    PER_GB_MONTH = "per_gb_month"
    PER_PACKAGE = "per_package"
    PER_PERIOD = "per_period"
    AMOUNT = "amount"


class Price(msgspec.Struct, frozen=True):
    """A price with its unit: `amount` for `units` of the quantity it is multiplied with.

    A struct and no dataclass, as the lines are that each have one.
    """

    amount: Decimal
    unit: PriceUnit
    units: int

    def __post_init__(self) -> None:
        assert self.amount.is_finite()
        assert self.amount >= 0
        assert self.units > 0


def per_mtok(amount: Decimal) -> Price:
    """Return a price per 1M tokens."""
    return Price(amount, PriceUnit.PER_MTOK, TOKENS_PER_PRICE_UNIT)


def per_gpu_hour(amount: Decimal) -> Price:
    """Return a price per GPU-hour, for quantities in GPU-seconds."""
    return Price(amount, PriceUnit.PER_GPU_HOUR, SECONDS_PER_HOUR)


def per_period(amount: Decimal, period_seconds: int) -> Price:
    """Return a price for a whole period of the given length, for quantities in seconds."""
    return Price(amount, PriceUnit.PER_PERIOD, period_seconds)


def whole_amount(amount: Decimal | Fraction) -> Price:
    """Return an amount as a price, for a quantity of 1 (owed) or -1 (taken off); rounded as a charge is."""
    return Price(to_charge(Fraction(amount)), PriceUnit.AMOUNT, 1)


class RatedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One priced quantity with everything that a charge must carry.

    `line_key` says what the line is about and is the same in every run. `context_over` is the threshold of the
    tier in which the requests were priced, 0 without one. `quality_mix` gives the quantity by
    quality and sums to `quantity`. `base_amount` is quantity times price, `amount` what is owed of it
    (`share_percent` of it); both are rounded half-even to 18 decimals, while `exact_base` and `exact` are the
    figures themselves. `about_ref` is the term that a line of a second stage is about (whose amounts a discount
    is taken off), empty where it is about the whole contract or is no such line. `marks` are those of the requests that
    the price depends on; `caller` is who used it, where a line was divided by that (`billing.rating.by_day`).

    A struct and no dataclass, as `billing.rating.inputs.Used` is: a month of days has thousands.
    """

    line_key: str
    term_kind: TermKind
    term_ref: str
    contract_version: int
    price_version_id: str | None
    rule: str
    model: str
    token_class: str
    quantity: Decimal
    unit: Unit
    price: Price
    context_over: int = 0
    about_ref: str = ""
    marks: str = ""
    caller: str = ""
    share_percent: Decimal = WHOLE_PERCENT
    quality_mix: Mapping[str, Decimal]
    from_at: datetime
    to_at: datetime

    def __post_init__(self) -> None:
        assert 0 < len(self.line_key) <= LINE_KEY_CHARS_MAX
        assert 0 <= self.share_percent <= WHOLE_PERCENT
        assert self.from_at <= self.to_at
        assert _sum(self.quality_mix) == self.quantity

    @property
    def exact_base(self) -> Fraction:
        """The amount before the share, exactly."""
        return _multiplied(self.quantity, self.price.amount, self.price.units, WHOLE_PERCENT)[0]

    @property
    def exact(self) -> Fraction:
        """The amount owed, exactly."""
        return _multiplied(self.quantity, self.price.amount, self.price.units, self.share_percent)[0]

    @property
    def base_amount(self) -> Decimal:
        """The amount before the share, as a charge stores it."""
        return _multiplied(self.quantity, self.price.amount, self.price.units, WHOLE_PERCENT)[1]

    @property
    def amount(self) -> Decimal:
        """The amount owed, as a charge stores it."""
        return _multiplied(self.quantity, self.price.amount, self.price.units, self.share_percent)[1]


def _sum(mix: Mapping[str, Decimal]) -> Decimal:
    """Most lines are of one quality."""
    return next(iter(mix.values())) if len(mix) == 1 else exact_sum(mix.values())


@lru_cache(maxsize=PRODUCTS_KEPT)
def _multiplied(quantity: Decimal, price: Decimal, units: int, percent: Decimal) -> tuple[Fraction, Decimal]:
    """Return what a share of a quantity at a price for so many units is: exactly, and as a charge stores it.

    A bill asks the same line for its amount half a dozen times, and a month's days are often alike.
    """
    base = exact_amount(quantity=quantity, unit_price=price, units_per_price=units)
    exact = base if percent == WHOLE_PERCENT else base * Fraction(percent) / 100
    return exact, to_charge(exact)


class UnpricedReason(StrEnum):
    """Why usage waits without a price."""

    NO_VERSION = "no_version_in_force"
    NO_PRICE = "no_price_in_version"
    PART_EXCEEDS_WHOLE = "part_exceeds_whole"
    WITNESSES_DIFFER = "witnesses_differ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Usage that could not be priced: shown to both parties and alarmed, never an amount of zero.

    `PART_EXCEEDS_WHOLE` is the surplus of cached over input tokens, or of reasoning over output tokens.
    `WITNESSES_DIFFER` is a difference beyond the agreed tolerance that is held until the parties have settled it.
    """

    term_kind: TermKind
    term_ref: str
    contract_version: int
    model: str
    token_class: str
    quantity: Decimal
    unit: Unit
    reason: UnpricedReason
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Carry:
    """What a period hands to the next under a term: a shortfall, a tier's position, a balance. Stored as it closes.

    `name` says what it is with its unit, for example `shortfall_amount` or `tier_tokens|my-model|input`.
    """

    term_ref: str
    name: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Rated:
    """The lines of a rating, the usage left without a price, and what the next period is handed; in fixed order."""

    lines: tuple[RatedLine, ...] = ()
    unpriced: tuple[Unpriced, ...] = ()
    carries: tuple[Carry, ...] = ()

    @property
    def exact_total(self) -> Fraction:
        """What is owed for all lines, exactly."""
        return sum_of_fractions(line.exact for line in self.lines)

    def __add__(self, other: "Rated") -> "Rated":
        """Join the ratings of two terms."""
        return Rated(self.lines + other.lines, self.unpriced + other.unpriced, self.carries + other.carries)


def line_key(*parts: str | int) -> str:
    """Return a stable key of what a line is about; different parts never give the same key.

    A key that would be too long for its column ends in a SHA-256 of the whole instead.
    """
    key = "|".join(map(str, parts))
    if "%" in key or key.count("|") >= len(parts):
        key = "|".join(str(part).replace("%", "%25").replace("|", "%7C") for part in parts)
    if len(key) > LINE_KEY_CHARS_MAX:
        digest = hashlib.sha256(key.encode()).hexdigest()
        key = f"{key[: LINE_KEY_CHARS_MAX - len(digest) - 1]}#{digest}"
    assert 0 < len(key) <= LINE_KEY_CHARS_MAX
    return key
