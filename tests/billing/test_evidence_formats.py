"""Evidence of earlier formats is read as the present one, and nothing that was sealed changes."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from billing.evidence_formats import (
    FORMAT,
    FORMAT_WITHOUT_DIVIDING,
    FORMAT_WITHOUT_SHARES_DIVIDED,
    FORMAT_WITHOUT_TIERS,
    FORMAT_WITHOUT_WORDINGS,
    present,
)
from billing.evidence_terms import read_term, read_version
from billing.rating.dividing import DIVIDED
from billing.rating.kinds import kind_of
from billing.rating.lease_wording import LeaseWording
from billing.rating.rated import TermKind
from billing.rating.share_wording import TokenShareWording

FROM, TO = "2026-03-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00"
HOLD = {"slice": "s1", "card": "c1", "model": "sample-card", "share_permille": 1000, "from_at": FROM, "to_at": None}


def lease(ref: str, rate: str | None, *holds: dict[str, Any]) -> dict[str, Any]:
    return {"ref": ref, "title": "Leased", "rate_per_gpu_hour": rate, "holds": list(holds)}


def oldest() -> dict[str, Any]:
    """A document as it was sealed before long requests had prices of their own."""
    return {
        "format": FORMAT_WITHOUT_TIERS,
        "contract": {"number": "C-1", "version": 7},
        "period": {"from_at": FROM, "to_at": TO},
        "price_versions": [
            {
                "id": "v1",
                "number": 1,
                "effective_at": FROM,
                "per_mtok": [{"model": "sample", "class": "output", "price": "4"}],
                "per_gpu_hour": {},
            }
        ],
        "leases": [lease("L-1", "2.35", HOLD), lease("L-2", None, HOLD), lease("L-3", "1")],
        "token_shares": [
            {
                "ref": "S-1",
                "title": "Shared",
                "share_percent": "30",
                "collected_by": "tenant",
                "witness": "engine",
                "usage": [["d1", "sample", "output", "A", FROM, TO, "1000"]],
            }
        ],
        "lines": [{"term": ref, "sublines": [{"amount": "1"}]} for ref in ("L-1", "L-2", "S-1")],
    }


def test_the_oldest_is_read_as_the_present_one_and_stays_as_it_was() -> None:
    document = oldest()
    before = copy.deepcopy(document)
    found = present(document)
    assert document == before
    assert found["format"] == FORMAT
    assert [term["ref"] for term in found["terms"]] == ["L-1", "L-2", "L-3", "S-1"]
    assert (found["facts"], found["carries"]) == ([], [])
    assert found["period"] == {"from_at": FROM, "to_at": TO, "whole_seconds": None}


def test_a_lease_of_then_is_a_term_with_one_wording_over_the_period() -> None:
    fixed, booked, empty = (read_term(term) for term in present(oldest())["terms"][:3])
    [stretch] = fixed.stretches
    assert (stretch.contract_version, stretch.from_at.isoformat(), stretch.to_at.isoformat()) == (7, FROM, TO)
    assert stretch.wording == LeaseWording(accelerator_model="sample-card", price_per_gpu_hour=Decimal("2.35"))
    assert booked.stretches[0].wording.price_per_gpu_hour is None
    assert empty.stretches[0].wording.accelerator_model == ""
    assert [hold.slice_ref for hold in fixed.holds] == ["s1"]
    assert not fixed.usage


def test_a_share_of_then_has_its_witness_and_usage_of_the_base_tier_without_marks() -> None:
    share = read_term(present(oldest())["terms"][3])
    assert kind_of(share) is TermKind.TOKEN_SHARE
    wording = share.stretches[0].wording
    assert isinstance(wording, TokenShareWording)
    assert (wording.share_percent, str(wording.witness), str(wording.collected_by)) == (Decimal(30), "engine", "tenant")
    [used] = share.usage
    assert (used.count, used.context_over, used.marks) == (1000, 0, "")


def test_lines_learn_the_rule_that_their_term_had() -> None:
    assert [(line["term"], line["rule"]) for line in present(oldest())["lines"]] == [
        ("L-1", "lease_fixed_rate"),
        ("L-2", "lease_book_rate"),
        ("S-1", "token_share_list_price"),
    ]


def test_without_tiers_every_price_usage_and_line_is_of_the_base_tier() -> None:
    found = present(oldest())
    version = read_version(found["price_versions"][0])
    assert not version.tier_prices
    assert [int(price) for price in version.token_prices.values()] == [4]
    assert [line["sublines"] for line in found["lines"]] == [[{"amount": "1", "context_over": 0}]] * 3


def test_the_middle_format_keeps_its_tiers() -> None:
    document = oldest()
    document["format"] = FORMAT_WITHOUT_WORDINGS
    document["price_versions"][0]["per_mtok"][0]["context_over"] = 200_000
    document["token_shares"][0]["usage"][0].append(200_000)
    found = present(document)
    assert list(read_version(found["price_versions"][0]).tier_prices) == [("sample", "output", 200_000)]
    assert read_term(found["terms"][3]).usage[0].context_over == 200_000


def test_the_present_format_is_left_alone_however_often_it_is_read() -> None:
    found = present(oldest())
    assert present(found) is found


def test_before_discounts_divided_they_did_not_in_the_period_and_in_those_that_were_restated() -> None:
    sealed = {**present(oldest()), "format": FORMAT_WITHOUT_DIVIDING, "adjustments": [{"invoice": "S-1"}]}
    del sealed["discounts_divide"]
    found = present(sealed)
    assert found["format"] == FORMAT
    assert found["discounts_divide"] == []
    assert found["adjustments"] == [{"invoice": "S-1", "discounts_divide": []}]
    assert present(oldest())["discounts_divide"] == []


@pytest.mark.parametrize("divided", [True, False])
def test_before_shares_and_spot_were_divided_other_terms_were_if_any(*, divided: bool) -> None:
    sealed = {
        **present(oldest()),
        "format": FORMAT_WITHOUT_SHARES_DIVIDED,
        "discounts_divide": divided,
        "adjustments": [{"invoice": "S-1", "discounts_divide": not divided}],
    }
    found = present(sealed)
    kinds = ["lease", "on_demand", "storage", "token_price"]
    assert (found["format"], found["discounts_divide"]) == (FORMAT, kinds if divided else [])
    assert found["adjustments"] == [{"invoice": "S-1", "discounts_divide": [] if divided else kinds}]
    assert {*kinds, "spot", "token_share"} == {*DIVIDED}
    assert sealed["discounts_divide"] is divided


@pytest.mark.parametrize("name", ["forecourt-evidence-0", "", None])
def test_an_unknown_format_is_refused_with_those_that_are_known(name: str | None) -> None:
    with pytest.raises(ValueError, match=f"^format: found {name!r}, expected one of {FORMAT}, "):
        present({**oldest(), "format": name})
