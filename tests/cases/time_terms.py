"""Worked cases of terms that bill time: a term's wording, what was held, what is on record, and what is owed of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import msgspec

from billing.rating.availability import AvailabilityWording, MeasuredAvailability, adjust_availability, measure
from billing.rating.book import PriceVersion
from billing.rating.held_time import Outage
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput
from billing.rating.lease_term import rate_lease_term
from billing.rating.lease_wording import LeaseAgreed, LeaseEnded, LeaseExtended, LeaseWording, NextPeriod
from billing.rating.lines import make_bill
from billing.rating.on_demand import (
    OnDemandWording,
    SpotWording,
    StateSpan,
    TakenBack,
    rate_on_demand,
    rate_spot,
)
from billing.rating.rated import Rated, RatedLine, Unit
from billing.rating.storage import StorageWording, Stored, rate_storage
from billing.rating.wording import Stretch, Wording, WrongWording, read_wording
from clusters.occupancy import Hold
from tests.cases.plainly import plain

Given = dict[str, Any]
Gives = dict[str, Any]

RATERS: dict[type[Any], Callable[[TermInput, RatingWindow], Rated]] = {
    LeaseWording: rate_lease_term,
    OnDemandWording: rate_on_demand,
    SpotWording: rate_spot,
    StorageWording: rate_storage,
}
WORDINGS = LeaseWording | OnDemandWording | SpotWording | StorageWording | AvailabilityWording
FACTS = (
    Carried
    | LeaseAgreed
    | LeaseEnded
    | LeaseExtended
    | MeasuredAvailability
    | NextPeriod
    | Outage
    | StateSpan
    | Stored
    | TakenBack
)


def time_term(given: Given) -> Gives:
    """One term over one window, and availability credited on it where the case has a ladder."""
    window, term = _window(given), _term(given, "term")
    wording = term.stretches[0].wording
    rated = RATERS[type(wording)](term, window)
    found: Gives = {}
    if "availability" in given:
        ladder = _term(given, "availability")
        measured = measure(ladder, ladder.stretches[0].wording.causes, window)
        rated += adjust_availability(ladder, window, rated.lines)
        found["available"] = plain(measured.fraction)
    found["rows"] = _rows(rated)
    if rated.unpriced:
        found["unpriced"] = [f"{each.model} {plain(each.quantity)} {each.reason.value}" for each in rated.unpriced]
    if rated.carries:
        found["carries"] = {carry.name: plain(carry.value) for carry in rated.carries}
    return found | {"exact": plain(rated.exact_total), "billed": str(make_bill(rated.lines, window.currency).total)}


def two_periods(given: Given) -> Gives:
    """One term over two periods, the second taking what the first hands on."""
    term = _term(given, "term")
    rater = RATERS[type(term.stretches[0].wording)]
    first_window = replace(_window(given), to_at=given["middle"], period_to_at=given["middle"])
    second_window = replace(_window(given), from_at=given["middle"])
    following = NextPeriod(
        from_at=given["middle"],
        to_at=given["to"],
        whole_seconds=int((given["to"] - given["middle"]).total_seconds()),
    )
    known = {**given["term"], "holds": given["term"].get("holds_then", given["term"].get("holds", []))}
    first = rater(_term({**given, "term": known}, "term", following), first_window)
    carried = tuple(Carried(name=carry.name, value=carry.value) for carry in first.carries)
    second = rater(_term(given, "term", *carried), second_window)
    return {
        "first": _rows(first),
        "carries": {carry.name: plain(carry.value) for carry in first.carries},
        "second": _rows(second),
        "both": plain((first + second).exact_total),
    }


def refused_wording(given: Given) -> Gives:
    """A wording that contradicts itself: which field, why, and an example."""
    try:
        read_wording(WORDINGS, given["wording"])  # type: ignore[arg-type]  # a union of structs
    except WrongWording as error:
        return {"field": error.field, "reason": error.reason, "example": error.example}
    return {"field": ""}


def _window(given: Given) -> RatingWindow:
    zone: str = given.get("zone", "UTC")
    return RatingWindow(given["currency"], zone, given["from"], given["to"], given["to"], tuple(_versions(given)))


def _versions(given: Given) -> list[PriceVersion]:
    return [
        PriceVersion(
            each["id"],
            each["effective_at"],
            gpu_prices={model: Decimal(price) for model, price in each["per_gpu_hour"].items()},
        )
        for each in given.get("versions", [])
    ]


def _term(given: Given, name: str, *more: Fact) -> TermInput:
    table = given[name]
    from_at: datetime = table.get("from", given["from"])
    to_at: datetime | None = table.get("to")
    wordings: list[Given] = table.get("wordings") or [{"wording": table["wording"]}]
    starts: list[Any] = [each.get("from", from_at) for each in wordings]
    ends: list[Any] = [*starts[1:], to_at or given["to"]]
    stretches = tuple(
        Stretch(number, start, end, _wording(each["wording"]))
        for number, (each, start, end) in enumerate(zip(wordings, starts, ends, strict=True), 1)
    )
    facts = [msgspec.convert(each, FACTS) for each in table.get("facts", [])]
    return TermInput(
        name if name == "availability" else "term",
        "",
        from_at,
        to_at,
        stretches,
        holds=tuple(_holds(table.get("holds", []))),
        facts=(*facts, *more),
    )


def _wording(document: Given) -> Wording:
    wording: Wording = read_wording(WORDINGS, document)  # type: ignore[arg-type]  # a union of structs
    return wording


def _holds(given: list[Given]) -> list[Hold]:
    return [
        Hold(
            each.get("slice") or f"{each['model']}-{number}",
            each.get("share_permille", 1_000),
            each["from"],
            each.get("to"),
            each.get("card", ""),
            each["model"],
        )
        for each in given
        for number in range(each.get("slices", 1))
    ]


def _rows(rated: Rated) -> list[Gives]:
    """Rows in order; of days that are alike only how many there are."""
    found: list[Gives] = []
    for same, alike in groupby(_row(line) for line in rated.lines):
        times = len(list(alike))
        found.append(same | ({"times": times} if times > 1 else {}))
    return found


def _row(line: RatedLine) -> Gives:
    share = {} if line.share_percent == 100 else {"percent": plain(line.share_percent)}
    return {
        "rule": line.rule,
        line.unit.value: plain(line.quantity),
        **({} if line.unit is Unit.AMOUNT else {line.price.unit.value: plain(line.price.amount)}),
        **share,
        "amount": plain(line.exact),
    }


KINDS = {function.__name__: function for function in (time_term, two_periods, refused_wording)}
