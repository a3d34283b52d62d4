"""Random contracts of amounts over months: what is used of two terms, and discounts, commitments and credit on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.second.given import Document

BEGINS: Final = datetime(2026, 1, 1, tzinfo=UTC)
TERMS: Final = ("P-0", "P-1")
MODELS: Final = ("large", "small")
HOURS_MOST: Final = 28 * 24
"""February has no more: an instant inside a month lies before it."""
Said = list[tuple[datetime, "Document"]]
"""What a term says from each instant on, the first from its start."""


@dataclass(frozen=True)
class GivenBills:
    """A contract: tokens by (term, model) and month at one unit per million, and the adjusting terms' documents.

    `later` is, for each month, an instant inside it and what is used from then on beside what is used from its start.
    """

    currency: str
    ends: datetime | None
    months: list[dict[tuple[str, str], int]]
    discount: Said
    commitment: Said
    later: list[tuple[datetime, dict[tuple[str, str], int]]]
    grants: list[dict[str, Any]] = field(default_factory=list)


def month(number: int) -> datetime:
    """Return where a month begins, counted from the contract's beginning."""
    return datetime(2026 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def bills(random: Random) -> GivenBills:
    """Make a contract of one to thirty months."""
    count = random.choice([1, 3, 6, 14, 14, 30])
    size = random.choice([10**6, 10**7, 10**8])
    months = [
        {(ref, model): random.randint(1, size) for ref in TERMS for model in MODELS if random.random() < 0.7}
        for _ in range(count)
    ]
    ends = month(count) if random.random() < 0.5 else None
    discount = _said(random, count, lambda: _discount(random, size)) if random.random() < 0.5 else []
    commitment = _said(random, count, lambda: _commitment(random, size)) if random.random() < 0.7 else []
    grants = [_grant(random, number, size) for number in range(random.choice([0, 0, 1, 3]))]
    later = [_later(random, number, used, size) for number, used in enumerate(months)]
    return GivenBills(random.choice(["USD", "JPY", "BHD"]), ends, months, discount, commitment, later, grants)


def _later(
    random: Random, number: int, used: dict[tuple[str, str], int], size: int
) -> tuple[datetime, dict[tuple[str, str], int]]:
    """Use some of what is used from a month's start more from an instant inside it on."""
    at = month(number) + timedelta(hours=random.randrange(1, HOURS_MOST))
    return at, {about: random.randint(1, size) for about in used if random.random() < 0.5}


def _said(random: Random, count: int, make: Callable[[], Document]) -> Said:
    """Say something from some instant on, and now and then something else later: at a month's start or inside it."""
    begins = BEGINS if random.random() < 0.6 else _instant(random, count)
    later = {_instant(random, count) for _ in range(random.choice([0, 0, 1, 2]))}
    return [(at, make()) for at in sorted({begins, *(at for at in later if at > begins)})]


def _instant(random: Random, count: int) -> datetime:
    inside = timedelta(hours=random.choice([0, random.randrange(HOURS_MOST)]))
    return month(random.randrange(count)) + inside


def _discount(random: Random, size: int) -> Document:
    document: Document = {"kind": "discount", "terms": random.choice([[], ["P-0"]])}
    if random.random() < 0.5:
        return document | {"percent": random.choice(["10", "100", "33.3"])}
    return document | {"amount_per_period": f"{random.randint(1, 3 * size) / 10**6:.6f}"}


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
    """Make a grant in whole units of the currency, for all terms or some, that may begin and expire inside a month."""
    begins = _instant(random, 3)
    return {
        "name": f"g-{number}",
        "amount": str(random.randint(1, max(1, 6 * size // 10**6))),
        "priority": random.randint(0, 1),
        "from_at": begins,
        "expires_at": random.choice([None, begins + timedelta(hours=random.randint(1, 3_000))]),
        "terms": random.choice([[], [], ["P-0"], ["P-1"], ["M-1", "P-0"]]),
    }
