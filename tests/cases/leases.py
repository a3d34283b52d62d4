"""Worked cases of leases as they are rated: what was held, and what is owed of it.

The engine cuts time at the local days of the contract; the rows of a case are whole again where a day alone divides
them.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from billing.rating.book import PriceVersion
from billing.rating.cumulative import book, difference
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.lease_term import rate_lease_term
from billing.rating.lease_wording import LeaseWording
from billing.rating.lines import by_rate, make_bill
from billing.rating.rated import Rated, RatedLine
from billing.rating.wording import Stretch
from clusters.occupancy import Hold, held_gpu_ms
from tests.cases.plainly import plain

Given = dict[str, Any]
Gives = dict[str, Any]


def lease(given: Given) -> Gives:
    """A lease's holds at a fixed rate or at the prices of a book."""
    rated = _rate(given, "holds")
    gpu_seconds = sum((Fraction(line.quantity) for line in rated.lines), Fraction(0))
    return {
        "rows": [_row(days) for days in _over_days(rated.lines)],
        "unpriced": [f"{each.model} {each.token_class} {each.quantity} {each.reason.value}" for each in rated.unpriced],
        "gpu_hours": plain(gpu_seconds / 3_600),
        "exact": plain(rated.exact_total),
        "billed": str(make_bill(rated.lines, given["currency"], by_rate).total),
    }


def lease_late_stop(given: Given) -> Gives:
    """A lease rated and booked as known first, then rated again with what is known later."""
    first, then = _rate(given, "holds_first"), _rate(given, "holds_then")
    booked = book({}, difference(first.lines, {}))
    deltas = difference(then.lines, booked)
    again = difference(then.lines, book(booked, deltas))
    return {
        "booked_first": [plain(line.quantity) for line in first.lines],
        "booked_then": [
            {
                "kind": delta.kind.value,
                "gpu_seconds": plain(delta.quantity),
                "amount": plain(delta.amount),
                "same_line": delta.line_key in booked,
            }
            for delta in deltas
        ],
        "booked_on_a_third_run": len(again),
    }


def flat_lease(given: Given) -> Gives:
    """One lease by the GPU-hour and at a flat amount per day, side by side."""
    flat = _rate(given, "holds", LeaseWording(flat_amount_per_day=Decimal(given["flat_amount_per_day"])))
    return {
        "gpu_hours": plain(Fraction(held_gpu_ms(_holds(given["holds"]), given["from"], given["to"]), 3_600_000)),
        "days": len(flat.lines),
        "flat": plain(flat.exact_total),
    }


def _rate(given: Given, holds: str, wording: LeaseWording | None = None) -> Rated:
    from_at, to_at = given["from"], given["to"]
    rate = given.get("rate_per_gpu_hour")
    agreed = wording or LeaseWording(price_per_gpu_hour=None if rate is None else Decimal(rate))
    agreed.check()
    return rate_lease_term(
        TermInput("lease", "", from_at, None, (Stretch(1, from_at, to_at, agreed),), holds=tuple(_holds(given[holds]))),
        RatingWindow(
            given.get("currency", "USD"), given.get("zone", "UTC"), from_at, to_at, to_at, tuple(_versions(given))
        ),
    )


def _versions(given: Given) -> list[PriceVersion]:
    return [
        PriceVersion(
            each["id"],
            each["effective_at"],
            gpu_prices={model: Decimal(price) for model, price in each["per_gpu_hour"].items()},
        )
        for each in given.get("versions", [])
    ]


def _holds(given: list[Given]) -> list[Hold]:
    return [
        Hold(
            f"{each['model']}-{number}",
            each.get("share_permille", 1_000),
            each["from"],
            each.get("to"),
            accelerator_model=each["model"],
        )
        for each in given
        for number in range(each.get("slices", 1))
    ]


def _over_days(lines: Sequence[RatedLine]) -> list[list[RatedLine]]:
    """Lines that follow each other at one share and price, as one."""
    ends: list[tuple[datetime, object]] = []

    def number(line: RatedLine) -> int:
        seconds = int((line.to_at - line.from_at).total_seconds())
        alike = (line.model, line.price_version_id, line.price, Fraction(line.quantity) / seconds)
        if not ends or ends[-1] != (line.from_at, alike):
            starts.append(line)
        ends.append((line.to_at, alike))
        return len(starts)

    starts: list[RatedLine] = []
    ordered = sorted(lines, key=lambda line: (line.model, line.from_at))
    return [list(days) for _, days in groupby(ordered, key=number)]


def _row(days: Sequence[RatedLine]) -> Gives:
    return {
        "model": days[0].model,
        "gpu_seconds": plain(sum((line.quantity for line in days), Decimal(0))),
        days[0].price.unit.value: plain(days[0].price.amount),
        "amount": plain(sum((line.exact for line in days), Fraction(0))),
    }


KINDS = {function.__name__: function for function in (lease, lease_late_stop, flat_lease)}
