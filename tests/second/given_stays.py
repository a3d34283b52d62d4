"""Random stays over three months as plain data: a lease with a deposit or in advance, spot sessions, a ladder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tests.second.given import ZONES, GivenHold

if TYPE_CHECKING:
    from random import Random

    from tests.second.given import Document

QUARTER: Final = timedelta(minutes=15)
MONTHS: Final = (3, 4, 5, 6)
NOTICES_S: Final = (None, 0, 60, 120, 600)


@dataclass(frozen=True)
class GivenStay:
    """What is agreed and held in March, April and May; `taken` says by slice with how many seconds' notice."""

    zone: str
    edges: list[datetime]
    begins: datetime
    ends: datetime | None
    lease: Document
    holds: list[GivenHold]
    spot: Document
    sessions: list[GivenHold]
    taken: dict[str, int | None]
    ladder: Document
    outages: list[Document]


def stay(random: Random) -> GivenStay:
    """Make a lease, sessions, and what was lost of the lease."""
    zone = random.choice(ZONES)
    edges = [datetime(2026, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) for month in MONTHS]
    begins = _begin(random, zone, edges)
    ends = random.choice([None, edges[2], _quarter(random, edges[1] + QUARTER, edges[3])])
    holds = [_hold(random, number, begins, ends or edges[3]) for number in range(random.randint(0, 3))]
    sessions = [_session(random, number, edges) for number in range(random.randint(0, 5))]
    taken = {each.slice_ref: random.choice(NOTICES_S) for each in sessions if random.random() < 0.5}
    outages = [_outage(random, edges) for _ in range(random.randint(0, 4))]
    return GivenStay(
        zone, edges, begins, ends, _lease(random), holds, _spot(random), sessions, taken, _ladder(random), outages
    )


def _quarter(random: Random, from_at: datetime, to_at: datetime) -> datetime:
    return from_at + QUARTER * random.randrange((to_at - from_at) // QUARTER)


def _begin(random: Random, zone: str, edges: list[datetime]) -> datetime:
    """Begin in March, at a time of day that no change of clocks skips or repeats."""
    while True:
        at = _quarter(random, edges[0], edges[1])
        if at.astimezone(ZoneInfo(zone)).hour not in (1, 2):
            return at


def _hold(random: Random, number: int, begins: datetime, ends: datetime) -> GivenHold:
    from_at = random.choice([begins, _quarter(random, begins, ends)])
    to_at = random.choice([ends, _quarter(random, from_at, ends) + QUARTER])
    return GivenHold(f"l-{number}", f"c-{number}", random.choice([1000, 250, 119]), "H100", from_at, to_at)


def _session(random: Random, number: int, edges: list[datetime]) -> GivenHold:
    """Make a session of seconds to days; none ends so soon after a month began that its last seconds lie before it."""
    while True:
        from_at = _quarter(random, edges[0], edges[3] - timedelta(days=3))
        to_at = from_at + timedelta(seconds=random.choice([30, 900, 3_599, 7_200, 100_000, 250_000]))
        if not any(timedelta(0) <= to_at - edge < timedelta(days=1) for edge in edges):
            return GivenHold(f"s-{number}", f"k-{number}", random.choice([1000, 250]), "H100", from_at, to_at)


def _lease(random: Random) -> Document:
    document: Document = {"kind": "lease", "billed": random.choice(["arrears", "advance"])}
    if random.random() < 0.5:
        document["flat_amount_per_day"] = random.choice(["480.00", "99.99"])
    else:
        document["price_per_gpu_hour"] = random.choice(["2.35", "1.999999"])
    return document | random.choice([{}, {"deposit_amount": "5000.00"}])


def _spot(random: Random) -> Document:
    document: Document = {"kind": "spot", "price_per_gpu_hour": random.choice(["1.20", "0.7"]), "notice_seconds": 120}
    document["unkept_notice_free_seconds"] = random.choice([0, 1_800, 3_600])
    document["minimum_seconds"] = random.choice([0, 60, 7_200])
    return document


def _ladder(random: Random) -> Document:
    steps = [("99.9", "10"), ("99", "25"), ("95", "100")]
    kept = sorted(random.sample(range(3), random.randint(1, 3)))
    ladder = [{"below_percent": steps[place][0], "credit_percent": steps[place][1]} for place in kept]
    causes = random.choice([["card_lost"], ["card_lost", "node_silent"]])
    return {"kind": "availability", "refs": ["L-1"], "causes": causes, "ladder": ladder}


def _outage(random: Random, edges: list[datetime]) -> Document:
    from_at = _quarter(random, edges[0], edges[3])
    return {
        "fact": "outage",
        "subject": random.choice(["l-0", "l-1", "c-0", "c-2"]),
        "cause": random.choice(["card_lost", "node_silent", "maintenance"]),
        "from_at": from_at,
        "to_at": min(edges[3], from_at + QUARTER * random.choice([1, 3, 50, 400])),
    }
