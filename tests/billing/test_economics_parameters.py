"""What callers of the economics API may ask for: what is wrong is refused with its field."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from billing.economics_parameters import (
    DAYS_MAX,
    ClusterCostSerializer,
    CompareQuerySerializer,
    MarginQuerySerializer,
    SimulatedTermsSerializer,
    WindowSerializer,
    rates_from,
)

DAYS: dict[str, Any] = {"first_day": "2026-03-01", "last_day": "2026-03-31"}
WINDOW: dict[str, Any] = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
COST: dict[str, Any] = {
    "cluster": "east",
    "effective_at": "2026-03-01T00:00:00Z",
    "currency": "usd",
    "power_price_per_kwh": "0.1",
    "pue": "1.25",
    "rent_per_month": "0",
    "overhead_per_month": "1",
    "cards": [{"model": "H100", "capex_per_gpu": "30000", "life_days": 1461}],
}


def refused(serializer: Any) -> set[str]:
    with pytest.raises(ValidationError) as wrong:
        serializer.is_valid(raise_exception=True)
    assert isinstance(wrong.value.detail, dict)
    return {str(name) for name in wrong.value.detail}


def test_margins_are_by_model_in_any_currency_unless_asked_otherwise() -> None:
    asked = MarginQuerySerializer(data=DAYS)
    asked.is_valid(raise_exception=True)
    found = asked.validated_data
    assert (found["group_by"], found["currency"], found["cluster"]) == ("model", "", "")
    assert "model" not in found
    assert found["last_day"] == date(2026, 3, 31)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"first_day": "soon"}, "first_day"),
        ({"last_day": "2026-02-28"}, "last_day"),
        ({"last_day": "2032-01-01"}, "last_day"),
        ({"group_by": "colour"}, "group_by"),
        ({"currency": "dollars"}, "currency"),
        ({"cluster": "no slug"}, "cluster"),
        ({"model": "m" * 201}, "model"),
    ],
)
def test_margins_refuse_what_cannot_be(changed: dict[str, Any], field: str) -> None:
    assert refused(MarginQuerySerializer(data={**DAYS, **changed})) == {field}
    assert DAYS_MAX == 5 * 366


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"percent": "-100.1"}, "percent"),
        ({"percent": "1000.1"}, "percent"),
        ({"percent": "NaN"}, "percent"),
        ({"from": "yesterday"}, "from"),
        ({"to": ""}, "to"),
        ({"model": ["m"] * 101}, "model"),
        ({"currency": "US"}, "currency"),
    ],
)
def test_a_window_refuses_what_cannot_be(changed: dict[str, Any], field: str) -> None:
    assert refused(WindowSerializer(data={**WINDOW, **changed})) == {field}


def test_a_window_names_its_instants_and_changes_nothing_by_itself() -> None:
    asked = WindowSerializer(data=WINDOW)
    asked.is_valid(raise_exception=True)
    assert asked.validated_data["percent"] == Decimal(0)
    assert asked.validated_data["from_at"] < asked.validated_data["to_at"]


def test_simulated_terms_take_documents_and_no_percentage() -> None:
    assert "percent" not in SimulatedTermsSerializer().fields
    assert refused(SimulatedTermsSerializer(data=WINDOW)) == {"terms"}
    assert refused(SimulatedTermsSerializer(data={**WINDOW, "terms": {"L-1": "words"}})) == {"terms"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"gpus": -1}, "gpus"),
        ({"share_percent": "0"}, "share_percent"),
        ({"share_percent": "100.1"}, "share_percent"),
        ({"price_per_gpu_hour": "-1"}, "price_per_gpu_hour"),
        ({"rent_per_month": "Infinity"}, "rent_per_month"),
    ],
)
def test_a_comparison_refuses_what_cannot_be(changed: dict[str, Any], field: str) -> None:
    assert refused(CompareQuerySerializer(data={**WINDOW, **changed})) == {field}


def test_costs_are_read_exactly_and_an_unknown_grid_stays_unknown() -> None:
    asked = ClusterCostSerializer(data=COST)
    asked.is_valid(raise_exception=True)
    rates = rates_from(asked.validated_data)
    assert (rates.currency, rates.grid_g_per_kwh, rates.power_price_per_kwh) == ("USD", None, Decimal("0.1"))
    assert rates.cards["H100"].life_days == 1461


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"power_price_per_kwh": "cheap"}, "power_price_per_kwh"),
        ({"pue": "1.23456"}, "pue"),
        ({"cards": [{"model": "H100", "capex_per_gpu": "1", "life_days": 0}]}, "cards"),
        ({"effective_at": "now"}, "effective_at"),
        ({"currency": "dollars"}, "currency"),
    ],
)
def test_costs_refuse_what_cannot_be(changed: dict[str, Any], field: str) -> None:
    assert refused(ClusterCostSerializer(data={**COST, **changed})) == {field}
