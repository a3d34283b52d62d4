"""Random token revenue shares over many months: amended, with spans of any length, carries and late statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from random import Random

    from tests.second.given import Document

HOUR: Final = timedelta(hours=1)
BEGINNINGS: Final = (datetime(2025, 11, 10, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC))
MILLION: Final = 1_000_000


@dataclass(frozen=True)
class GivenTokens:
    """Tokens of an hour, at one unit of currency per million, and what the two witnesses and the buyers say of them."""

    at: datetime
    deployment: str
    tokens: int
    engine: int
    refunded: int


@dataclass
class GivenLife:
    """A share with its billing periods: `facts` are by the number of the period in which they are known."""

    begins: datetime
    ends: datetime | None
    periods: list[tuple[datetime, datetime]]
    wordings: list[tuple[datetime, Document]]
    uses: list[GivenTokens]
    available: list[tuple[int, int]] = field(default_factory=list)
    """GPU-milliseconds held and lost, by period."""
    statements: list[dict[int, str]] = field(default_factory=list)
    """What is stated in a period: net revenue by the number of the period that it is of."""


def share_life(random: Random) -> GivenLife:
    """Make a share of three to fifteen billing periods."""
    begins = random.choice(BEGINNINGS)
    edges = [begins, *(_month(begins, number) for number in range(1, random.choice([3, 5, 8, 15]) + 1))]
    ends = edges[-1] if random.random() < 0.4 else None
    certified = random.random() < 0.3
    first = _wording(random, certified=certified)
    wordings = [(begins, first)]
    if not certified and random.random() < 0.6:
        at = begins + HOUR * random.randrange(1, int((edges[-1] - begins) / HOUR))
        wordings.append((at, _amended(random, first)))
    uses = [_use(random, start, end, first) for start, end in pairwise(edges) for _ in range(random.randint(1, 3))]
    periods = list(pairwise(edges))
    held = [(1_000, random.choice([0, 0, 37, 1_000])) for _ in periods]
    return GivenLife(
        begins, ends, periods, wordings, uses, held, _statements(random, len(periods)) if certified else []
    )


def _month(begins: datetime, number: int) -> datetime:
    count = begins.year * 12 + begins.month - 1 + number
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


def _statements(random: Random, count: int) -> list[dict[int, str]]:
    """State most periods in time, the first always; some later, and correct some."""
    known: list[dict[int, str]] = [{} for _ in range(count)]
    for number in range(count):
        late = 0 if number == 0 else random.choice([0, 0, 1, 3])
        if number + late < count:
            known[number + late][number] = str(random.randint(1, 900))
        if number + late + 2 < count and random.random() < 0.3:
            known[number + late + 2][number] = str(random.randint(1, 900))
    return known


def _use(random: Random, start: datetime, end: datetime, wording: Document) -> GivenTokens:
    tokens = random.randint(1, 500) * MILLION
    engine = int(tokens * random.choice([1, 1, 1, 0.9, 1.1, 1.001])) if "tolerance_percent" in wording else tokens
    refunded = random.randint(0, tokens // 4) if "exclusions" in wording else 0
    at = start + HOUR * random.randrange(int((end - start) / HOUR))
    return GivenTokens(at, f"d-{random.randrange(10**9)}", tokens, engine, refunded)


def _wording(random: Random, *, certified: bool) -> Document:
    document: Document = {"kind": "token_share", "witness": "gateway", **_share(random)}
    document["tier_period"] = random.choice(["month", "contract_year", "lifetime"])
    if certified:
        document |= {"base": "certified_revenue", "statements": {"due_days": 9}}
        document["statements"]["late_estimate"] = random.choice(["metered", "history"])
    elif random.random() < 0.4:
        document |= {"tolerance_percent": "5", "outside_tolerance": random.choice(_OUTSIDE)}
    elif random.random() < 0.4:
        document["exclusions"] = [{"rule": "refunds"}]
    document["spans_begin"] = random.choice(["calendar", "term"])
    if random.random() < 0.6:
        document["guarantee"] = {
            "amount_per_span": str(random.randint(1, 400)),
            "span": random.choice(["month", "quarter", "year"]),
            "shortfall": random.choice(["owed", "owed_recoupable", "carried"]),
            "prorated_by_availability": random.random() < 0.5,
        }
    if document["spans_begin"] == "calendar":
        document |= _of_calendar_spans(random)
        if {"cap", "guarantee"} <= set(document):
            document["cap"]["span"] = document["guarantee"]["span"]
    if random.random() < 0.3:
        document["reserve"] = {"percent": "12.5", "held_days": random.choice([1, 30, 45, 100])}
    return document


_OUTSIDE = ("bill_witness", "bill_lower", "bill_engine", "hold_and_ask")


def _of_calendar_spans(random: Random) -> Document:
    """Make a rent or a cap, where no span ends inside a billing period."""
    found: Document = {}
    if random.random() < 0.4:
        kind = random.choice(["none", "natural", "agreed"])
        found["hybrid"] = {"rent_amount_per_span": "20", "span": random.choice(["month", "year"]), "breakpoint": kind}
        if kind == "agreed":
            found["hybrid"]["breakpoint_base_amount_per_span"] = "300"
        if kind != "natural":
            found["hybrid"]["rent_credited"] = random.random() < 0.5
    if random.random() < 0.4:
        found["cap"] = {"amount_per_span": "410", "span": random.choice(["month", "quarter", "year"])}
    return found


def _share(random: Random) -> Document:
    if random.random() < 0.4:
        return {"share_percent": random.choice(["30", "12.25", "0.5", "100"])}
    edges: list[Any] = [0, *sorted(random.sample(range(1, 1_500), random.randint(1, 2))), None]
    tiers = []
    for start, end in pairwise(edges):
        tier = {"from_base_amount": str(start), "share_percent": random.choice(["40", "25", "7.5", "0"])}
        tiers.append(tier | ({} if end is None else {"to_base_amount": str(end)}))
    return {"tiers": tiers, "tier_mode": random.choice(["marginal", "whole"])}


def _amended(random: Random, first: Document) -> Document:
    """Say something else of the share and of the guarantee's amount."""
    document = {name: value for name, value in first.items() if name not in ("share_percent", "tiers", "tier_mode")}
    document |= _share(random)
    if "guarantee" in first:
        document["guarantee"] = {**first["guarantee"], "amount_per_span": str(random.randint(1, 400))}
    return document
