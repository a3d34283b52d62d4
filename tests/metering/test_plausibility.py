"""What physics allows."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.physical import load_table
from metering.plausibility import Output, Place, above_energy, above_rate, busy_without_tokens, least_energy_mj
from tests.examples import examples

H100, B200, A100 = "NVIDIA H100 80GB HBM3", "NVIDIA B200", "NVIDIA A100-SXM4-80GB"
LLAMA_8B, LLAMA_70B = "meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-70B"
TABLE = load_table()


def place(tokens: int = 0, *, model: str = LLAMA_8B, **fields: Any) -> Place:
    given = {"cards": [H100], "seconds": 3_600, "outputs": [Output(model, tokens)], "energy_mj": None, **fields}
    return Place(**given)


@pytest.mark.parametrize(
    ("model", "card", "joules", "rate"),
    [
        (LLAMA_8B, H100, "0.070", 9_806),
        ("llama3.1-8b", B200, "0.047", 14_799),
        (LLAMA_70B, H100, "0.373", 1_707),
        ("openai/gpt-oss-120b", B200, "0.040", 17_766),
        ("deepseek-v3.1", H100, "0.02", 22_203),
        ("sample-model", A100, "0.02", 22_203),
    ],
)
def test_the_first_row_that_fits_counts(model: str, card: str, joules: str, rate: int) -> None:
    row = TABLE.best_of(model, card)
    assert (row.joules_per_token, row.tokens_per_gpu_s) == (Decimal(joules), rate)


def test_every_row_has_a_source_and_can_be_read() -> None:
    assert all(row.source for row in TABLE.best)
    assert all(row.source for row in TABLE.idle)
    assert TABLE.unknown_source
    for row in TABLE.best:
        assert re.compile(row.model).groups == re.compile(row.card).groups == 0
        assert row.joules_per_token >= TABLE.unknown_joules_per_token
        assert 0 < row.tokens_per_gpu_s <= TABLE.unknown_tokens_per_gpu_s
    assert len({(row.model, row.card) for row in TABLE.best}) == len(TABLE.best)


def test_output_costs_at_least_half_of_the_best_energy_known() -> None:
    assert least_energy_mj(TABLE, place(1_000_000)) == (35_000_000, TABLE.best_of(LLAMA_8B, H100).source)
    assert above_energy(TABLE, place(1_000_000, energy_mj=35_000_000)) is None
    violation = above_energy(TABLE, place(1_000_000, energy_mj=34_999_999))
    assert violation
    assert (violation.measured, violation.bound) == (35_000_000, 34_999_999)
    assert "Llama 3.1 8B" in violation.source


def test_where_cards_differ_the_thriftiest_may_have_made_it_all() -> None:
    assert least_energy_mj(TABLE, place(1_000_000, cards=[H100, B200]))[0] == 23_500_000


def test_unknown_energy_or_no_cards_prove_nothing() -> None:
    assert above_energy(TABLE, place(10**12)) is None
    assert above_energy(TABLE, place(10**12, cards=[], energy_mj=1)) is None


def test_nothing_comes_faster_than_twice_the_best_rate_known() -> None:
    most = 2 * 9_806 * 3_600
    assert above_rate(TABLE, place(most)) is None
    violation = above_rate(TABLE, place(most + 1))
    assert violation
    assert (violation.measured, violation.bound) == (most + 1, most)
    two = [Output(LLAMA_8B, most), Output(LLAMA_70B, 2 * 1_707 * 3_600)]
    assert above_rate(TABLE, place(outputs=two, cards=[H100, H100])) is None
    assert above_rate(TABLE, place(outputs=[*two, Output(LLAMA_8B, 1)], cards=[H100, H100])) is not None
    assert above_rate(TABLE, place(0)) is None


def test_cards_at_work_without_a_token_are_found() -> None:
    idle_mj, busy_mj = 132_000 * 3_600, 132_001 * 3_600
    assert busy_without_tokens(TABLE, place(cards=[A100], energy_mj=idle_mj)) is None
    violation = busy_without_tokens(TABLE, place(cards=[A100], energy_mj=busy_mj))
    assert violation
    assert (violation.measured, violation.bound) == (132_001, 132_000)
    assert busy_without_tokens(TABLE, place(1, cards=[A100], energy_mj=busy_mj)) is None
    assert busy_without_tokens(TABLE, place(cards=[A100])) is None


@settings(max_examples=examples(25))
@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 8))
def test_more_energy_and_more_cards_never_make_output_less_plausible(tokens: int, energy_mj: int, cards: int) -> None:
    fewer = place(tokens, energy_mj=energy_mj, cards=[H100] * cards)
    more = place(tokens, energy_mj=energy_mj + 1, cards=[H100] * (cards + 1))
    assert above_energy(TABLE, fewer) or not above_energy(TABLE, more)
    assert above_rate(TABLE, fewer) or not above_rate(TABLE, more)
