"""A token revenue share, request by request and step by step, by the waterfall of `docs/rating.md`."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from tests.second.given import END, START
from tests.second.units import MILLION, PARTS

if TYPE_CHECKING:
    from datetime import datetime

    from tests.second.given import GivenContract, GivenTerm, GivenUse, GivenVersion

BY_MARK: Final = (("test", "tests"), ("free", "free_tier"), ("failed", "failed_streams"))
Row = tuple[str, str]
"""A row of the share table: (model, class), "" for any."""


def price_share(contract: GivenContract, term: GivenTerm) -> tuple[Fraction, int]:
    """Return what a share with one wording comes to in its month, and how many tokens wait for a price."""
    [(from_at, to_at, document)] = term.stretches
    bases: dict[tuple[int, Row], Fraction] = {}
    waiting = 0
    for use in term.uses:
        step = _step(document, term, use.from_at)
        for name, count, price in _counts(contract, document, use):
            if price is None:
                waiting += count
                continue
            row = _row(_table(document, step), use.model, name)
            gross = Fraction(count) * Fraction(price) / MILLION
            bases[step, row] = bases.get((step, row), Fraction(0)) + gross
        for row, amount in _excluded(contract, document, use, step):
            bases[step, row] = bases.get((step, row), Fraction(0)) - amount
    share, worth = Fraction(0), Fraction(0)
    reached: dict[Row, Fraction] = {}
    for (step, row), amount in sorted(bases.items()):
        base = _less_percentages(document, amount)
        worth += base
        position = reached.get(row, Fraction(0))
        share += _shared(_table(document, step)[row], document, position, base)
        reached[row] = position + base
    seconds = Fraction(int((to_at - from_at).total_seconds()), int((END - START).total_seconds()))
    return _owed(document, share, worth, seconds), waiting


def _step(document: dict[str, Any], term: GivenTerm, at: datetime) -> int:
    """Which step of a schedule is in force: 0 before the first, which takes the place of the wording's own table."""
    months = (at.year - term.from_at.year) * 12 + at.month - term.from_at.month
    months -= (at.day, at.hour) < (term.from_at.day, term.from_at.hour)
    return sum(step["from_month"] <= months for step in document.get("schedule", []))


def _table(document: dict[str, Any], step: int) -> dict[Row, dict[str, Any]]:
    said = document["schedule"][step - 1] if step else document
    rows = {(each.get("model", ""), each.get("token_class", "")): each for each in said.get("share_by", [])}
    return {("", ""): said, **rows}


def _row(table: dict[Row, dict[str, Any]], model: str, name: str) -> Row:
    """The most particular row: a class of a model, then a model, then a class."""
    return next(row for row in ((model, name), (model, ""), ("", name), ("", "")) if row in table)


def _prices(contract: GivenContract, document: dict[str, Any], use: GivenUse) -> dict[str, str]:
    if document.get("base") == "transfer_price":
        return {
            each["token_class"]: each["price_per_mtok"]
            for each in document["transfer_prices"]
            if each["model"] == use.model
        }
    started = [version for version in contract.versions if version.effective_at <= use.from_at]
    return _listed(started[-1], use) if started else {}


def _listed(version: GivenVersion, use: GivenUse) -> dict[str, str]:
    """Prices of the list, times what the list says of the request's marks."""
    factor = Decimal(1)
    for mark in filter(None, use.marks.split("+")):
        factor *= Decimal(version.factors.get((use.model, mark), version.factors.get(("", mark), "1")))
    found: dict[str, str] = {}
    for (model, name, over), price in sorted(version.prices.items(), key=lambda item: item[0][2]):
        if model == use.model and over <= use.band:
            found[name] = str(Decimal(price) * factor)
    return found


def _counts(contract: GivenContract, document: dict[str, Any], use: GivenUse) -> list[tuple[str, int, str | None]]:
    prices = _prices(contract, document, use)
    counts = {name: use.counts[name] for name in ("input", "cached_input", "cache_write", "output", "reasoning")}
    for part, whole in PARTS.items():
        if part in prices:
            counts[whole] -= counts[part]
        else:
            del counts[part]
    return [(name, count, prices.get(name)) for name, count in counts.items() if count]


def _excluded(
    contract: GivenContract, document: dict[str, Any], use: GivenUse, step: int
) -> list[tuple[Row, Fraction]]:
    """What of a request is no revenue: all of it by the first rule that it is of, or else what came from a cache."""
    rules = {each["rule"] for each in document.get("exclusions", [])}
    marks = use.marks.split("+")
    whole = any(mark in marks and rule in rules for mark, rule in BY_MARK)
    whole = whole or ("interrupted" in marks and document.get("interrupted_streams") == "not_billed")
    prices = _prices(contract, document, use)
    table = _table(document, step)
    found = []
    for name, count, price in _counts(contract, document, use):
        is_cached = "cache_hits" in rules and name == "cached_input"
        if price is not None and (whole or is_cached):
            found.append((_row(table, use.model, name), Fraction(count) * Fraction(price) / MILLION))
    if not whole and "cache_hits" in rules and "cached_input" not in prices and "input" in prices:
        amount = Fraction(use.counts["cached_input"]) * Fraction(prices["input"]) / MILLION
        found.append((_row(table, use.model, "input"), amount))
    return found


def _less_percentages(document: dict[str, Any], amount: Fraction) -> Fraction:
    percents = {each["rule"]: Fraction(each["percent"]) for each in document.get("exclusions", []) if "percent" in each}
    taxes, fees = percents.get("taxes", Fraction(0)), percents.get("gateway_fees", Fraction(0))
    return amount * 100 / (100 + taxes) * (100 - fees) / 100


def _shared(row: dict[str, Any], document: dict[str, Any], position: Fraction, base: Fraction) -> Fraction:
    if row.get("share_percent") is not None:
        return base * Fraction(row["share_percent"]) / 100
    tiers = [
        (Fraction(each["from_base_amount"]), each.get("to_base_amount"), Fraction(each["share_percent"]) / 100)
        for each in row["tiers"]
    ]
    if document.get("tier_mode") == "whole":
        return base * max(tier for tier in tiers if tier[0] <= position + base)[2]
    owed = Fraction(0)
    for start, end, part in tiers:
        top = position + base if end is None else min(position + base, Fraction(end))
        owed += max(Fraction(0), top - max(start, position)) * part
    return owed


def _owed(document: dict[str, Any], share: Fraction, base: Fraction, seconds: Fraction) -> Fraction:
    """Rent and breakpoint, the guarantee, the cap and the reserve, of a term that goes on."""
    hybrid = document.get("hybrid")
    rent = Fraction(0)
    if hybrid:
        rent = Fraction(hybrid["rent_amount_per_span"]) * seconds
        if hybrid["breakpoint"] == "natural":
            share -= min(share, rent)
        elif hybrid["breakpoint"] == "agreed" and base:
            agreed = Fraction(hybrid["breakpoint_base_amount_per_span"]) * seconds
            share -= share * min(Fraction(1), agreed / base)
        if hybrid.get("rent_credited"):
            share -= min(share, rent)
    owed = rent + share
    if document.get("guarantee"):
        owed = max(owed, Fraction(document["guarantee"]["amount_per_span"]) * seconds)
    if document.get("cap"):
        owed = min(owed, Fraction(document["cap"]["amount_per_span"]) * seconds)
    if document.get("reserve"):
        owed -= owed * Fraction(Decimal(document["reserve"]["percent"])) / 100
    return owed
