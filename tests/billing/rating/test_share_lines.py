"""Rows of a share's waterfall: what is written, what is left out, and what of it is owed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec import structs

from billing.rating.rated import Carry, RatedLine, Unit
from billing.rating.share_lines import Written, percent_on_tokens, write_amount, write_rent, write_tokens
from billing.rating.share_pieces import Piece
from billing.rating.share_time import Segment, segments
from billing.rating.share_wording import TokenShareWording
from tests.billing.rating.share_made import APRIL, MAY, MTOK, april, month, term, wording

TIERS = [
    {"from_base_amount": "0", "to_base_amount": "10", "share_percent": "40"},
    {"from_base_amount": "10", "share_percent": "20"},
]


def parts_of(words: TokenShareWording | Mapping[datetime, TokenShareWording]) -> tuple[Segment, ...]:
    return segments(term(words), month())


def written_tokens(parts: tuple[Segment, ...], *pieces: Piece) -> list[RatedLine]:
    written = Written("S-1")
    write_tokens(written, parts, pieces)
    return written.lines


PIECE = Piece(
    segment=0,
    day="2026-04-01",
    deployment="d1",
    model="sample",
    token_class="output",
    version_id="v1",
    context_over=0,
    marks="",
    price_per_mtok=Decimal(3),
    mix={"A": MTOK},
    from_at=april(1, 2),
    to_at=april(1, 3),
)


def test_what_is_handed_on_is_rounded_as_a_charge_is() -> None:
    written = Written("S-1")
    written.carry("position", Fraction(2, 3))
    assert written.carries == [Carry("S-1", "position", Decimal("0.666666666666666667"))]


@pytest.mark.parametrize("nothing", [Decimal(0), Fraction(1, 10**19)])
def test_what_is_nothing_as_a_charge_is_not_handed_on(nothing: Decimal | Fraction) -> None:
    written = Written("S-1")
    written.carry("position", nothing)
    assert written.carries == []


def test_a_single_percentage_lies_on_the_tokens_themselves() -> None:
    [part] = parts_of(wording(share_percent="12.5"))
    assert percent_on_tokens(part, "sample", "output") == Decimal("12.5")


def test_tokens_are_owed_at_nothing_where_rows_of_tiers_follow() -> None:
    [part] = parts_of(wording(tiers=TIERS))
    assert percent_on_tokens(part, "sample", "output") == 0


def test_tokens_are_owed_at_nothing_where_the_base_is_certified() -> None:
    [part] = parts_of(wording(base="certified_revenue", statements={"due_days": 9}))
    assert percent_on_tokens(part, "sample", "output") == 0


def test_the_row_of_the_share_table_decides_for_its_model_only() -> None:
    [part] = parts_of(wording(share_percent="30", share_by=[{"model": "other", "tiers": TIERS}]))
    assert [percent_on_tokens(part, model, "output") for model in ("sample", "other")] == [30, 0]


def test_deployments_of_a_day_at_one_price_are_one_row_of_all_qualities() -> None:
    later = structs.replace(PIECE, deployment="d2", mix={"A": 5, "E": 7}, from_at=april(1, 8), to_at=april(1, 9))
    [line] = written_tokens(parts_of(wording()), PIECE, later)
    assert line.quantity == MTOK + 12
    assert line.quality_mix == {"A": MTOK + 5, "E": 7}
    assert (line.from_at, line.to_at) == (april(1, 2), april(1, 9))
    assert (line.unit, line.rule, line.price_version_id) == (Unit.TOKENS, "token_share_list_price", "v1")


@pytest.mark.parametrize(
    "other",
    [
        {"day": "2026-04-02"},
        {"model": "other"},
        {"token_class": "input"},
        {"version_id": "v2"},
        {"context_over": 200_000},
        {"marks": "batch"},
    ],
)
def test_what_differs_has_a_row_and_a_key_of_its_own(other: dict[str, str]) -> None:
    lines = written_tokens(parts_of(wording()), PIECE, structs.replace(PIECE, **other))
    assert len({line.line_key for line in lines}) == 2


def test_what_is_excluded_stands_in_gross_and_is_taken_off_below_it() -> None:
    gross, off = written_tokens(parts_of(wording()), structs.replace(PIECE, rule="tests"))
    assert (gross.rule, gross.exact) == ("token_share_list_price", Fraction(9, 10))
    assert (off.rule, off.exact) == ("share_excluded_tests", Fraction(-9, 10))
    assert off.quality_mix == {"A": -MTOK}


def test_what_the_witness_did_not_count_is_added_once_and_is_not_in_gross() -> None:
    [line] = written_tokens(parts_of(wording()), structs.replace(PIECE, rule="witness_engine", added=True))
    assert (line.rule, line.quantity, line.exact) == ("share_added_witness_engine", Decimal(MTOK), Fraction(9, 10))


def test_the_order_of_pieces_changes_no_row() -> None:
    parts = parts_of(wording())
    pieces = [
        PIECE,
        structs.replace(PIECE, day="2026-04-02"),
        structs.replace(PIECE, rule="tests"),
        structs.replace(PIECE, model="other"),
    ]
    assert written_tokens(parts, *pieces) == written_tokens(parts, *reversed(pieces))


def test_a_transfer_price_is_said_by_the_row() -> None:
    prices = [{"model": "sample", "token_class": name, "price_per_mtok": "3"} for name in ("input", "output")]
    [line] = written_tokens(
        parts_of(wording(base="transfer_price", transfer_prices=prices)), structs.replace(PIECE, version_id=None)
    )
    assert (line.rule, line.price_version_id) == ("token_share_transfer_price", None)


@pytest.mark.parametrize("amount", [Fraction(7), Fraction(-7)])
def test_an_amount_is_one_owed_or_one_taken_off(amount: Fraction) -> None:
    written = Written("S-1")
    [part] = parts_of(wording())
    assert write_amount(written, part, rule="share_cap", about=["x"], amount=amount) == amount
    [line] = written.lines
    assert (line.quantity, line.price.amount, line.unit) == (Decimal(1 if amount > 0 else -1), Decimal(7), Unit.AMOUNT)
    assert (line.from_at, line.to_at) == (APRIL, MAY)
    assert written.owed == amount


def test_an_amount_can_be_owed_in_part() -> None:
    written = Written("S-1")
    [part] = parts_of(wording())
    amount = Fraction(50)
    owed = write_amount(written, part, rule="share_tier", about=[], amount=amount, share_percent=Decimal(40))
    assert (owed, written.lines[0].exact_base) == (Fraction(20), Fraction(50))


@pytest.mark.parametrize("amount", [Fraction(0), Fraction(1, 10**19), Fraction(-1, 10**19)])
def test_of_an_amount_of_nothing_there_is_no_row(amount: Fraction) -> None:
    written = Written("S-1")
    assert write_amount(written, parts_of(wording())[0], rule="share_cap", about=[], amount=amount) == 0
    assert written.lines == []


def test_rent_is_of_the_seconds_of_its_segment() -> None:
    written = Written("S-1")
    first, second = parts_of({APRIL: wording(), april(11): wording(share_percent="10")})
    whole = first.seconds + second.seconds
    assert write_rent(written, first, Decimal(300), whole, "share_rent") == 100
    assert write_rent(written, second, Decimal(300), whole, "share_rent") == 200
    assert len({line.line_key for line in written.lines}) == 2
    assert {line.unit for line in written.lines} == {Unit.SECONDS}


def test_a_segment_without_seconds_has_no_rent() -> None:
    written = Written("S-1")
    [part] = parts_of(wording())
    assert write_rent(written, replace(part, to_at=part.from_at), Decimal(300), 100, "share_rent") == 0
    assert written.lines == []
