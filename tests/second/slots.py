"""Time held and stored, a quarter of an hour at a time, by `docs/rating.md`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tests.second.given import END, START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.second.given import GivenContract, GivenHold, GivenTerm

SLOT: Final = timedelta(minutes=15)
SLOT_S: Final = 900
HOUR_S: Final = 3_600


@dataclass
class Timed:
    """What a term comes to, and how many GPU-seconds wait for a price."""

    total: Fraction = Fraction(0)
    unpriced: Fraction = Fraction(0)
    billed_s: dict[int, int] = field(default_factory=dict)
    """Seconds billed of each hold, by its number."""


def price_lease(contract: GivenContract, term: GivenTerm) -> Timed:
    """Price what a lease held, or its flat amount, less what the provider lost."""
    timed = Timed()
    for at in _slots():
        document = _wording(term, at)
        if document is None:
            continue
        held = [hold for hold in term.holds if hold.from_at <= at < hold.to_at]
        lost = [hold for hold in held if _faulty(term, document, hold, at)]
        if "flat_amount_per_period" in document:
            whole = int((END - START).total_seconds())
            amount = Fraction(Decimal(document["flat_amount_per_period"])) * SLOT_S / whole
            shares = sum(hold.share_permille for hold in held)
            timed.total += amount
            if shares:
                timed.total -= amount * sum(hold.share_permille for hold in lost) / shares
            continue
        for hold in held:
            _bill(contract, timed, document, hold, at, at_fault=hold in lost, factor=_held_over(term, document, at))
    timed.total += _early_end(contract, term)
    return timed


def price_on_demand(contract: GivenContract, term: GivenTerm) -> Timed:
    """Price sessions by their states, and what one that ends lacks of the minimum."""
    timed = Timed()
    for number, hold in enumerate(term.holds):
        billed = 0
        for at in _slots():
            document = _wording(term, at)
            if document is None or not hold.from_at <= at < hold.to_at:
                continue
            if _state(term, hold, at) not in document["billed_states"]:
                continue
            factor = Fraction(Decimal(document.get("price_percent", "100"))) / 100
            _bill(contract, timed, document, hold, at, at_fault=_faulty(term, document, hold, at), factor=factor)
            billed += SLOT_S
        timed.billed_s[number] = billed
    return timed


def price_storage(contract: GivenContract, term: GivenTerm) -> Timed:
    """Price volumes by the calendar month of the contract's zone."""
    timed = Timed()
    zone = ZoneInfo(contract.zone)
    for at in _slots():
        document = _wording(term, at)
        if document is None:
            continue
        month = at.astimezone(zone).replace(day=1, hour=0, minute=0)
        following = (month + timedelta(days=32)).replace(day=1)
        seconds = int(following.timestamp() - month.timestamp())
        for fact in term.facts:
            if fact["from_at"] <= at and (fact.get("to_at") is None or at < fact["to_at"]):
                price = Fraction(Decimal(document["price_per_gb_month"]))
                timed.total += fact["gigabytes"] * price * SLOT_S / seconds
    return timed


def _slots() -> Iterator[datetime]:
    at = START
    while at < END:
        yield at
        at += SLOT


def _wording(term: GivenTerm, at: datetime) -> dict[str, Any] | None:
    return next((document for from_at, to_at, document in term.stretches if from_at <= at < to_at), None)


def _faulty(term: GivenTerm, document: dict[str, Any], hold: GivenHold, at: datetime) -> bool:
    return any(
        fact["fact"] in ("outage", "stated_outage")
        and fact["subject"] in (hold.slice_ref, hold.card_ref)
        and fact["cause"] in document.get("provider_fault", ())
        and fact["from_at"] <= at < fact["to_at"]
        for fact in term.facts
    )


def _state(term: GivenTerm, hold: GivenHold, at: datetime) -> str:
    states = (
        fact["state"]
        for fact in term.facts
        if fact["fact"] == "state_span"
        and fact["slice_ref"] == hold.slice_ref
        and fact["from_at"] <= at < fact["to_at"]
    )
    return next(states, "running")


def _bill(
    contract: GivenContract,
    timed: Timed,
    document: dict[str, Any],
    hold: GivenHold,
    at: datetime,
    *,
    at_fault: bool,
    factor: Fraction,
) -> None:
    price = _price(contract, document, hold, at)
    gpu_seconds = Fraction(SLOT_S * hold.share_permille, 1_000)
    if price is None:
        timed.unpriced += gpu_seconds
    elif not at_fault:
        timed.total += gpu_seconds * price * factor / HOUR_S


def _price(contract: GivenContract, document: dict[str, Any], hold: GivenHold, at: datetime) -> Fraction | None:
    if document.get("price_per_gpu_hour") is not None:
        return Fraction(Decimal(document["price_per_gpu_hour"]))
    started = [version for version in contract.versions if version.effective_at <= at]
    price = started[-1].prices.get((hold.accelerator_model, "gpu", 0)) if started else None
    return None if price is None else Fraction(Decimal(price))


def _held_over(term: GivenTerm, document: dict[str, Any], at: datetime) -> Fraction:
    """What time past the agreed end costs, as a part of the lease's price."""
    agreed = [fact["to_at"] for fact in term.facts if fact["fact"] == "lease_agreed"]
    if agreed and at >= agreed[0]:
        return Fraction(Decimal(document.get("holdover_percent", "100"))) / 100
    return Fraction(1)


def _early_end(contract: GivenContract, term: GivenTerm) -> Fraction:
    """What a lease that was ended early owes: what was held last, at its last price, for longer."""
    for fact in term.facts:
        if fact["fact"] != "lease_ended":
            continue
        ended = fact["ended_at"]
        last = ended - SLOT
        document = _wording(term, last)
        assert document is not None
        agreed = fact["agreed_to_at"]
        until, part = ended, Fraction(1)
        if document.get("early_end") == "notice":
            until = fact["asked_at"] + timedelta(days=document["early_end_notice_days"])
        elif document.get("early_end") == "share_of_remainder":
            until, part = agreed or ended, Fraction(Decimal(document["early_end_percent_of_remainder"])) / 100
        elif document.get("early_end") == "minimum_term":
            until = term.from_at + timedelta(days=document["minimum_term_days"])
        until = min(until, agreed) if agreed else until
        seconds = max(0, int((until - ended).total_seconds()))
        owed = Fraction(0)
        for hold in term.holds:
            price = _price(contract, document, hold, last)
            if hold.from_at <= last < hold.to_at and price is not None:
                owed += Fraction(seconds * hold.share_permille, 1_000) * price / HOUR_S * part
        return owed
    return Fraction(0)
