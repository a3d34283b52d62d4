"""Random contracts of amounts over months: what is used of two terms, and discounts, commitments and credit on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from random import Random

    from tests.second.given import Document

BEGINS: Final = datetime(2026, 1, 1, tzinfo=UTC)
TERMS: Final = ("P-0", "P-1")
MODELS: Final = ("large", "small")


@dataclass(frozen=True)
class GivenBills:
    """A contract: tokens by (term, model) and month at one unit per million, and the adjusting terms' documents."""

    currency: str
    ends: datetime | None
    months: list[dict[tuple[str, str], int]]
    discount: Document | None
    commitment: Document | None
    grants: list[dict[str, Any]] = field(default_factory=list)


def month(number: int) -> datetime:
    """Return where a month begins, counted from the contract's beginning."""
    return datetime(2026 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def bills(random: Random) -> GivenBills:
    """Make a contract of one to fourteen months."""
    count = random.choice([1, 3, 6, 14])
    size = random.choice([10**6, 10**7, 10**8])
    months = [
        {(ref, model): random.randint(1, size) for ref in TERMS for model in MODELS if random.random() < 0.7}
        for _ in range(count)
    ]
    ends = month(count) if random.random() < 0.5 else None
    discount: Document | None = None
    if random.random() < 0.5:
        percent, terms = random.choice(["10", "100", "33.3"]), random.choice([[], ["P-0"]])
        discount = {"kind": "discount", "percent": percent, "terms": terms}
    commitment = _commitment(random, size) if random.random() < 0.6 else None
    grants = [_grant(random, number, size) for number in range(random.choice([0, 0, 1, 3]))]
    return GivenBills(random.choice(["USD", "JPY", "BHD"]), ends, months, discount, commitment, grants)


def _commitment(random: Random, size: int) -> Document:
    span, times = random.choice([("amount_per_period", 1), ("amount_per_year", 12)])
    amount = random.randint(1, 4 * size) * times
    return {
        "kind": "commitment",
        span: f"{amount / 10**6:.6f}",
        "shortfall": random.choice(["lost", "recoupable", "carried"]),
        "terms": random.choice([[], ["P-1"]]),
    }


def _grant(random: Random, number: int, size: int) -> dict[str, Any]:
    """Make a grant in whole units of the currency that begins and expires with a month."""
    begins = random.randint(0, 2)
    return {
        "name": f"g-{number}",
        "amount": str(random.randint(1, max(1, 6 * size // 10**6))),
        "priority": random.randint(0, 1),
        "from_at": month(begins),
        "expires_at": random.choice([None, month(begins + random.randint(1, 4))]),
    }
