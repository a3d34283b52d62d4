"""Rows of a share's waterfall: signs, prices, what is handed on, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.share_lines import (
    RULE_TRANSFER_PRICE,
    Written,
    percent_on_tokens,
    write_rent,
    write_tokens,
)
from billing.rating.share_pieces import Piece
from billing.rating.share_time import segments
from tests.billing.rating.share_made import APRIL, april, month, term, wording
from tests.examples import examples

if TYPE_CHECKING:
    from billing.rating.share_time import Segment

TIERS = [
    {"from_base_amount": "0", "to_base_amount": "10", "share_percent": "30"},
    {"from_base_amount": "10", "share_percent": "20"},
]


def segment(**words: Any) -> Segment:
    [found] = segments(term(wording(**words)), month())
    return found


def piece(tokens: int, **more: Any) -> Piece:
    fields: dict[str, Any] = {
        "segment": 0,
        "day": "2026-04-02",
        "deployment": "d1",
        "model": "sample",
        "token_class": "output",
        "version_id": "v1",
        "context_over": 0,
        "marks": "",
        "price_per_mtok": Decimal(2),
        "mix": {"A": tokens},
        "from_at": april(2),
        "to_at": april(2, 1),
        **more,
    }
    return Piece(**fields)


def written(*pieces: Piece, part: Segment | None = None) -> Written:
    found = Written("S-1")
    write_tokens(found, [part or segment()], pieces)
    return found


def test_what_is_not_shared_is_counted_and_taken_off_again() -> None:
    gross, off = written(piece(10), piece(4, rule="tests")).lines
    assert (int(gross.quantity), int(off.quantity), off.rule) == (14, -4, "share_excluded_tests")
    assert gross.line_key != off.line_key
    assert gross.exact + off.exact == written(piece(10)).owed


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from(["", "tests", "free_tier"])), max_size=8))
def test_rows_come_to_what_is_shared_of_the_tokens_in_any_order(counts: list[tuple[int, str]]) -> None:
    pieces = [piece(tokens, rule=rule) for tokens, rule in counts]
    found = written(*pieces)
    assert found.lines == written(*reversed(pieces)).lines
    shared = sum(tokens for tokens, rule in counts if not rule)
    assert found.owed == Fraction(shared * 2 * 30, 100_000_000)
    assert len({line.line_key for line in found.lines}) == len(found.lines)


def test_a_transfer_price_names_no_version_of_a_book() -> None:
    prices = [{"model": "sample", "token_class": "output", "price_per_mtok": "2"}]
    part = segment(base="transfer_price", transfer_prices=prices)
    [line] = written(piece(10, version_id=None), part=part).lines
    assert (line.rule, line.price_version_id) == (RULE_TRANSFER_PRICE, None)


def test_tokens_owe_their_share_but_nothing_where_rows_of_tiers_below_do() -> None:
    assert percent_on_tokens(segment(share_percent="30"), "sample", "output") == 30
    tiered = segment(tiers=TIERS)
    assert percent_on_tokens(tiered, "sample", "output") == 0
    [line] = written(piece(10), part=tiered).lines
    assert line.exact == 0
    assert line.exact_base == Fraction(20, 1_000_000)


@settings(max_examples=examples(25))
@given(st.integers(1, 29), st.decimals(0, 10**9, places=4))
def test_rents_of_parts_come_to_the_rent_of_the_whole(day: int, amount: Decimal) -> None:
    found, whole = Written("S-1"), segment()
    at = APRIL + timedelta(days=day)
    parts = (replace(whole, to_at=at), replace(whole, from_at=at))
    assert sum(write_rent(found, part, amount, whole.seconds, "sample_rent") for part in parts) == Fraction(amount)
    assert found.owed == Fraction(amount)
