"""Cost beside price in words: a loss is marked, and the unknown is a dash."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from billing.pages.price_cost_words import price_cost_lines
from billing.queries.margin import Figures
from billing.queries.price_costs import PriceCost

NOW = datetime(2026, 3, 31, 5, tzinfo=UTC)
LINK = "/p/margin/sample/model/?from=2026-03-01&to=2026-03-30&currency=USD"


def figures(revenue: str, cost: str | None) -> Figures:
    costed = 3_600_000 if cost is not None else 0
    return Figures(
        revenue=Decimal(revenue),
        gpu_cost=Decimal(cost or 0),
        gpu_ms=3_600_000,
        costed_ms=costed,
        input_tokens=2_000_000,
    )


def test_a_model_that_sells_below_cost_at_the_announced_price_is_marked() -> None:
    row = PriceCost("sample/model", True, figures("10", "4"), Fraction(-7))
    [line] = price_cost_lines([row], "USD", "en_GB", NOW)
    assert (line.model, line.unit, line.url) == ("sample/model", "1M tokens", LINK)
    assert (line.price, line.cost, line.margin.text, line.margin.tone) == ("$5.00", "$2.00", "+60.0%", "good")
    assert line.margin_after is not None
    assert (line.price_after, line.margin_after.tone) == ("$1.50", "bad")
    assert line.effect == f"{chr(0x2212)}$7.00"


def test_a_thin_margin_is_a_warning_and_nothing_announced_says_nothing() -> None:
    [line] = price_cost_lines([PriceCost("H100", False, figures("100", "96"), None)], "USD", "en_GB", NOW)
    assert (line.unit, line.margin.tone) == ("GPU-hour", "warn")
    assert (line.price_after, line.margin_after, line.effect) == ("", None, "")


def test_an_unknown_cost_is_a_dash() -> None:
    [line] = price_cost_lines([PriceCost("H100", False, figures("100", None), Fraction(0))], "USD", "en_GB", NOW)
    assert (line.cost, line.margin.text, line.margin.tone, line.effect) == ("–", "–", "", "")


def test_many_times_the_income_is_said_in_times() -> None:
    [line] = price_cost_lines([PriceCost("H100", False, figures("0.01", "65"), None)], "USD", "en_GB", NOW)
    assert (line.margin.text, line.margin.tone) == ("cost is 6,500× income", "bad")
