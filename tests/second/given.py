"""Random contracts as plain data: documents of wordings, prices, usage. The second engine reads nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from random import Random

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
"""In New York the period holds the start of summer time, in Berlin too."""
END: Final = datetime(2026, 4, 1, tzinfo=UTC)
ZONES: Final = ("UTC", "America/New_York", "Europe/Berlin")
CURRENCIES: Final = ("USD", "JPY", "BHD")
MODELS: Final = ("small", "large")
BANDS: Final = (0, 32_000, 200_000)
MARKS: Final = ("", "", "", "batch", "priority", "test", "batch+test", "free+priority", "failed", "interrupted")
HOUR: Final = timedelta(hours=1)
Document = dict[str, Any]


@dataclass(frozen=True)
class GivenVersion:
    """Prices from an instant on, by what they are of: (model, quantity, threshold), and factors by (model, mark)."""

    name: str
    effective_at: datetime
    prices: dict[tuple[str, str, int], str]
    factors: dict[tuple[str, str], str]


@dataclass(frozen=True)
class GivenUse:
    """What one lot of like requests used in an hour: counts by quantity, a part never more than its whole."""

    from_at: datetime
    model: str
    band: int
    marks: str
    counts: dict[str, int]


@dataclass(frozen=True)
class GivenHold:
    """A slice that was held."""

    slice_ref: str
    card_ref: str
    share_permille: int
    accelerator_model: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True)
class GivenTerm:
    """A term: its wordings with their spans, what was used and held under it, and facts."""

    ref: str
    from_at: datetime
    stretches: list[tuple[datetime, datetime, Document]]
    uses: list[GivenUse] = field(default_factory=list)
    holds: list[GivenHold] = field(default_factory=list)
    facts: list[Document] = field(default_factory=list)
    to_at: datetime | None = None


@dataclass(frozen=True)
class GivenContract:
    """One contract and one whole billing period of it."""

    currency: str
    zone: str
    versions: list[GivenVersion]
    terms: list[GivenTerm]


def versions(random: Random) -> list[GivenVersion]:
    """Make one to three versions; the first may begin after the period does."""
    starts = [START - timedelta(days=9) if random.random() < 0.9 else hour(random)]
    starts += [hour(random) for _ in range(random.randint(0, 2))]
    return [
        GivenVersion(f"v{number}", at, prices(random) | gpu_prices(random), factors(random))
        for number, at in enumerate(sorted(set(starts)), 1)
    ]


def hour(random: Random) -> datetime:
    """Return a full hour inside the period."""
    return START + HOUR * random.randint(1, 31 * 24 - 1)


def price(random: Random) -> str:
    """Return a price with up to six decimals."""
    return random.choice(["0", "0.60", "3", "15", "0.000001", f"{random.randint(1, 9_999_999)}e-6"])


def prices(random: Random) -> dict[tuple[str, str, int], str]:
    """Price most of what can be used."""
    found = {}
    for model in MODELS:
        for quantity in ("input", "output", "cache_write", "cached_input", "reasoning", "images", "steps", "requests"):
            is_part = quantity in ("cached_input", "reasoning", "requests")
            if random.random() < (0.5 if is_part else 0.95):
                found[model, quantity, 0] = price(random)
                if quantity not in ("images", "steps", "requests") and random.random() < 0.3:
                    found[model, quantity, random.choice(BANDS[1:])] = price(random)
    return found


def gpu_prices(random: Random) -> dict[tuple[str, str, int], str]:
    """Price most cards."""
    return {
        (card, "gpu", 0): random.choice(["2.35", "1.12", "0"]) for card in ("H100", "A100") if random.random() < 0.9
    }


def factors(random: Random) -> dict[tuple[str, str], str]:
    """Give some marks a factor, of one model or of all."""
    return {
        (random.choice(["", *MODELS]), mark): random.choice(["0.5", "2", "0", "1.25"])
        for mark in ("batch", "priority", "test")
        if random.random() < 0.4
    }


def priced_term(random: Random, ref: str) -> GivenTerm:
    """Make a term of prices by the unit, amended in some."""
    begins = START if random.random() < 0.8 else hour(random)
    cuts = sorted({hour(random) for _ in range(random.choice([0, 0, 1, 2]))})
    edges = [begins, *(at for at in cuts if at > begins), END]
    first = price_wording(random)
    said = [first, *(random.choice([first, price_wording(random)]) for _ in edges[2:])]
    stretches = [(left, right, doc) for left, right, doc in zip(edges, edges[1:], said, strict=False)]
    uses = [use(random, begins) for _ in range(random.randint(0, 12))]
    return GivenTerm(ref, begins, stretches, uses)


def use(random: Random, begins: datetime) -> GivenUse:
    """Make a lot of requests, few enough to be priced one unit at a time."""
    hours = int((END - begins) / HOUR)
    counts = {"input": random.randint(0, 40), "output": random.randint(0, 40), "requests": random.randint(1, 4)}
    counts["cached_input"] = random.choice([0, random.randint(0, counts["input"])])
    counts["reasoning"] = random.choice([0, random.randint(0, counts["output"])])
    for quantity in ("cache_write", "images", "steps"):
        counts[quantity] = random.choice([0, 0, random.randint(1, 20)])
    at = begins + HOUR * random.randrange(hours)
    return GivenUse(at, random.choice(MODELS), random.choice(BANDS), random.choice(MARKS), counts)


def price_wording(random: Random) -> Document:
    """Make the document of a wording with any of its parts."""
    document: Document = {"kind": "token_price", "witness": "gateway"}
    if random.random() < 0.3:
        model, over = random.choice(MODELS), random.choice(BANDS)
        own: list[Document] = [{"model": model, "quantity": "output", "price": price(random), "price_unit": "per_mtok"}]
        if over:
            own.append({**own[0], "price": price(random), "context_over": over})
        document["prices"] = own
    if random.random() < 0.4:
        document["allowances"] = [
            {
                "name": "free",
                "quantities": quantities(random),
                "units_per_period": random.randint(0, 60),
                **some(random),
            }
        ]
    document |= divided(random)
    if random.random() < 0.3:
        document["multipliers"] = [
            {"mark": mark, "factor": random.choice(["0.5", "3", "0", "1.1"])} for mark in ("batch", "free", "priority")
        ]
    if random.random() < 0.1:
        document["not_billed"] = ["steps"]
    return document


def divided(random: Random) -> Document:
    """Make what divides usage: a table or a package, and a window."""
    found: Document = {}
    if random.random() < 0.5:
        found["tiers"] = [table(random)]
    elif random.random() < 0.5:
        found["packages"] = [package(random)]
    if random.random() < 0.3:
        found["off_peak"] = [window(random)]
    return found


def quantities(random: Random) -> list[str]:
    """Name quantities of one unit."""
    return random.choice([["input"], ["output"], ["input", "output"], ["output", "reasoning"], ["images"], ["steps"]])


def some(random: Random) -> Document:
    """Name one model, or none: all."""
    return random.choice([{}, {"models": [random.choice(MODELS)]}])


def table(random: Random) -> Document:
    """Make a table of one to three tiers, in percent of prices or in prices."""
    ends: list[int | None] = [*sorted(random.sample(range(1, 80), random.randint(0, 2))), None]
    covered = quantities(random)
    found: Document = {
        "name": random.choice(["table", "other"]),
        "quantities": covered,
        "mode": random.choice(["graduated", "volume"]),
        "span": "period",
        "together": random.random() < 0.4,
        **some(random),
    }
    if random.random() < 0.4:
        found["price_unit"] = {"images": "per_image", "steps": "per_step"}.get(covered[0], "per_mtok")
        found["tiers"] = [{"up_to": end, "price": price(random)} for end in ends]
    else:
        found["tiers"] = [{"up_to": end, "percent": random.choice(["100", "80", "50.5", "0", "120"])} for end in ends]
    return found


def package(random: Random) -> Document:
    """Make a package."""
    units = random.randint(1, 50)
    amount = f"{random.randint(0, 900)}e-2"
    return {
        "name": "pack",
        "quantities": quantities(random),
        "units": units,
        "amount_per_package": amount,
        **some(random),
    }


def window(random: Random) -> Document:
    """Make a window of cheaper hours, over midnight in some."""
    start, end = random.sample(range(24), 2)
    days = random.choice([[], [], ["sat", "sun"], ["mon", "wed", "fri"]])
    return {
        "name": "night",
        "from_local": f"{start:02}:00",
        "to_local": f"{end:02}:00",
        "factor": random.choice(["0.5", "0.75", "0"]),
        "days": days,
    }


def discount_term(random: Random, ref: str) -> GivenTerm:
    """Make a discount of a percentage or an amount."""
    document: Document = {"kind": "discount"}
    if random.random() < 0.6:
        document["percent"] = random.choice(["10", "33.3", "100"])
    else:
        document["amount_per_period"] = random.choice(["0.000001", "0.00012", "7.50"])
    if random.random() < 0.3:
        document["terms"] = ["P-0"]
    if random.random() < 0.3:
        document["models"] = [random.choice(MODELS)]
    if random.random() < 0.3:
        document["quantities"] = random.choice([["input"], ["output"], ["output", "input"]])
    return GivenTerm(ref, START, [(START, END, document)])
