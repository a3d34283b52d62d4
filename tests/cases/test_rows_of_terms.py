"""Every term that a contract can hold, and every choice within it, has a worked case that is printed for people."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest

from billing.rating.kinds import KINDS
from billing.rating.share_words import ExclusionRule, InterruptedStreams, OutsideTolerance, ShareBase
from billing.rating.share_words import Shortfall as GuaranteeShortfall
from tests.cases.load import load_cases
from tests.cases.render import RATING

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = {case.name: case for case in load_cases()}
PAGES = "".join(page.read_text(encoding="utf-8") for page in RATING)

ROWS = {
    "lease by the GPU-hour, in arrears": "t_lease_arrears_by_the_second",
    "lease in advance": "t_lease_in_advance",
    "lease at a flat amount per period": "t_lease_flat_per_period",
    "lease at a flat amount per day": "t_lease_flat_per_day",
    "deposit": "t_lease_deposit_taken_and_returned",
    "auto-renewal": "t_lease_auto_renewed_at_the_locked_price",
    "expiry": "t_lease_expired",
    "early end: none": "t_lease_early_end_none",
    "early end: notice": "t_lease_early_end_notice",
    "early end: share of the remainder": "t_lease_early_end_share_of_remainder",
    "early end: minimum term": "t_lease_early_end_minimum_term",
    "holdover": "t_lease_held_over",
    "extension": "t_lease_extended_at_the_price_in_force",
    "on demand by the second, minimum": "t_on_demand_per_second",
    "states that bill": "t_on_demand_states",
    "storage": "t_storage_gb_months",
    "spot, notice kept": "t_spot_notice_kept",
    "spot, notice not kept": "t_spot_notice_not_kept",
    "availability ladder": "t_availability_below_95",
    "graduated tiers": "g29_graduated_tiers_and_a_late_million",
    "volume tiers": "t_token_price_volume",
    "tiers by year": "t_token_price_tiers_of_a_year",
    "tiers of a life": "t_token_price_tiers_of_a_life",
    "length of requests": "g15_whole_request_at_its_tier",
    "multipliers and off-peak": "t_token_price_multipliers",
    "request, image, second, step": "t_token_price_other_quantities",
    "allowance": "t_token_price_allowance",
    "package": "t_token_price_package",
    "commitment per period, lost": "t_commitment_lost",
    "commitment, recoupable": "t_commitment_recoupable",
    "commitment, carried": "t_commitment_carried",
    "commitment per year": "t_commitment_year",
    "commitment amended": "t_commitment_span_amended",
    "credit by priority, expiry and scope": "t_credit_drawn_in_order",
    "hard stop": "t_credit_hard_stop",
    "discount": "t_discount_percent_and_amount",
    "coupon": "t_discount_coupon",
    "discount amended": "t_discount_amended",
    "share of list price": "g32_share_of_a_trace",
    "share of a transfer price": "t_share_base_transfer_price",
    "share of certified revenue": "t_share_base_certified_revenue",
    "exclusions": "t_share_exclusions",
    "share by model and class": "t_share_by_model_and_class",
    "marginal tiers of a share": "t_share_tiers_marginal",
    "whole tiers of a share": "t_share_tiers_whole",
    "reset with the contract year": "t_share_tiers_of_a_contract_year",
    "schedule that declines": "t_share_schedule",
    "guarantee, prorated by availability": "g24_guarantee_and_downtime",
    "guarantee per quarter": "t_share_guarantee_per_quarter",
    "guarantee per month of the term": "t_share_guarantee_months_of_the_term",
    "guarantee carried": "t_share_guarantee_carried",
    "cap": "t_share_cap",
    "natural breakpoint": "g23_rent_and_natural_breakpoint",
    "agreed breakpoint": "t_share_hybrid_agreed_breakpoint",
    "rent credited": "t_share_hybrid_credited",
    "outside the tolerance: the lower": "t_share_witnesses_lower",
    "outside the tolerance: the engine": "t_share_witnesses_engine",
    "outside the tolerance: hold and ask": "t_share_witnesses_hold",
    "interrupted, as measured": "t_share_interrupted_as_measured",
    "interrupted, as delivered": "t_share_interrupted_as_delivered",
    "interrupted, not billed": "t_share_interrupted_not_billed",
    "late report": "t_share_late_report",
    "audit": "t_share_audit",
    "reserve": "t_share_reserve",
    "settlement, collected by the operator": "t_share_collected_by_the_operator",
    "price lock": "t_price_rule_lock",
    "cap on rises": "t_price_rule_cap",
    "float": "t_price_rule_float",
}
"""What can be agreed, and the case that works it out."""


@pytest.mark.parametrize("row", ROWS)
def test_what_can_be_agreed_has_a_worked_case(row: str) -> None:
    case = CASES[ROWS[row]]
    assert case.gives


def test_every_case_of_a_term_is_a_row_or_one_more_of_its_kind() -> None:
    kinds = {name.split("_")[1] for name in CASES if name.startswith("t_")} - {"economics"}
    assert kinds == {name.split("_")[1] for name in ROWS.values() if name.startswith("t_")}
    assert all(f"### {CASES[name].title}\n" in PAGES for name in ROWS.values() if name.startswith("t_"))


BY_THE_RUNNER = {
    "witness",
    "accelerator_model",
    "refs",
    *(f"price_per_{unit}" for unit in ("request", "image", "second", "step")),
}
"""Fields that a case leaves to what runs it, and units of which `price_per_mtok` stands for all."""


def _said(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _said(each)
    elif isinstance(value, list):
        for each in value:
            yield from _said(each)
    else:
        yield str(value)


SAID = {word for case in CASES.values() for word in _said(case.given)}


@pytest.mark.parametrize(
    "choices", [ExclusionRule, InterruptedStreams, OutsideTolerance, ShareBase, GuaranteeShortfall]
)
def test_every_choice_of_a_share_is_made_in_some_case(choices: type[StrEnum]) -> None:
    defaults = {"list_price", "as_measured", "bill_witness", "owed"}
    assert {each.value for each in choices} - SAID <= defaults


@pytest.mark.parametrize("kind", [str(kind) for kind in KINDS if str(kind) != "debit"])
def test_every_field_of_a_wording_is_said_in_some_case(kind: str) -> None:
    wording = next(each.wording for name, each in KINDS.items() if str(name) == kind)
    assert set(_fields(wording)) - SAID - BY_THE_RUNNER == set()


def _fields(struct: Any) -> Iterator[str]:
    for field in msgspec.structs.fields(struct):
        yield field.encode_name
        for part in (field.type, *get_args(field.type)):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from _fields(part)
