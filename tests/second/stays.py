"""Leases with deposits and in advance, spot and ladders of availability, by `docs/rating.md`: quarter by quarter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tests.second.given_stays import QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.second.given import GivenHold
    from tests.second.given_stays import GivenStay

QUARTER_S: Final = 900
HOUR_S: Final = 3_600


def owed_by_month(stay: GivenStay) -> list[dict[str, Fraction]]:
    """Return what each term comes to in each month: the lease, spot, and what is credited."""
    found = []
    paid = Fraction(0)
    for number in range(3):
        start, end = stay.edges[number : number + 2]
        held = _lease_time(stay, start, end, stay.holds)
        lease = held - paid + _deposit(stay, number)
        paid = _in_advance(stay, number)
        credit = -held * _credited(stay, start, end)
        found.append({"L-1": lease + paid, "SP-1": _spot(stay, start, end), "A-1": credit})
    return found


def _quarters(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += QUARTER


def _lease_time(stay: GivenStay, start: datetime, end: datetime, holds: list[GivenHold]) -> Fraction:
    """What the time of the lease comes to: its cards, or its own days whatever is held."""
    end = min(end, stay.ends or end)
    if "flat_amount_per_day" in stay.lease:
        return _days(stay, start, end)
    price = Fraction(stay.lease["price_per_gpu_hour"])
    held = sum(hold.share_permille for at in _quarters(start, end) for hold in holds if hold.from_at <= at < hold.to_at)
    return Fraction(held * QUARTER_S, 1_000 * HOUR_S) * price


def _days(stay: GivenStay, start: datetime, end: datetime) -> Fraction:
    """A day begins at the time of day at which the lease did, and may have 23 or 25 hours."""
    zone = ZoneInfo(stay.zone)
    total = Fraction(0)
    local = stay.begins.astimezone(zone).replace(tzinfo=None)
    while local.replace(tzinfo=zone).astimezone(UTC) < end:
        day = local.replace(tzinfo=zone).astimezone(UTC)
        local += timedelta(days=1)
        following = local.replace(tzinfo=zone).astimezone(UTC)
        inside = (min(end, following) - max(start, day)).total_seconds()
        if inside > 0:
            whole = int((following - day).total_seconds())
            total += Fraction(stay.lease["flat_amount_per_day"]) * int(inside) / whole
    return total


def _deposit(stay: GivenStay, number: int) -> Fraction:
    """It is asked for in the first month, and goes back in the one in which the lease ends."""
    amount = Fraction(stay.lease.get("deposit_amount", "0"))
    ended = stay.ends is not None and stay.edges[number] < stay.ends <= stay.edges[number + 1]
    return (amount if number == 0 else Fraction(0)) - (amount if ended else Fraction(0))


def _in_advance(stay: GivenStay, number: int) -> Fraction:
    """The next month as it is known at this one's end: what is held then is held on."""
    if stay.lease["billed"] != "advance":
        return Fraction(0)
    start, end = following(stay, number)
    if stay.ends is not None and stay.ends <= start:
        return Fraction(0)
    return _lease_time(stay, start, end, known(stay.holds, start, end))


def following(stay: GivenStay, number: int) -> tuple[datetime, datetime]:
    """Return the month after one."""
    july = datetime(2026, 7, 1, tzinfo=ZoneInfo(stay.zone)).astimezone(UTC)
    later = [*stay.edges, july]
    return later[number + 1], later[number + 2]


def known(holds: list[GivenHold], start: datetime, end: datetime) -> list[GivenHold]:
    """What is held at an instant, as if it was held on until another one."""
    return [
        type(hold)(hold.slice_ref, hold.card_ref, hold.share_permille, hold.accelerator_model, hold.from_at, end)
        for hold in holds
        if hold.from_at <= start < hold.to_at
    ]


def _spot(stay: GivenStay, start: datetime, end: datetime) -> Fraction:
    total = 0
    for session in stay.sessions:
        seconds = max(0, int((min(end, session.to_at) - max(start, session.from_at)).total_seconds()))
        if start < session.to_at <= end:
            whole = int((session.to_at - session.from_at).total_seconds())
            if session.slice_ref not in stay.taken:
                seconds += max(0, stay.spot["minimum_seconds"] - whole)
            elif (stay.taken[session.slice_ref] or 0) < stay.spot["notice_seconds"]:
                seconds -= min(whole, stay.spot["unkept_notice_free_seconds"])
        total += seconds * session.share_permille
    return Fraction(total, 1_000 * HOUR_S) * Fraction(stay.spot["price_per_gpu_hour"])


def _credited(stay: GivenStay, start: datetime, end: datetime) -> Fraction:
    """The part that the lowest step gives which the month's availability is below."""
    held = lost = 0
    outages = [each for each in stay.outages if each["cause"] in stay.ladder["causes"]]
    for at in _quarters(start, end):
        gone = {each["subject"] for each in outages if each["from_at"] <= at < each["to_at"]}
        for hold in stay.holds:
            if hold.from_at <= at < hold.to_at:
                held += hold.share_permille
                lost += hold.share_permille if {hold.slice_ref, hold.card_ref} & gone else 0
    below = [
        Fraction(step["credit_percent"])
        for step in stay.ladder["ladder"]
        if (held - lost) * 100 < Fraction(step["below_percent"]) * held
    ]
    return below[-1] / 100 if below else Fraction(0)
