"""Reading a batch quickly: what it says is what the thorough reader says, and it says nothing of what that refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import received, wire
from metering.received import Head, Readings, head_of, read_received, readings_of
from metering.wire_blocks import BlockBatch, MeterTable, RegisterBlock, pack
from tests.examples import examples
from tests.metering import batches

MS = 1_795_000_000_000


def text_of(batch: wire.Batch) -> bytes:
    return msgspec.json.encode(pack(batch) if batch.version == 2 else batch)


def thorough(text: bytes) -> wire.Batch | None:
    try:
        return wire.decode_batch(zstandard.compress(text), "zstd")
    except (wire.BatchMalformed, wire.BatchTooLarge):
        return None


@pytest.mark.parametrize(
    ("batch", "whole", "part", "column"),
    [
        (wire.Batch, received._Received, received._Column, wire.RegisterColumn),
        (BlockBatch, received._ReceivedBlocks, received._Block, RegisterBlock),
    ],
)
def test_it_has_the_fields_of_the_wire(batch: Any, whole: Any, part: Any, column: Any) -> None:
    quick = {field.name: field for field in msgspec.structs.fields(whole)}
    for field in msgspec.structs.fields(batch):
        assert field.name in quick
        if field.name not in {"registers", "version"}:
            assert quick.pop(field.name).type == field.type
    assert list(quick) == ["version", "registers"]
    columns = {field.name: field.type for field in msgspec.structs.fields(part)}
    for field in msgspec.structs.fields(column):
        found = columns.pop(field.name)
        assert found in (field.type, msgspec.Raw, MeterTable)
    assert not columns


def plain(one: Readings) -> Readings:
    """The same with the values of a block added up."""
    return msgspec.structs.replace(one, told=list(one.values), index=-1)


def read(text: bytes) -> tuple[Head, list[Any]] | None:
    """What the quick reader says, with values that can be compared."""
    found = read_received(text)
    return found and (found[0], [plain(each) for each in found[1]])


@settings(max_examples=examples(25))
@given(
    st.sampled_from([1, 2]),
    st.lists(
        st.tuples(
            st.sampled_from(["input", "output", "requests"]),
            st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4),
            st.sampled_from([0, 7]),
            st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        ),
        max_size=5,
    ),
)
def test_a_batch_that_is_taken_is_read_the_same_by_both(
    version: wire.WireVersion,
    columns: list[tuple[Any, list[int], int, dict[str, str]]],
) -> None:
    made = [
        batches.column(values, meter=batches.meter(quantity, labels=labels), read_at_ms=[MS + shift] * len(values))
        for quantity, values, shift, labels in columns
    ]
    text = text_of(batches.batch(registers=made, version=version))
    batch = thorough(text)
    assert read(text) == (None if batch is None else (head_of(batch), readings_of(batch)))


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
        {"version": 3},
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


def blocks(**changes: Any) -> dict[str, Any]:
    """Two meters at two instants in version 2, as JSON, with another value at each of these paths."""
    made = [batches.column([10, 20]), batches.column([1, 1], meter=batches.meter("output"))]
    whole: dict[str, Any] = msgspec.json.decode(text_of(batches.batch(registers=made, version=2)))
    for path, value in changes.items():
        *way, last = path.split("__")
        at = whole["gauges"][0] if way[:1] == ["gauge"] else whole["registers"][0]
        for name in way:
            at = at if name == "gauge" else at[name]
        at[last] = value
    return whole


@pytest.mark.parametrize(
    "change",
    [
        {"read_at_ms": []},
        {"read_at_ms": [MS]},
        {"read_at_ms": [MS, -1]},
        {"read_at_ms": [wire.INSTANT_MS_MAX, 1]},
        {"rises": []},
        {"rises": [[10, 1]]},
        {"rises": [[10, 1], [10]]},
        {"rises": [[10, 1], [10, -1]]},
        {"rises": [[10, 1], [10, 2**63 - 1]]},
        {"rises": [[2**63 - 1, 1], [1, 1]]},
        {"life": [0]},
        {"life": [0, 1]},
        {"life": [0, -1]},
        {"lives": []},
        {"lives": [{"epoch": ""}]},
        {"lives": [{"epoch": "e", "started_ms": MS}]},
        {"first_seq": [1]},
        {"first_seq": [1, 0]},
        {"first_seq": [1, 2**63 - 2]},
        {"meters__place": [0]},
        {"meters__place": []},
        {"meters__place": [0, 1]},
        {"meters__model": ["m"]},
        {"meters__quantity": ["input", "hope"]},
        {"meters__quantity": ["input", "energy_mj"]},
        {"meters__labels": [{}]},
        {"meters__places": []},
        {"meters__surprise": 1},
        {"surprise": 1},
        {"gauge__values": [[98]]},
        {"gauge__values": []},
        {"gauge__accelerator": []},
        {"gauge__read_at_ms": [wire.INSTANT_MS_MAX, 1]},
    ],
)
def test_a_block_that_does_not_fit_itself_is_refused_by_both(change: dict[str, Any]) -> None:
    text = msgspec.json.encode(blocks(**change))
    assert thorough(text) is None
    assert read_received(text) is None
    assert read_received(msgspec.json.encode(blocks())) is not None


def test_values_of_a_block_are_added_up_when_they_are_asked_for() -> None:
    found = read_received(msgspec.json.encode(blocks()))
    assert found is not None
    values = found[1][0].values
    assert (len(values), list(values), values[1], values[:1]) == (2, [10, 20], 20, [10])
