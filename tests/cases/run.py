"""Running a worked case: every kind of case is one function from `given` to `gives`, pure or over the platform.

Amounts and quantities come out as strings: a plain decimal where there is one, else a fraction `a/b`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from msgspec import structs

from billing.money import exact_amount, round_to_minor
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.lines import by_term_and_model, make_bill
from billing.rating.rated import Rated, RatedLine, TermKind, Unit, per_mtok
from billing.rating.token_share import TokenShareTerms, UsageTotal, rate_token_share
from clusters.occupancy import (
    Card,
    Hold,
    Job,
    double_holds,
    held_gpu_ms,
    held_seconds,
    memory_share_permille,
    place_jobs,
)
from metering.checks import Cause, EventCounts, Explained, repeated_prompt, residual
from metering.context_bands import band_of, tier_id
from metering.deltas import RegisterBound, RegisterReading, fold
from metering.hours import cut, unix_ms_of
from metering.stream_usage import usage_of_stream
from tests.cases import economics, leases, money, platform, price_rules, share, terms, time_terms
from tests.cases.load import Case
from tests.cases.plainly import plain

Given = dict[str, Any]
Gives = dict[str, Any]

A_DAY = (datetime.fromisoformat("2026-03-10T00:00:00Z"), datetime.fromisoformat("2026-03-11T00:00:00Z"))


def run(case: Case) -> Gives:
    """Return what the case gives now."""
    return KINDS[case.kind](case.given)


def token_share(given: Given) -> Gives:
    """Metered tokens at list price, and the share that is owed of them."""
    terms = TokenShareTerms("share", 1, Decimal(given["share_percent"]), _versions(given["versions"]))
    totals = [
        UsageTotal(
            usage_key=each.get("usage_key", "all"),
            model=each["model"],
            token_class=TokenClass(each["class"]),
            price_version_id=each["version"],
            quantity=each["tokens"],
            quality_mix={"A": each["tokens"]},
            from_at=A_DAY[0],
            to_at=A_DAY[1],
        )
        for each in given["usage"]
    ]
    rated = rate_token_share(terms, totals)
    bill = make_bill(rated.lines, given["currency"], by_term_and_model)
    return {
        "rows": [_row(line) for line in rated.lines],
        "unpriced": _unpriced(rated),
        "base": plain(sum((line.exact_base for line in rated.lines), Fraction(0))),
        "share": plain(rated.exact_total),
        "billed": str(bill.total),
    }


def long_requests(given: Given) -> Gives:
    """Requests of different length, summed apart by their band, at a price list that has other prices for long ones."""
    terms = TokenShareTerms("share", 1, Decimal(given["share_percent"]), _versions(given["versions"]))
    totals = [
        UsageTotal(
            usage_key="all",
            model=each["model"],
            token_class=token_class,
            price_version_id=given["versions"][0]["id"],
            quantity=each[token_class],
            quality_mix={"A": each[token_class]},
            from_at=A_DAY[0],
            to_at=A_DAY[1],
            context_over=band_of(each["input"] + each.get("cache_write", 0)),
        )
        for each in given["requests"]
        for token_class in TokenClass
        if token_class in each
    ]
    rated = rate_token_share(terms, totals)
    return {
        "bands": sorted({total.context_over for total in totals}),
        "rows": [_row(line) for line in rated.lines],
        "unpriced": _unpriced(rated),
        "exact": plain(rated.exact_total),
        "billed": str(make_bill(rated.lines, given["currency"], by_term_and_model).total),
    }


def many_charges(given: Given) -> Gives:
    """The same small charge many times over on one line."""
    one = RatedLine(
        line_key="0",
        term_kind=TermKind.TOKEN_SHARE,
        term_ref="share",
        contract_version=1,
        price_version_id="v1",
        rule="token_share_list_price",
        model="sample",
        token_class="output",
        quantity=Decimal(given["tokens_each"]),
        unit=Unit.TOKENS,
        price=per_mtok(Decimal(given["price_per_mtok"])),
        quality_mix={"A": Decimal(given["tokens_each"])},
        from_at=A_DAY[0],
        to_at=A_DAY[1],
    )
    bill = make_bill(
        [structs.replace(one, line_key=str(number)) for number in range(given["charges"])], given["currency"]
    )
    return {
        "each": plain(one.exact),
        "lines": len(bill.lines),
        "billed": str(bill.total),
        "if_each_were_rounded": str(round_to_minor(one.exact, given["currency"]) * given["charges"]),
    }


def register(given: Given) -> Gives:
    """Readings of one register, folded into deltas."""
    readings = [
        RegisterReading(
            epoch=each["epoch"],
            seq=each["seq"],
            value=each["value"],
            read_at_ms=unix_ms_of(each["read_at"]),
            epoch_started_ms=unix_ms_of(each["started_at"]) if "started_at" in each else None,
            epoch_proof=each.get("proof", "none"),
        )
        for each in given["readings"]
    ]
    folded = fold(None, readings, RegisterBound())
    return {
        "rules": [outcome.rule.value for _, outcome in folded.outcomes],
        "values": ["none" if outcome.value is None else outcome.value for _, outcome in folded.outcomes],
        "total": folded.total,
        "restarted": any("restarted" in outcome.flags for _, outcome in folded.outcomes),
    }


def ticks(given: Given) -> Gives:
    """Time accrued tick by tick, as the collector's own clock gives the instants."""
    instants: list[datetime] = [given["from"], *given["ticks"], given["to"]]
    hold = _holds(given["holds"])
    each = [held_seconds(hold, start, end) for start, end in pairwise(instants)]
    return {"seconds": each, "total": sum(each)}


def overlap(given: Given) -> Gives:
    """Holds of slices, and which of them hold one slice twice."""
    return {"double": [[left.slice_ref, right.slice_ref] for left, right in double_holds(_holds(given["holds"]))]}


def memory_share(given: Given) -> Gives:
    """A partition's share of its card, and the time two of them hold."""
    permille = memory_share_permille(given["slice_mib"], given["card_mib"])
    holds = [replace(hold, share_permille=permille) for hold in _holds(given["holds"])]
    start, end = given["from"], given["to"]
    return {
        "share": plain(Fraction(permille, 1_000)),
        "double": len(double_holds(holds)),
        "gpu_hours": plain(Fraction(held_gpu_ms(holds, start, end), 3_600_000)),
    }


def price_change(given: Given) -> Gives:
    """A delta over the instant at which a price changes: cut there, each part at its own price."""
    edge = given["effective_at"]
    parts = cut(
        value=given["tokens"],
        from_ms=unix_ms_of(given["from"]),
        to_ms=unix_ms_of(given["to"]),
        edges_ms=[unix_ms_of(edge)],
    )
    prices = [Decimal(given["price_before"]), Decimal(given["price_after"])]
    amounts = [
        exact_amount(quantity=part.value, unit_price=price, units_per_price=1_000_000)
        for part, price in zip(parts, prices, strict=True)
    ]
    return {
        "tokens": [part.value for part in parts],
        "quality": [part.quality.value for part in parts],
        "amounts": [plain(amount) for amount in amounts],
        "total": plain(sum(amounts, Fraction(0))),
    }


def witnesses(given: Given) -> Gives:
    """The engine's count against the gateway's, with what explains the difference."""
    explained = [repeated_prompt(each["prompt"], each["n"]) for each in given.get("prompts", [])]
    explained += [Explained(Cause(each["cause"]), each["tokens"]) for each in given.get("explained", [])]
    compared = residual(engine=given["engine"], gateway=given["gateway"], explained=explained)
    return {
        "gateway_bills": compared.gateway,
        "residual": compared.difference,
        "explained": [{"cause": part.cause.value, "tokens": part.tokens} for part in compared.explained],
        "unexplained": compared.unexplained,
    }


def jobs(given: Given) -> Gives:
    """A list of jobs placed on cards as allocations."""
    listed = [
        Job(each["job"], each["num_gpu"], each["gpu_milli"], each["scheduled"], each["deletion"])
        for each in given["jobs"]
    ]
    cards = [Card(card, node) for node, cards in given["nodes"].items() for card in cards]
    placement = place_jobs(listed, cards)
    held = sum(each.share_permille * (each.to_s - each.from_s) for each in placement.placed)
    return {
        "placed": [[each.job_ref, each.slice_ref] for each in placement.placed],
        "without_room": [job.job_ref for job in placement.without_room],
        "gpu_seconds_listed": plain(Fraction(sum(job.gpu_ms for job in listed), 1_000)),
        "gpu_seconds_held": plain(Fraction(held, 1_000)),
    }


def stream(given: Given) -> Gives:
    """A streamed answer whose chunks repeat what was used so far."""
    used = usage_of_stream(EventCounts(**each) if each else None for each in given["chunks"])
    assert used is not None
    return {"input": used.input, "cached_input": used.cached_input, "output": used.output}


PLATFORM_KINDS: dict[str, Callable[[Given], Gives]] = {
    function.__name__: function
    for function in (platform.outage, platform.events, platform.killed, platform.many_workers, money.refunds)
}
KINDS: dict[str, Callable[[Given], Gives]] = (
    PLATFORM_KINDS
    | leases.KINDS
    | time_terms.KINDS
    | economics.KINDS
    | {
        function.__name__: function
        for function in (
            stream,
            token_share,
            long_requests,
            many_charges,
            money.currency_forms,
            register,
            ticks,
            overlap,
            memory_share,
            price_change,
            witnesses,
            jobs,
            price_rules.price_rule,
            terms.agreed_terms,
            terms.refused_terms,
            terms.hard_stop,
            share.share,
            share.refused_shares,
        )
    }
)


def _versions(given: list[Given]) -> list[PriceVersion]:
    return [
        PriceVersion(
            version_id=each["id"],
            effective_at=each["effective_at"],
            token_prices={
                (model, TokenClass(token_class)): Decimal(price)
                for model, prices in each.get("per_mtok", {}).items()
                for token_class, price in prices.items()
            },
            tier_prices={
                (tier["model"], TokenClass(token_class), tier["over"]): Decimal(tier[token_class])
                for tier in each.get("per_mtok_of_long_requests", [])
                for token_class in TokenClass
                if token_class in tier
            },
        )
        for each in given
    ]


def _holds(given: list[Given]) -> list[Hold]:
    return [
        Hold(
            slice_ref=each.get("slice") or f"{each['model']}-{number}",
            share_permille=each.get("share_permille", 1_000),
            from_at=each["from"],
            to_at=each.get("to"),
            accelerator_model=each.get("model", ""),
        )
        for each in given
        for number in range(each.get("slices", 1))
    ]


def _row(line: RatedLine) -> Gives:
    tier = {"tier": tier_id(line.context_over)} if line.context_over else {}
    return {
        "model": line.model,
        **tier,
        line.token_class: plain(line.quantity),
        line.price.unit.value: plain(line.price.amount),
        "amount": plain(line.exact),
    }


def _unpriced(rated: Rated) -> list[str]:
    return [f"{each.model} {each.token_class} {each.quantity} {each.reason.value}" for each in rated.unpriced]
