"""Reading a batch quickly: what it says is what the thorough reader says, and it says nothing of what that refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from metering import received, wire
from metering.received import head_of, read_received, readings_of
from tests.metering import batches

MS = 1_795_000_000_000


def text_of(batch: wire.Batch) -> bytes:
    return msgspec.json.encode(batch)


def thorough(text: bytes) -> wire.Batch | None:
    try:
        return wire.decode_batch(zstandard.compress(text), "zstd")
    except (wire.BatchMalformed, wire.BatchTooLarge):
        return None


def test_it_has_the_fields_of_the_wire() -> None:
    quick = {field.name: field for field in msgspec.structs.fields(received._Received)}
    for field in msgspec.structs.fields(wire.Batch):
        assert field.name in quick
        if field.name != "registers":
            assert quick.pop(field.name).type == field.type
    assert list(quick) == ["registers"]
    columns = {field.name: field.type for field in msgspec.structs.fields(received._Column)}
    for field in msgspec.structs.fields(wire.RegisterColumn):
        found = columns.pop(field.name)
        assert found in (field.type, msgspec.Raw)
    assert not columns


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["input", "output", "requests"]),
            st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4),
            st.sampled_from([0, 7]),
            st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        ),
        max_size=5,
    )
)
def test_a_batch_that_is_taken_is_read_the_same_by_both(
    columns: list[tuple[Any, list[int], int, dict[str, str]]],
) -> None:
    made = [
        batches.column(values, meter=batches.meter(quantity, labels=labels), read_at_ms=[MS + shift] * len(values))
        for quantity, values, shift, labels in columns
    ]
    text = text_of(batches.batch(registers=made))
    batch = thorough(text)
    assert read_received(text) == (None if batch is None else (head_of(batch), readings_of(batch)))


@pytest.mark.parametrize(
    "change",
    [
        {"registers": [batches.column([1, 2], read_at_ms=[MS])]},
        {"registers": [batches.column([1, 2], read_at_ms=[MS + 1, MS])]},
        {"registers": [batches.column([1], read_at_ms=[-1])]},
        {"registers": [batches.column([])]},
        {"registers": [batches.column([-1])]},
        {"registers": [batches.column([2**63])]},
        {"registers": [batches.column([1], first_seq=0)]},
        {"registers": [batches.column([1], first_seq=2**63 - 1)]},
        {"registers": [batches.column([1]), batches.column([1], first_seq=3)]},
        {"registers": [batches.column([1], epoch_started_ms=MS)]},
        {"registers": [batches.column([1], epoch_proof="hope")]},
        {"registers": [batches.column([1], meter=batches.meter("energy_mj"))]},
        {"registers": [batches.column([1], meter=batches.meter(engine=""))]},
        {"registers": [batches.column([1], meter=batches.meter(subject_id="\0"))]},
        {"registers": [batches.column([1], meter=batches.meter(subject_id="x" * 513))]},
        {"registers": [batches.column([1] * 25_001), batches.column([1] * 25_000, meter=batches.meter("output"))]},
        {"gauges": [batches.gauge(), batches.gauge()]},
        {"gauges": [batches.gauge([1], read_at_ms=[])]},
        {"version": 2},
        {"seq": 0},
        {"prev_hash": "x"},
    ],
)
def test_what_the_thorough_reader_refuses_is_not_read(change: dict[str, Any]) -> None:
    text = text_of(batches.batch(**change))
    assert thorough(text) is None
    assert read_received(text) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"version":1', b"[" * 100_000])
def test_what_is_no_batch_is_not_read(text: bytes) -> None:
    assert read_received(text) is None


def test_a_meter_that_is_wrong_is_wrong_again() -> None:
    text = text_of(batches.batch(registers=[batches.column([1], meter=batches.meter(engine=""))]))
    assert read_received(text) is None
    assert read_received(text) is None


def test_a_field_that_nobody_knows_is_not_read() -> None:
    for place in ("batch", "column", "meter"):
        whole = msgspec.json.decode(text_of(batches.batch()))
        {"batch": whole, "column": whole["registers"][0], "meter": whole["registers"][0]["meter"]}[place]["extra"] = 1
        assert read_received(msgspec.json.encode(whole)) is None
