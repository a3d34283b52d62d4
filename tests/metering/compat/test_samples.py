"""Values and targets of samples."""

from __future__ import annotations

import struct

import pytest

from metering.compat.samples import FAULTS_KEPT_MAX, PRECISE_MAX, Series, Tally, is_stale, whole


def test_the_stale_marker_is_one_nan_of_many() -> None:
    (stale,) = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))
    assert is_stale(stale)
    assert not is_stale(float("nan"))
    assert not is_stale(1.0)


@pytest.mark.parametrize("value", [0.0, 1.0, float(PRECISE_MAX)])
def test_whole_values_are_exact(value: float) -> None:
    assert whole(value) == int(value)


@pytest.mark.parametrize("value", [-1.0, 0.5, float("nan"), float("inf"), 2.0**54])
def test_what_is_no_count_is_none(value: float) -> None:
    assert whole(value) is None


def test_integers_of_a_protocol_are_exact_beyond_what_a_float_holds() -> None:
    assert whole(2**53 + 1) == 2**53 + 1
    assert whole(2**63 - 1) == 2**63 - 1
    assert whole(2**63) is None
    assert whole(-1) is None
    assert not is_stale(2**53 + 1)


def test_a_target_is_named_by_what_is_there() -> None:
    assert Series("x", {"job": "vllm", "instance": "a:1", "cluster": "c"}, ()).target == "c/vllm/a:1"
    assert Series("x", {"instance": "a:1", "job": ""}, ()).target == "a:1"
    assert Series("x", {}, ()).target == "unnamed"


def test_a_tally_counts_all_faults_and_keeps_a_few() -> None:
    tally = Tally(accepted=1, ignored=2)
    for _ in range(FAULTS_KEPT_MAX + 5):
        tally.refuse("x" * 999, 2)
    tally.contradict("y")
    assert (tally.invalid, tally.conflicts, tally.taken) == (2 * (FAULTS_KEPT_MAX + 5), 1, 3)
    assert len(tally.faults) == FAULTS_KEPT_MAX
    assert all(len(fault) == 300 for fault in tally.faults)
