"""Worked cases of token revenue shares: periods rated one after the other, each handed what the one before carried."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.rating.availability import MeasuredAvailability
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used
from billing.rating.lines import make_bill
from billing.rating.rated import Rated, RatedLine, Unit
from billing.rating.share_facts import (
    AuditFinding,
    CertifiedRevenue,
    InterruptedCounts,
    RefundedCounts,
    WitnessCounts,
)
from billing.rating.share_rating import rate_share
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch, WrongWording, read_wording
from tests.cases.plainly import plain

ALWAYS = datetime.fromisoformat("2000-01-01T00:00:00Z")
FACTS = {
    "audits": AuditFinding,
    "certified": CertifiedRevenue,
    "interrupted": InterruptedCounts,
    "availability": MeasuredAvailability,
    "refunded": RefundedCounts,
    "witnesses": WitnessCounts,
}

Given = dict[str, Any]


def share(given: Given) -> dict[str, Any]:
    """Rate every period that is given, in order; a period's rows, what it owes, and what it hands on."""
    found: dict[str, Any] = {"periods": []}
    carried: tuple[Carried, ...] = ()
    for period in given["periods"]:
        rated = rate_share(_term(given, period, carried), _window(given, period))
        carried = tuple(Carried(name=carry.name, value=carry.value) for carry in rated.carries)
        found["periods"].append(_shown(rated, given["currency"]))
    return found


def refused_shares(given: Given) -> dict[str, Any]:
    """Wordings that contradict themselves, and what is said of each."""
    return {"refused": [_refusal(document) for document in given["wordings"]]}


def _refusal(document: Given) -> dict[str, str]:
    try:
        read_wording(TokenShareWording, {"kind": "token_share", "witness": "gateway", **document})
    except WrongWording as wrong:
        return {"field": wrong.field, "reason": wrong.reason, "example": wrong.example}
    return {}


def _term(given: Given, period: Given, carried: tuple[Carried, ...]) -> TermInput:
    from_at: datetime = given["term_from"] if "term_from" in given else period["from"]
    wordings = given.get("wordings") or [{"from": from_at, "wording": given["wording"]}]
    starts = [each["from"] for each in wordings]
    stretches = tuple(
        Stretch(
            contract_version=number,
            from_at=max(start, period["from"]),
            to_at=min(end, period["to"]),
            wording=read_wording(TokenShareWording, {"kind": "token_share", "witness": "gateway", **each["wording"]}),
        )
        for number, (each, start, end) in enumerate(zip(wordings, starts, [*starts[1:], period["to"]], strict=True), 1)
        if max(start, period["from"]) < min(end, period["to"])
    )
    return TermInput(
        ref="S-1",
        title="sample",
        from_at=from_at,
        to_at=given.get("term_to"),
        stretches=stretches,
        usage=tuple(_used(each, period) for each in period.get("usage", [])),
        facts=(*carried, *_facts(period)),
    )


def _window(given: Given, period: Given) -> RatingWindow:
    per_mtok = given.get("list_price_per_mtok", {})
    rated_to: datetime = period["rated_to"] if "rated_to" in period else period["to"]
    prices = {
        (model, TokenClass(token_class)): Decimal(price)
        for model, classes in per_mtok.items()
        for token_class, price in classes.items()
    }
    return RatingWindow(
        currency=given["currency"],
        zone=given.get("zone", "UTC"),
        from_at=period["from"],
        to_at=rated_to,
        period_to_at=period["to"],
        versions=(PriceVersion("v1", ALWAYS, token_prices=prices),),
    )


def _used(each: Given, period: Given) -> Used:
    at: datetime = each["at"] if "at" in each else period["from"]
    return Used(
        deployment=each.get("deployment", "d1"),
        model=each["model"],
        quantity=each["class"],
        quality=each.get("quality", "A"),
        from_at=at,
        to_at=at,
        count=each["tokens"],
        marks=each.get("marks", ""),
    )


def _facts(period: Given) -> Iterator[Fact]:
    for name, kind in FACTS.items():
        for each in period.get(name, []):
            about = {"deployment": "d1"} if "deployment" in kind.__struct_fields__ else {}
            span = {"from_at": period["from"], "to_at": period["to"]} if "from_at" in kind.__struct_fields__ else {}
            values = {
                key: Decimal(value) if isinstance(value, str) and _is_number(value) else value
                for key, value in each.items()
            }
            yield kind(**{**about, **span, **values})


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _shown(rated: Rated, currency: str) -> dict[str, Any]:
    return {
        "rows": [_row(line) for line in rated.lines],
        "unpriced": [f"{each.model} {each.token_class} {each.quantity} {each.reason.value}" for each in rated.unpriced],
        "owed": plain(rated.exact_total),
        "billed": str(make_bill(rated.lines, currency, lambda line: line.line_key).total),
        "carried": {carry.name: plain(carry.value) for carry in rated.carries},
    }


def _row(line: RatedLine) -> dict[str, Any]:
    row = {"rule": line.rule}
    if line.model or line.token_class:
        row["of"] = " ".join(filter(None, (line.model, line.token_class)))
    if line.unit is not Unit.AMOUNT:
        row[line.unit.value] = plain(line.quantity)
        row[line.price.unit.value] = plain(line.price.amount)
    return row | {
        "base": plain(line.exact_base),
        "percent": plain(line.share_percent),
        "owed": plain(line.exact),
    }
