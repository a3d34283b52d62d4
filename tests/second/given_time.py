"""Random leases, sessions and volumes, and whole contracts of them with prices by the unit and discounts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.second.given import (
    CURRENCIES,
    END,
    HOUR,
    START,
    ZONES,
    GivenContract,
    GivenHold,
    GivenTerm,
    discount_term,
    priced_term,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

    from tests.second.given import Document


def contract(random: Random) -> GivenContract:
    """Make a contract."""
    terms = [priced_term(random, f"P-{number}") for number in range(random.randint(0, 2))]
    makers = random.sample([lease_term, on_demand_term, storage_term], random.randint(0 if terms else 1, 1))
    terms += [make(random, f"T-{number}") for number, make in enumerate(makers)]
    if random.random() < 0.5:
        terms += [discount_term(random, f"D-{number}") for number in range(random.randint(1, 3))]
    return GivenContract(random.choice(CURRENCIES), random.choice(ZONES), versions(random), terms)


def quarter(random: Random, from_at: datetime = START, to_at: datetime = END) -> datetime:
    """Return a quarter of an hour in `[from_at, to_at)`."""
    return from_at + HOUR / 4 * random.randrange(int((to_at - from_at) / (HOUR / 4)))


def amended(
    random: Random, begins: datetime, ends: datetime, make: Callable[[Random], Document]
) -> list[tuple[datetime, datetime, Document]]:
    """Say one thing, or another from some quarter on."""
    cut = quarter(random, begins, ends)
    if random.random() < 0.6 or cut == begins:
        return [(begins, ends, make(random))]
    return [(begins, cut, make(random)), (cut, ends, make(random))]


def holds(random: Random, begins: datetime, ends: datetime) -> list[GivenHold]:
    """Hold up to four slices, each in one piece."""
    found = []
    for number in range(random.randint(0, 4)):
        from_at = random.choice([begins, quarter(random, begins, ends)])
        to_at = random.choice([ends, quarter(random, from_at, ends) + HOUR / 4])
        share = random.choice([1000, 1000, 119, 250])
        card = random.choice(["H100", "A100"])
        found.append(GivenHold(f"s-{number}", f"c-{number // 2}", share, card, from_at, to_at))
    return found


def outages(random: Random) -> list[Document]:
    """Lose a slice or a card, for a cause that may or may not be the provider's."""
    found: list[Document] = []
    for _ in range(random.choice([0, 0, 1, 2])):
        from_at = quarter(random)
        found.append(
            {
                "fact": "outage",
                "subject": random.choice(["s-0", "s-1", "c-0", "c-1"]),
                "cause": random.choice(["node_silent", "maintenance"]),
                "from_at": from_at,
                "to_at": min(END, from_at + HOUR / 4 * random.randint(1, 200)),
            }
        )
    return found


def rate(random: Random) -> Document:
    """Agree a price per GPU-hour, or take the book's."""
    return random.choice([{}, {"price_per_gpu_hour": random.choice(["2.35", "0.7", "1.999999"])}])


def lease_wording(random: Random) -> Document:
    """Make the document of a lease."""
    document: Document = {"kind": "lease", **rate(random)}
    if random.random() < 0.3:
        document = {"kind": "lease", "flat_amount_per_period": random.choice(["14500.00", "99.99"])}
    if random.random() < 0.5:
        document["provider_fault"] = ["node_silent"]
    return document


def lease_term(random: Random, ref: str) -> GivenTerm:
    """Make a lease that runs on, is held over, or was ended early."""
    begins = START if random.random() < 0.6 else quarter(random)
    kind = random.choice(["plain", "plain", "held_over", "ended"])
    if kind == "plain":
        stretches = amended(random, begins, END, lease_wording)
        return GivenTerm(ref, begins, stretches, holds=holds(random, begins, END), facts=outages(random))
    document: Document = {"kind": "lease", **rate(random)}
    if kind == "held_over":
        document["holdover_percent"] = random.choice(["100", "150", "33.3"])
        agreed: Document = {"fact": "lease_agreed", "to_at": quarter(random, begins, END)}
        return GivenTerm(ref, begins, [(begins, END, document)], holds=holds(random, begins, END), facts=[agreed])
    return ended_lease(random, ref, begins, document)


def ended_lease(random: Random, ref: str, begins: datetime, document: Document) -> GivenTerm:
    """Make a lease that was ended before its time, by any of the rules."""
    ended = quarter(random, begins, END) + HOUR / 4
    document |= random.choice(
        [
            {},
            {"early_end": "notice", "early_end_notice_days": 5},
            {"early_end": "share_of_remainder", "early_end_percent_of_remainder": "40"},
            {"early_end": "minimum_term", "minimum_term_days": 60},
        ]
    )
    fact = {
        "fact": "lease_ended",
        "asked_at": quarter(random, begins, ended),
        "ended_at": ended,
        "agreed_to_at": random.choice([None, END + HOUR * 24 * 20]),
    }
    held = [replace(hold, to_at=min(hold.to_at, ended)) for hold in holds(random, begins, END) if hold.from_at < ended]
    return GivenTerm(ref, begins, [(begins, ended, document)], holds=held, facts=[fact], to_at=ended)


def on_demand_wording(random: Random) -> Document:
    """Make the document of a price on demand."""
    document: Document = {"kind": "on_demand", **rate(random)}
    if "price_per_gpu_hour" not in document and random.random() < 0.3:
        document["price_percent"] = "80"
    document["billed_states"] = random.choice([["running"], ["starting", "running", "unreachable"]])
    if random.random() < 0.5:
        document["provider_fault"] = ["node_silent"]
    return document


def on_demand_term(random: Random, ref: str) -> GivenTerm:
    """Make sessions with states."""
    found = holds(random, START, END)
    facts = outages(random)
    for hold in found:
        if random.random() < 0.5:
            cut = quarter(random, hold.from_at, hold.to_at)
            if cut > hold.from_at:
                state = random.choice(["starting", "stopped", "unreachable"])
                facts.append(
                    {
                        "fact": "state_span",
                        "slice_ref": hold.slice_ref,
                        "state": state,
                        "from_at": hold.from_at,
                        "to_at": cut,
                    }
                )
    return GivenTerm(ref, START, amended(random, START, END, on_demand_wording), holds=found, facts=facts)


def storage_term(random: Random, ref: str) -> GivenTerm:
    """Make volumes of storage."""

    def wording(random: Random) -> Document:
        return {"kind": "storage", "price_per_gb_month": random.choice(["0.07", "0.1", "0"])}

    facts: list[Document] = []
    for number in range(random.randint(0, 3)):
        from_at = quarter(random)
        to_at = random.choice([None, quarter(random, from_at, END) + HOUR / 4])
        volume = {"fact": "stored", "volume": f"v-{number}", "gigabytes": random.randint(1, 5_000)}
        facts.append({**volume, "from_at": from_at, "to_at": to_at})
    return GivenTerm(ref, START, amended(random, START, END, wording), facts=facts)
