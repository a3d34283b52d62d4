"""Bands of requests by their length: every request in one, the largest threshold that it exceeds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.checks import EVENT_TOKENS_MAX
from metering.context_bands import CONTEXT_BANDS, band_of, tier_id
from tests.examples import examples

LENGTHS = st.integers(0, EVENT_TOKENS_MAX) | st.sampled_from(CONTEXT_BANDS).flatmap(
    lambda threshold: st.integers(max(threshold - 1, 0), threshold + 1)
)


def test_thresholds_ascend_from_nothing() -> None:
    assert CONTEXT_BANDS[0] == 0
    assert all(lower < upper for lower, upper in pairwise(CONTEXT_BANDS))


@settings(max_examples=examples(25))
@given(LENGTHS)
def test_a_request_exceeds_its_band_and_not_the_next(length: int) -> None:
    band = band_of(length)
    above = [threshold for threshold in CONTEXT_BANDS if threshold > band]
    assert band < length or band == length == 0
    assert not above or length <= above[0]


@settings(max_examples=examples(25))
@given(LENGTHS, LENGTHS)
def test_a_longer_request_is_never_in_a_lower_band(one: int, other: int) -> None:
    assert band_of(min(one, other)) <= band_of(max(one, other))


@pytest.mark.parametrize(("length", "band"), [(200_000, 128_000), (200_001, 200_000), (585_659, 512_000)])
def test_exactly_the_threshold_is_not_above_it(length: int, band: int) -> None:
    assert band_of(length) == band


def test_every_band_has_a_name_of_its_own() -> None:
    names = [tier_id(threshold) for threshold in CONTEXT_BANDS]
    assert names == ["", "over_32k", "over_128k", "over_200k", "over_256k", "over_272k", "over_512k", "over_1m"]
    assert tier_id(1_500) == "over_1500"
