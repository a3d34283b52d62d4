"""Random token revenue shares: one wording over a calendar month, with any elements that go together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.second.given import END, HOUR, MODELS, START, GivenContract, GivenTerm, use, versions

if TYPE_CHECKING:
    from random import Random

    from tests.second.given import Document

CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")


def share_contract(random: Random) -> GivenContract:
    """Make a contract of one share, in a zone whose months are those of UTC."""
    begins = random.choice([START, START - HOUR * 24 * 100])
    uses = [use(random, START) for _ in range(random.randint(0, 12))]
    term = GivenTerm("S-1", begins, [(START, END, share_wording(random))], uses)
    return GivenContract("USD", "UTC", versions(random), [term])


def share_wording(random: Random) -> Document:
    """Make the document of a wording."""
    document: Document = {"kind": "token_share", "witness": "gateway", **table(random)}
    if random.random() < 0.4:
        document["tier_mode"] = random.choice(["marginal", "whole"])
    if random.random() < 0.2:
        document["schedule"] = [{"from_month": month, **table(random)} for month in (2, 3)]
    if random.random() < 0.3:
        document["base"] = "transfer_price"
        document["transfer_prices"] = transfer_prices(random)
    if random.random() < 0.6:
        document["exclusions"] = exclusions(random)
    if random.random() < 0.5:
        document["interrupted_streams"] = random.choice(["as_measured", "not_billed"])
    return document | floors(random)


def table(random: Random) -> Document:
    """Make a share table."""
    rows: list[Document] = []
    if random.random() < 0.5:
        rows.append({"model": random.choice(MODELS), **one_share(random)})
    if random.random() < 0.3:
        rows.append({"token_class": "output", **one_share(random)})
    if random.random() < 0.3:
        rows.append({"model": random.choice(MODELS), "token_class": "input", **one_share(random)})
    return {**one_share(random), "share_by": rows}


def one_share(random: Random) -> Document:
    """Make a percentage, or tiers; amounts are of the size that a few hundred tokens come to."""
    if random.random() < 0.6:
        return {"share_percent": random.choice(["30", "0.5", "100", "12.25"])}
    ends = sorted(random.sample(range(1, 4_000), random.randint(0, 2)))
    edges: list[Any] = ["0", *(f"{end}e-6" for end in ends), None]
    tiers = []
    for start, end in pairwise(edges):
        tier = {"from_base_amount": start, "share_percent": random.choice(["40", "30", "5", "0"])}
        tiers.append(tier | ({"to_base_amount": end} if end else {}))
    return {"tiers": tiers}


def transfer_prices(random: Random) -> list[Document]:
    """Fix most prices."""
    return [
        {"model": model, "token_class": name, "price_per_mtok": random.choice(["0.5", "4", "0"])}
        for model in MODELS
        for name in CLASSES
        if random.random() < (0.5 if name in ("cached_input", "reasoning") else 0.97)
    ]


def exclusions(random: Random) -> list[Document]:
    """Exclude some of what can be."""
    rules: list[Document] = [
        {"rule": rule} for rule in ("tests", "free_tier", "failed_streams", "cache_hits") if random.random() < 0.4
    ]
    rules += [
        {"rule": rule, "percent": random.choice(["19", "2.9"])}
        for rule in ("taxes", "gateway_fees")
        if random.random() < 0.4
    ]
    return rules


def floors(random: Random) -> Document:
    """Make a rent, a guarantee, a cap and a reserve, or some of them."""
    document: Document = {}
    if random.random() < 0.3:
        kind = random.choice(["none", "natural", "agreed"])
        document["hybrid"] = {"rent_amount_per_span": "0.0004", "breakpoint": kind}
        if kind == "agreed":
            document["hybrid"]["breakpoint_base_amount_per_span"] = random.choice(["0.0005", "0.002"])
        if kind != "natural":
            document["hybrid"]["rent_credited"] = random.random() < 0.5
    if random.random() < 0.3:
        document["guarantee"] = {"amount_per_span": random.choice(["0.0001", "0.001"])}
    if random.random() < 0.3:
        document["cap"] = {"amount_per_span": random.choice(["0.001", "0.0013"])}
    if random.random() < 0.3:
        document["reserve"] = {"percent": "10", "held_days": 90}
    return document
