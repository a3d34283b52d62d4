"""Every contradiction of a wording is refused with its field; what is right passes."""

from typing import Any

import pytest

from billing.rating.wording import WrongWording, write_wording
from tests.billing.rating.share_made import wording

CERTIFIED = {"base": "certified_revenue", "statements": {"due_days": 21}}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"share_percent": "NaN"}, "share_percent"),
        ({"share_percent": "33.33333"}, "share_percent"),
        (
            {"tiers": [{"from_base_amount": "0", "to_base_amount": "5", "share_percent": "30"}]},
            "tiers[0].to_base_amount",
        ),
        (
            {
                "tiers": [
                    {"from_base_amount": "0", "share_percent": "30"},
                    {"from_base_amount": "7", "share_percent": "30"},
                ]
            },
            "tiers[1].from_base_amount",
        ),
        (
            {"tiers": [{"from_base_amount": "0", "share_percent": "100.5"}]},
            "tiers[0].share_percent",
        ),
        (
            {"share_by": [{"model": "m", "share_percent": "1"}, {"model": "m", "share_percent": "2"}]},
            "share_by[1].model",
        ),
        ({"share_by": [{"model": "m"}]}, "share_by[0].share_percent"),
        ({"schedule": [{"from_month": 0, "share_percent": "1"}]}, "schedule[0].from_month"),
        ({"schedule": [{"from_month": 3, "share_percent": "101"}]}, "schedule[0].share_percent"),
        ({"transfer_prices": [{"model": "m", "token_class": "output", "price_per_mtok": "1"}]}, "transfer_prices"),
        (
            {
                "base": "transfer_price",
                "transfer_prices": [{"model": "", "token_class": "output", "price_per_mtok": "1"}],
            },
            "transfer_prices[0].model",
        ),
        (
            {
                "base": "transfer_price",
                "transfer_prices": [{"model": "m", "token_class": "output", "price_per_mtok": "1e-13"}],
            },
            "transfer_prices[0].price_per_mtok",
        ),
        ({"statements": {"due_days": 21}}, "statements"),
        ({**CERTIFIED, "statements": {"due_days": 0}}, "statements.due_days"),
        ({"exclusions": [{"rule": "tests"}, {"rule": "tests"}]}, "exclusions[1].rule"),
        ({"exclusions": [{"rule": "tests", "percent": "5"}]}, "exclusions[0].percent"),
        ({"exclusions": [{"rule": "taxes", "percent": "500"}]}, "exclusions[0].percent"),
        ({"guarantee": {"amount_per_span": "0"}}, "guarantee.amount_per_span"),
        ({"cap": {"amount_per_span": "1e16"}}, "cap.amount_per_span"),
        ({"hybrid": {"rent_amount_per_span": "-1"}}, "hybrid.rent_amount_per_span"),
        (
            {"hybrid": {"rent_amount_per_span": "1", "breakpoint_base_amount_per_span": "5"}},
            "hybrid.breakpoint_base_amount_per_span",
        ),
        (
            {"hybrid": {"rent_amount_per_span": "1", "breakpoint": "agreed", "breakpoint_base_amount_per_span": "0"}},
            "hybrid.breakpoint_base_amount_per_span",
        ),
        ({"tolerance_percent": "-1"}, "tolerance_percent"),
        ({"audit_tolerance_percent": "101"}, "audit_tolerance_percent"),
        ({"reserve": {"percent": "0", "held_days": 3}}, "reserve.percent"),
        ({"settlement": {"due_days": -1}}, "settlement.due_days"),
        ({"settlement": {"cut_off_grace_hours": 10**9}}, "settlement.cut_off_grace_hours"),
        ({"witness": "nobody"}, "witness"),
        ({"guarantee": {"amount_per_span": "5", "span": "week"}}, "guarantee.span"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_field(document: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongWording) as refused:
        wording(**document)
    assert refused.value.field == field
    assert refused.value.reason


def test_a_wording_with_every_element_comes_back_as_it_was() -> None:
    words = wording(
        tiers=[
            {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
            {"from_base_amount": "100", "share_percent": "20"},
        ],
        share_by=[{"model": "m", "token_class": "input", "share_percent": "12.5"}],
        schedule=[{"from_month": 12, "share_percent": "25"}, {"from_month": 24, "share_percent": "20"}],
        **CERTIFIED,
        exclusions=[{"rule": "tests"}, {"rule": "taxes", "percent": "19"}],
        guarantee={"amount_per_span": "5000", "span": "month", "shortfall": "carried"},
        cap={"amount_per_span": "60000", "span": "year"},
        reserve={"percent": "5", "held_days": 30},
        settlement={"due_days": 15, "cut_off_grace_hours": 48, "dispute_days": 60},
    )
    assert wording(**{key: value for key, value in write_wording(words).items() if key != "kind"}) == words
