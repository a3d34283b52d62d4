"""Worked cases of economics: a cluster's day, a run of losses, a price rise on past usage, and where offers cross."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.basis import PeriodBasis
from billing.economics.comparison import Profile, Terms, compare
from billing.economics.cost import CardCost, CostRates
from billing.economics.days import UseCost, cost_of_day
from billing.economics.inversion import DayMargin, inversion_of
from billing.economics.repricing import STRESS_PERCENTS, at_percent, reprice
from billing.economics.uses import NodeHour, Tokens, UseKind
from billing.money import exact_sum
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.kinds import read_any_wording
from billing.rating.wording import Stretch
from clusters.occupancy import Hold
from tests.cases.plainly import plain

Given = dict[str, Any]
Gives = dict[str, Any]
MS_PER_HOUR = 3_600_000
NODE_CARD = "H100"


def cluster_day(given: Given) -> Gives:
    """What each use of one node's cards cost over some hours, and that the uses sum to what the cluster cost."""
    rates = CostRates(
        effective_at=given["from"],
        currency=given["currency"],
        power_price_per_kwh=Decimal(given["power_price_per_kwh"]),
        pue=Decimal(given["pue"]),
        rent_per_month=Decimal(given["rent_per_month"]),
        overhead_per_month=Decimal(given["overhead_per_month"]),
        grid_g_per_kwh=Decimal(given["grid_g_per_kwh"]),
        cards={NODE_CARD: CardCost(Decimal(given["capex_per_gpu"]), given["life_days"])},
    )
    hours = [given["from"] + timedelta(hours=number) for number in range(given["hours"])]
    rows = cost_of_day(hours, [_node_hour(given, hour) for hour in hours], [rates])
    overhead = exact_sum(row.overhead_cost for row in rows)
    idle = [row for row in rows if row.use.kind is UseKind.IDLE]
    return {
        "uses": [_use(row) for row in rows],
        "workload": plain(_gpu_and_energy([row for row in rows if row not in idle])),
        "idle": plain(_gpu_and_energy(idle)),
        "overhead": plain(overhead),
        "total": plain(_gpu_and_energy(rows) + overhead),
    }


def losing_days(given: Given) -> Gives:
    """Since when something sells below cost, and how much that has lost."""
    first: datetime = given["first_day"]
    days = [
        DayMargin((first + timedelta(days=number)).date(), Decimal(revenue), Decimal(cost))
        for number, (revenue, cost) in enumerate(given["revenue_and_cost"])
    ]
    found = inversion_of(days)
    assert found is not None
    return {"since": found.since.isoformat(), "days": found.days, "loss": plain(found.loss)}


def price_rise(given: Given) -> Gives:
    """A period's usage at the prices it was billed at, at raised ones, and under stress."""
    window = _window(given)
    stretch = Stretch(1, window.from_at, window.to_at, read_any_wording(given["wording"]))
    term = TermInput("T-1", "", window.from_at, window.to_at, (stretch,), usage=_used(given, window))
    found = reprice(PeriodBasis("C-1", 1, window, (term,)), at_percent(Decimal(given["percent"])))
    return {
        "models": [
            {
                "model": one.model,
                "old": plain(one.old),
                "new": plain(one.new),
                **{
                    f"stress_{percent}": plain(amount)
                    for percent, amount in zip(STRESS_PERCENTS, one.stress, strict=True)
                },
            }
            for one in found
        ]
    }


def bay_or_pump(given: Given) -> Gives:
    """The same usage as a lease, at a token price, under a share and as a hybrid, and where they cross."""
    window = _window(given)
    holds = tuple(
        Hold(f"card-{number}", 1000, window.from_at, window.to_at, f"card-{number}", NODE_CARD)
        for number in range(given["gpus"])
    )
    terms = Terms(Decimal(given["share_percent"]), Decimal(given["rent_per_month"]))
    found = compare(Profile(window, _used(given, window), holds, Fraction(given["utilisation"])), terms)
    return {
        "amounts": {offer.name: plain(offer.at(Fraction(1))) for offer in found.offers},
        "cheapest": found.cheapest,
        "crossings": [
            {
                "below": one.crossing.below,
                "above": one.crossing.above,
                "tokens": plain(one.tokens),
                "utilisation": plain(one.utilisation or 0),
                "amount": plain(one.crossing.amount),
            }
            for one in found.break_evens
        ],
    }


def _node_hour(given: Given, hour: datetime) -> NodeHour:
    held = {(one["tenant"], NODE_CARD): one["gpus"] * MS_PER_HOUR for one in given["held"]}
    served = given.get("served", {})
    tokens = {
        (one["tenant"], one["model"]): Tokens(input=one.get("input", 0), output=one.get("output", 0))
        for one in served.get(str((hour - given["from"]) // timedelta(hours=1)), ())
    }
    capacity_ms = given["gpus"] * MS_PER_HOUR
    return NodeHour(
        node="node",
        hour_at=hour,
        capacity_ms={NODE_CARD: capacity_ms},
        held_ms=held,
        energy_mj={"": given["energy_mj_an_hour"]},
        metered_ms={"": capacity_ms},
        tokens=tokens,
    )


def _use(row: UseCost) -> dict[str, str]:
    return {
        "use": " ".join(filter(None, (row.use.kind, row.use.tenant, row.use.model))),
        "gpu_hours": plain(Fraction(row.gpu_ms, MS_PER_HOUR)),
        "gpu": plain(row.gpu_cost),
        "energy": plain(row.energy_cost or 0),
        "overhead": plain(row.overhead_cost),
        "co2e_g": plain(row.carbon_g or 0),
    }


def _gpu_and_energy(rows: list[UseCost]) -> Decimal:
    return exact_sum(amount for row in rows for amount in (row.gpu_cost, row.energy_cost or Decimal(0)))


def _window(given: Given) -> RatingWindow:
    version = PriceVersion(
        "v1",
        given["from"],
        token_prices={
            (model, TokenClass(name)): Decimal(price)
            for model, prices in given["per_mtok"].items()
            for name, price in prices.items()
        },
        gpu_prices={card: Decimal(price) for card, price in given.get("per_gpu_hour", {}).items()},
    )
    return RatingWindow("USD", "UTC", given["from"], given["to"], given["to"], (version,))


def _used(given: Given, window: RatingWindow) -> tuple[Used, ...]:
    return tuple(
        Used("d", one["model"], one["class"], "A", window.from_at, window.to_at, one["tokens"])
        for one in given["usage"]
    )


KINDS: dict[str, Callable[[Given], Gives]] = {
    function.__name__: function for function in (cluster_day, losing_days, price_rise, bay_or_pump)
}
