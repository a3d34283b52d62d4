"""Worked cases of terms: their wordings over one or more billing periods, with what each period hands to the next.

First-stage terms rate usage; adjusters then see the lines so far, in their fixed order. A period may be given late
usage: it is rated again, and what is booked then is the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.commitment import CommitmentWording, adjust_commitment, drawdown
from billing.rating.credit import CreditWording, Drawn, Grant, Granted, HardStop, adjust_credit, grant_of, may_go_on
from billing.rating.cumulative import book, difference
from billing.rating.discount import DiscountWording, Redeemed, adjust_discount
from billing.rating.dividing import divided, dividing_instants
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used
from billing.rating.lines import make_bill
from billing.rating.rated import Rated, RatedLine, TermKind
from billing.rating.token_price import rate_token_price
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import Stretch, Wording, WrongWording, read_wording
from tests.cases.plainly import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Given = dict[str, Any]
Gives = dict[str, Any]

KINDS: Mapping[str, type[Wording]] = {
    "token_price": TokenPriceWording,
    "discount": DiscountWording,
    "commitment": CommitmentWording,
    "credit": CreditWording,
}
ADJUSTERS: Mapping[str, Callable[..., Rated]] = {
    "discount": adjust_discount,
    "commitment": adjust_commitment,
    "credit": adjust_credit,
}
END = datetime.fromisoformat("2100-01-01T00:00:00Z")


def agreed_terms(given: Given) -> Gives:
    """Terms of one contract, period after period."""
    before = _Before()
    found = []
    for period in given["periods"]:
        window = _window(given, period)
        rated, inputs = _rate(given, period, period.get("usage", []), window, before)
        gives = _period(rated, window)
        gives |= _drawdowns(inputs, window, rated)
        if "late_usage" in period:
            usage = [*period.get("usage", []), *period["late_usage"]]
            later, _ = _rate(given, period, usage, window, before)
            gives["late"] = _late(rated, later)
            rated = later
        before.then(rated)
        found.append(gives)
    return {"periods": found}


def refused_terms(given: Given) -> Gives:
    """Wordings that contradict themselves: which field, why, and what a right one looks like."""
    found = []
    for document in given["wordings"]:
        witness = {"witness": "gateway"} if document["kind"] == "token_price" else {}
        try:
            read_wording(KINDS[document["kind"]], with_text({**witness, **document}))
        except WrongWording as wrong:
            found.append({"field": wrong.field, "reason": wrong.reason, "example": wrong.example})
        else:
            found.append({"field": "", "reason": "accepted", "example": ""})
    return {"refused": found}


def hard_stop(given: Given) -> Gives:
    """A burst of use at a steady rate, and a gateway that asks every so often whether it may go on.

    What was used is counted some seconds later, so that is what the answer knows of.
    """
    stop = read_wording(CreditWording, with_text({"kind": "credit", "hard_stop": given["hard_stop"]})).hard_stop
    assert isinstance(stop, HardStop)
    spend_per_s = Fraction(given["spend_amount_per_hour"]) / 3_600
    most, asked = Fraction(0), 0
    for second in range(given["seconds"]):
        if second % stop.check_every_s == given["first_check_s"]:
            asked += 1
            counted = Decimal(round(max(0, second - stop.counted_within_s) * spend_per_s * 10**6)) / 10**6
            if not may_go_on(stop, Decimal(given["prepaid_amount"]) - counted):
                break
        most = max(most, (second + 1) * spend_per_s - Fraction(given["prepaid_amount"]))
    return {"asked": asked, "overdrawn": plain(most), "promised": plain(stop.overdrawn_amount_most)}


@dataclass(slots=True)
class _Before:
    """What the periods before hand over: carries, and what was drawn from grants, by term."""

    carried: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    drawn: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def then(self, rated: Rated) -> None:
        self.carried = {}
        for carry in rated.carries:
            self.carried.setdefault(carry.term_ref, {})[carry.name] = carry.value
        for line in rated.lines:
            if line.term_kind is TermKind.CREDIT:
                key = (line.term_ref, grant_of(line))
                self.drawn[key] = self.drawn.get(key, Decimal(0)) - line.amount


def _rate(
    given: Given, period: Given, usage: list[Given], window: RatingWindow, before: _Before
) -> tuple[Rated, list[tuple[str, TermInput]]]:
    inputs = [(each["kind"], _term(each, window, before)) for each in given["terms"]]
    rated = Rated()
    for kind, term in inputs:
        if kind == "token_price":
            used = tuple(_used(each, period) for each in usage)
            discounts = [each for other, each in inputs if other == "discount"]
            whole = divided(replace(term, usage=used), dividing_instants(discounts, term.ref, window))
            rated += rate_token_price(whole, window)
    for name, adjust in ADJUSTERS.items():
        for kind, term in inputs:
            if kind == name:
                rated += adjust(term, window, rated.lines)
    return rated, inputs


def _window(given: Given, period: Given) -> RatingWindow:
    start: datetime = period["from"]
    end: datetime = period["to"]
    return RatingWindow(
        given.get("currency", "USD"),
        given.get("zone", "UTC"),
        start,
        period.get("rated_to") or end,
        end,
        tuple(_version(each) for each in given.get("versions", [])),
    )


def _version(each: Given) -> PriceVersion:
    prices = [(model, name, price) for model, named in each["prices"].items() for name, price in named.items()]
    classes = frozenset(TokenClass)
    return PriceVersion(
        each["id"],
        each["effective_at"],
        {(model, TokenClass(name)): Decimal(price) for model, name, price in prices if name in classes},
        unit_prices={(model, name): Decimal(price) for model, name, price in prices if name not in classes},
        factors={("", mark): Decimal(factor) for mark, factor in each.get("factors", {}).items()},
    )


def _term(given: Given, window: RatingWindow, before: _Before) -> TermInput:
    wordings = given.get("wordings") or [{"from": given["from"], "wording": given["wording"]}]
    ends = [each["from"] for each in wordings[1:]] + [given.get("to", END)]
    stretches = []
    for version, (each, end) in enumerate(zip(wordings, ends, strict=True), 1):
        start, until = max(each["from"], window.from_at), min(end, window.period_to_at)
        if start < until:
            witness = {"witness": "gateway"} if given["kind"] == "token_price" else {}
            document = with_text({"kind": given["kind"], **witness, **each["wording"]})
            stretches.append(Stretch(version, start, until, read_wording(KINDS[given["kind"]], document)))
    facts: list[Fact] = [
        Carried(name=name, value=value) for name, value in before.carried.get(given["ref"], {}).items()
    ]
    # As the platform reads it: that a code was redeemed is known in the period in which it was.
    redeemed = [Redeemed(code=each["code"], at=each["at"]) for each in given.get("redeemed", [])]
    facts += [each for each in redeemed if window.from_at <= each.at < window.period_to_at]
    facts += [Granted(grant=Grant(**{**each, "amount": Decimal(each["amount"])})) for each in given.get("bought", [])]
    facts += [Drawn(grant=grant, amount=amount) for (ref, grant), amount in before.drawn.items() if ref == given["ref"]]
    return TermInput(given["ref"], "", given["from"], given.get("to"), tuple(stretches), facts=tuple(facts))


def _used(each: Given, period: Given) -> Used:
    start: datetime = each.get("at") or period["from"]
    end: datetime = each.get("at") or period["to"]
    return Used(
        "deployment",
        each.get("model", "sample"),
        each["quantity"],
        each.get("quality", "A"),
        start,
        end,
        each["count"],
        each.get("context_over", 0),
        each.get("marks", ""),
    )


def _period(rated: Rated, window: RatingWindow) -> Gives:
    gives: Gives = {
        "rows": [_row(line) for line in rated.lines],
        "billed": str(make_bill(rated.lines, window.currency).total),
    }
    if rated.unpriced:
        gives["unpriced"] = [
            f"{each.model} {each.token_class} {each.quantity} {each.reason}" for each in rated.unpriced
        ]
    if rated.carries:
        gives["handed_on"] = {f"{each.term_ref} {each.name}": plain(each.value) for each in rated.carries}
    return gives


def _drawdowns(inputs: list[tuple[str, TermInput]], window: RatingWindow, rated: Rated) -> Gives:
    tables = {term.ref: drawdown(term, window, rated.lines) for kind, term in inputs if kind == "commitment"}
    return {
        f"drawdown_{ref}": {
            "committed": plain(table.committed_amount),
            "used": plain(table.used_amount),
            "left": plain(table.left_amount),
        }
        for ref, table in tables.items()
        if table is not None
    }


def _late(before: Rated, after: Rated) -> list[Gives]:
    booked = book({}, difference(before.lines, {}))
    deltas = difference(after.lines, booked)
    assert not difference(after.lines, book(booked, deltas))
    return [
        {"kind": delta.kind.value, "quantity": plain(delta.quantity), "amount": plain(delta.amount)} for delta in deltas
    ]


def _row(line: RatedLine) -> Gives:
    about = {"about": line.about_ref} if line.about_ref else {}
    named = {"model": line.model} if line.model else {}
    what = line.token_class or str(line.unit)
    price = {str(line.price.unit): plain(line.price.amount)} if line.unit != "amount" else {}
    quantity = {what: plain(line.quantity)} if line.unit != "amount" else {}
    return {"rule": line.rule, **about, **named, **quantity, **price, "amount": plain(line.exact)}


def with_text(value: Any) -> Any:
    """Return a table with its instants as documents have them: text."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: with_text(each) for key, each in value.items()}
    return [with_text(each) for each in value] if isinstance(value, list) else value
