"""Both engines agree; the long form is `python -m tests.second`."""

from __future__ import annotations

import pytest

from tests.second.__main__ import compare, compare_bills_of, compare_life, compare_stay

SEEDS = 300
LIVES = 150
PARTS = 3


@pytest.mark.parametrize("part", range(PARTS))
def test_random_contracts_come_to_the_same_by_a_second_way(part: int) -> None:
    found = {seed: compare(seed) for seed in range(part, SEEDS, PARTS)}
    assert {seed: each for seed, each in found.items() if each} == {}


def test_random_shares_come_to_the_same_over_all_their_periods() -> None:
    found = {seed: compare_life(seed) for seed in range(LIVES)}
    assert {seed: each for seed, each in found.items() if each} == {}


def test_random_bills_come_to_the_same_month_after_month() -> None:
    found = {seed: compare_bills_of(seed) for seed in range(LIVES)}
    assert {seed: each for seed, each in found.items() if each} == {}


def test_random_leases_sessions_and_ladders_come_to_the_same_month_after_month() -> None:
    found = {seed: compare_stay(seed) for seed in range(LIVES)}
    assert {seed: each for seed, each in found.items() if each} == {}
