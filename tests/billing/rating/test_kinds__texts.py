"""Every kind of term and fact has one tag, one text, and one place in rating."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from billing.rating.book import TokenClass
from billing.rating.commitment import CommitmentWording
from billing.rating.credit import CreditWording, Drawn, Grant, Granted
from billing.rating.discount import DiscountWording, Redeemed
from billing.rating.inputs import Carried, Fact, TermInput
from billing.rating.kinds import (
    ADJUSTED,
    FACTS,
    KINDS,
    kind_of,
    kind_of_wording,
    read_any_wording,
    read_fact,
    write_fact,
)
from billing.rating.lease_wording import LeaseWording
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import TermKind
from billing.rating.share_wording import TokenShareWording
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import Stretch, Wording, WrongWording, write_wording

AT = datetime(2026, 4, 1, tzinfo=UTC)
LATER = datetime(2026, 5, 1, tzinfo=UTC)
WORDINGS: tuple[Wording, ...] = (
    LeaseWording(accelerator_model="sample-card", price_per_gpu_hour=Decimal("2.35")),
    TokenShareWording(share_percent=Decimal(30), witness="gateway"),
    TokenPriceWording(witness="engine"),
    DiscountWording(percent=Decimal("12.5")),
    CommitmentWording(amount_per_period=Decimal(10)),
    CreditWording(grants=(Grant(name="first", amount=Decimal(500), from_at=AT, expires_at=LATER),)),
)


def test_the_second_stage_has_just_the_kinds_that_adjust_each_once() -> None:
    assert sorted(ADJUSTED) == sorted(kind for kind, each in KINDS.items() if each.adjust)
    assert len(set(ADJUSTED)) == len(ADJUSTED)


def test_credit_comes_last_and_commitments_after_discounts() -> None:
    order = list(ADJUSTED)
    assert order[-1] is TermKind.CREDIT
    assert order.index(TermKind.DISCOUNT) < order.index(TermKind.COMMITMENT)
    assert order.index(TermKind.AVAILABILITY) < order.index(TermKind.DISCOUNT)


def test_what_is_metered_has_cuts_and_a_witness_and_holds_no_slices() -> None:
    metered = {kind: each for kind, each in KINDS.items() if each.quantities}
    assert set(metered) == {TermKind.TOKEN_SHARE, TermKind.TOKEN_PRICE}
    assert set(metered[TermKind.TOKEN_SHARE].quantities) == set(TokenClass)
    assert set(metered[TermKind.TOKEN_PRICE].quantities) == set(QUANTITIES)
    for each in metered.values():
        assert each.cuts is not None
        assert not each.takes_slices
        assert "witness" in each.wording.__struct_fields__
    assert not [kind for kind, each in KINDS.items() if each.cuts and not each.quantities]


def test_only_a_share_of_tokens_has_lines_by_day() -> None:
    assert [kind for kind, each in KINDS.items() if each.by_day] == [TermKind.TOKEN_SHARE]


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda each: str(kind_of_wording(each)))
def test_a_wording_of_any_kind_comes_back_from_its_text(wording: Wording) -> None:
    document = write_wording(wording)
    again = read_any_wording(document)
    assert again == wording
    assert type(again) is KINDS[TermKind(document["kind"])].wording
    assert write_wording(again) == document


def test_a_term_is_of_the_kind_of_its_first_wording() -> None:
    for wording in WORDINGS:
        term = TermInput("T-1", "", AT, None, (Stretch(1, AT, LATER, wording),))
        assert KINDS[kind_of(term)].wording is type(wording)


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "barter"},
        {},
        {"kind": "discount", "percent": "10", "colour": "red"},
        {"kind": "commitment", "amount_per_period": "much"},
    ],
)
def test_a_document_that_says_nothing_known_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(WrongWording):
        read_any_wording(document)


def test_every_fact_there_is_can_be_read_and_has_a_tag_of_its_own() -> None:
    tags = [kind.__struct_config__.tag for kind in FACTS]
    assert len(set(tags)) == len(FACTS)
    kinds = [each for kind in Fact.__subclasses__() for each in (kind, *kind.__subclasses__())]
    ours = {kind for kind in kinds if kind.__module__.startswith("billing.")}
    assert ours == set(FACTS)


@pytest.mark.parametrize(
    "fact",
    [
        Carried(name="shortfall_amount", value=Decimal("0.000000000000000001")),
        Drawn(grant="first", amount=Decimal("12.34")),
        Granted(grant=Grant(name="first", amount=Decimal(5), from_at=AT, bought=True, terms=("P-1",))),
        Redeemed(code="HALF", at=AT),
    ],
)
def test_a_fact_comes_back_from_its_text_to_the_last_decimal(fact: Fact) -> None:
    document = write_fact(fact)
    assert read_fact(document) == fact
    assert write_fact(read_fact(document)) == document


def test_one_value_has_one_text_however_many_zeros_it_was_written_with() -> None:
    short, long = (Drawn(grant="first", amount=Decimal(text)) for text in ("1.5", "1.500"))
    assert write_fact(short) == write_fact(long)
    assert write_fact(short)["amount"] == "1.5"
    assert write_fact(Carried(name="n", value=Decimal("1E+3")))["value"] == "1000"


@pytest.mark.parametrize(
    "document",
    [
        {"fact": "rumour"},
        {"name": "n", "value": "1"},
        {"fact": "carried", "name": "n"},
        {"fact": "carried", "name": "n", "value": "1", "why": "so"},
        {"fact": "carried", "name": 5, "value": "1"},
    ],
)
def test_a_fact_that_is_not_said_in_full_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_fact(document)
