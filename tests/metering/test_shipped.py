"""The last numbers of a node's meters, kept small."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.shipped import meter_digest, read_shipped, write_shipped
from tests.examples import examples
from tests.metering.fleet import energy, meter


@settings(max_examples=examples(25))
@given(st.dictionaries(st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1)))
def test_what_is_written_is_read(shipped: dict[int, int]) -> None:
    assert read_shipped(write_shipped(shipped)) == shipped


def test_nothing_stored_is_nothing_shipped() -> None:
    assert read_shipped(b"") == {}


def test_a_nodes_usual_meters_take_little_room() -> None:
    shipped = {
        meter_digest(meter(quantity, model=f"model-{number}")): 8_640
        for number in range(20)
        for quantity in ("input", "output", "cached_input", "cache_write", "reasoning", "requests")
    }
    assert len(shipped) == 120
    assert len(write_shipped(shipped)) < 1_600


def test_meters_that_differ_in_anything_have_other_digests() -> None:
    keys = [
        meter(),
        meter("input"),
        meter(model="other"),
        meter(url="http://127.0.0.1:8001"),
        meter(labels={"a": "b"}),
        meter(labels={"a": "c"}),
        meter(labels={"a": "b", "c": "d"}),
        energy("GPU-1"),
    ]
    assert len({meter_digest(key) for key in keys}) == len(keys)
    assert meter_digest(meter(labels={"a": "1", "b": "2"})) == meter_digest(meter(labels={"b": "2", "a": "1"}))
