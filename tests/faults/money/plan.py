"""What happens in a run and what goes wrong in it, from its seed; and what it must come to, from the plan alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MONTHS = (
    ("Europe/Berlin", 2026, 3),
    ("Europe/Berlin", 2026, 10),
    ("America/New_York", 2026, 3),
    ("America/New_York", 2026, 11),
    ("America/St_Johns", 2026, 10),
    ("Australia/Lord_Howe", 2026, 4),
    ("Australia/Lord_Howe", 2026, 9),
    ("Asia/Kathmandu", 2026, 4),
    ("Africa/Casablanca", 2026, 2),
    ("UTC", 2026, 2),
)
"""Where clocks change within the month or the next, or stand apart from full hours."""
DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "BHD": 3}
EDGES = (-MINUTE, timedelta(0), MINUTE, HOUR, -HOUR, -26 * HOUR, 26 * HOUR)
"""Where usage stands about the end of a month."""
STATEMENTS_MAX = 95


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of a contract in one minute; `late`: stored only after the invoice of its month was issued."""

    contract: int
    at: datetime
    tokens: int
    late: bool


@dataclass(frozen=True, slots=True)
class Leased:
    """A card held over `[from_at, to_at)`."""

    contract: int
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: two months of some contracts of one provider.

    `bounds` are the starts of three months in UTC. `clocks` are what the clock of a sweep shows beside the end of a
    month, in the order of the sweeps: it may go back. `kills` are the statements at which a close dies, one after the
    other. `paid` are contracts whose first invoice is paid before the night of the backup, and after it.
    """

    seed: int
    zone: str
    currency: str
    contracts: int
    bounds: tuple[datetime, datetime, datetime]
    price_per_mtok: Decimal
    price_per_gpu_hour: Decimal
    fee_percent: Decimal
    used: tuple[Used, ...]
    leased: tuple[Leased, ...]
    clocks: tuple[timedelta, ...]
    kills: tuple[int, ...]
    closers: int
    paid_before: frozenset[int]
    paid_after: frozenset[int]
    restored: bool


def make_plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = Random(seed)
    zone, year, month = chance.choice(MONTHS)
    bounds = tuple(_start(zone, year, month + ahead) for ahead in range(3))
    contracts = chance.randint(2, 4)
    every = range(contracts)
    paid = chance.sample(every, chance.randint(0, contracts))
    before = frozenset(paid[: len(paid) // 2])
    return Plan(
        seed=seed,
        zone=zone,
        currency=chance.choice(list(DIGITS)),
        contracts=contracts,
        bounds=(bounds[0], bounds[1], bounds[2]),
        price_per_mtok=_price(chance, 4, 9),
        price_per_gpu_hour=_price(chance, 3, 4),
        fee_percent=Decimal(chance.choice(("0", "1", "2.5", "7.25"))),
        used=tuple(_used(chance, contracts, bounds)),
        leased=tuple(_leased(chance, contract, bounds) for contract in every if chance.randrange(10) < 7),
        clocks=tuple(chance.choice((-HOUR, -timedelta(microseconds=1), timedelta(0), 3 * HOUR)) for _ in range(3)),
        kills=tuple(chance.randrange(1, STATEMENTS_MAX) for _ in range(chance.randint(1, 3))),
        closers=chance.choice((1, 2, 3)),
        paid_before=before,
        paid_after=frozenset(paid) - before,
        restored=chance.randrange(10) < 6,
    )


def _start(zone: str, year: int, month: int) -> datetime:
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _price(chance: Random, digits: int, most: int) -> Decimal:
    return Decimal(chance.randrange(1, most * 10**digits)).scaleb(-digits)


def _used(chance: Random, contracts: int, bounds: tuple[datetime, ...]) -> list[Used]:
    """Usage anywhere in both months and about their ends, each in a minute of its own; some of the first month late."""
    first, second, third = bounds
    minutes = (third - first) // MINUTE
    found: dict[tuple[int, datetime], Used] = {}
    for contract in range(contracts):
        at = [first + chance.randrange(minutes) * MINUTE for _ in range(chance.randint(2, 6))]
        at += [edge + beside for edge in (second, third) for beside in chance.sample(EDGES, 3)]
        for one in at:
            if first <= one < third:
                late = one < second and chance.randrange(10) < 3
                found[contract, one] = Used(contract, one, chance.randrange(1, 10**8), late)
    return list(found.values())


def _leased(chance: Random, contract: int, bounds: tuple[datetime, ...]) -> Leased:
    from_at = bounds[0] + chance.randrange((bounds[1] - bounds[0]) // MINUTE) * MINUTE
    left = (bounds[2] - from_at) // MINUTE
    return Leased(contract, from_at, from_at + chance.randint(1, left) * MINUTE)


def truth(plan: Plan) -> dict[tuple[int, int], Decimal]:
    """Return what each contract is billed for each of the two months, to the smallest unit.

    A line is rounded once, half to even. What came late for the first month stands on the second's bill: what its line
    comes to with it, less what was billed.
    """
    found: dict[tuple[int, int], Decimal] = {}
    for contract in range(plan.contracts):
        known, every, second = (
            _tokens(plan, contract, month, late=late) for month, late in ((0, False), (0, True), (1, True))
        )
        first = _rounded(plan, known)
        late_line = _rounded(plan, every) - first
        held = [_rounded(plan, seconds) for seconds in _held(plan, contract)]
        found[contract, 0] = first + held[0]
        found[contract, 1] = _rounded(plan, second) + late_line + held[1]
    return found


def _tokens(plan: Plan, contract: int, month: int, *, late: bool) -> Fraction:
    from_at, to_at = plan.bounds[month : month + 2]
    mine = [one for one in plan.used if one.contract == contract and from_at <= one.at < to_at]
    tokens = sum(one.tokens for one in mine if late or not one.late)
    return tokens * Fraction(plan.price_per_mtok) / 1_000_000


def _held(plan: Plan, contract: int) -> list[Fraction]:
    found = []
    for from_at, to_at in pairwise(plan.bounds):
        spans = [(max(one.from_at, from_at), min(one.to_at, to_at)) for one in plan.leased if one.contract == contract]
        seconds = sum((end - start) // timedelta(seconds=1) for start, end in spans if end > start)
        found.append(seconds * Fraction(plan.price_per_gpu_hour) / 3_600)
    return found


def _rounded(plan: Plan, amount: Fraction) -> Decimal:
    """Half to even, by the decimals of the currency; written apart from the product's own."""
    unit = Decimal(1).scaleb(-DIGITS[plan.currency])
    whole, rest = divmod(amount.numerator * 10 ** DIGITS[plan.currency], amount.denominator)
    # Enough digits that a half is seen as a half, and what is not stands on its side of it.
    beside = Decimal(0) if not rest else Decimal("0.5") if 2 * rest == amount.denominator else Decimal("0.25")
    if 2 * rest > amount.denominator:
        beside = Decimal("0.75")
    return (Decimal(whole) + beside).quantize(Decimal(1), ROUND_HALF_EVEN) * unit
