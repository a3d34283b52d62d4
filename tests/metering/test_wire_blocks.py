"""Version 2 of the wire says what version 1 says, in far fewer bytes, and names the place of what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import wire
from metering.wire_blocks import pack
from tests.metering import batches

if TYPE_CHECKING:
    from collections.abc import Sequence

MS = 1_795_000_000_000


def readings(columns: Sequence[wire.RegisterColumn]) -> list[tuple[Any, ...]]:
    """Every reading by its meter and number, with all that is said of it."""
    return sorted(
        (repr(wire.meter_identity(one.meter)), one.first_seq + at, one.epoch, one.epoch_started_ms, value, at_ms)
        for one in columns
        for at, (value, at_ms) in enumerate(zip(one.values, one.read_at_ms, strict=True))
    )


def again(batch: wire.Batch) -> wire.Batch:
    return wire.decode_batch(wire.encode_batch(batch), "zstd")


@st.composite
def columns_of_a_batch(draw: st.DrawFn) -> list[wire.RegisterColumn]:
    """Meters in one to three epochs, read at some of a few common instants, values that may fall."""
    columns = []
    for name in draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)):
        seq, at = draw(st.integers(1, 2**62)), 0
        for epoch in range(draw(st.integers(1, 3))):
            count = draw(st.integers(1, 4))
            values = draw(st.lists(st.integers(0, wire.VALUE_MAX), min_size=count, max_size=count))
            times = [MS + 10_000 * (at + tick) for tick in range(count)]
            meter = batches.meter(model=name, labels={} if name < "c" else {"tenant": name})
            started_ms = MS if epoch else None
            columns.append(
                batches.column(
                    values,
                    meter=meter,
                    first_seq=seq,
                    read_at_ms=times,
                    epoch=f"{name}-{epoch}",
                    epoch_started_ms=started_ms,
                    epoch_proof="created" if epoch else "none",
                )
            )
            seq, at = seq + count, at + draw(st.sampled_from([0, count]))
    return columns


@given(columns_of_a_batch())
@settings(max_examples=80)
def test_every_reading_comes_back(columns: list[wire.RegisterColumn]) -> None:
    batch = batches.batch(registers=columns, version=2)
    found = again(batch)
    assert readings(found.registers) == readings(columns)
    assert msgspec.structs.replace(found, registers=[]) == msgspec.structs.replace(batch, registers=[])
    # What came back has no falls, and comes back as it is.
    assert again(found) == found


def test_what_was_read_at_the_same_instants_is_one_block_and_a_meter_twice_is_two() -> None:
    columns = [
        batches.column([1, 2]),
        batches.column([5, 6], meter=batches.meter("output")),
        batches.column([0, 3], first_seq=3, epoch="e2"),
        batches.column([9, 9], first_seq=3, epoch="e2", meter=batches.meter("output")),
    ]
    packed = pack(batches.batch(registers=columns, version=2))
    assert [(block.meters.quantity, block.rises) for block in packed.registers] == [
        (["input", "output"], [[1, 5], [1, 1]]),
        (["input", "output"], [[0, 9], [3, 0]]),
    ]


def test_gauges_keep_their_unknown_values_and_share_their_instants() -> None:
    other = batches.gauge([1, 2], quantity="power_mw")
    late = batches.gauge([7], accelerator="GPU-2")
    batch = batches.batch(version=2, gauges=[batches.gauge([98, None]), other, late])
    assert len(pack(batch).gauges) == 2
    assert again(batch).gauges == batch.gauges


def test_empty_lists_take_no_byte() -> None:
    batch = batches.batch(version=2, registers=[], gauges=[], outcomes=[], accelerators=[], endpoints=[])
    text = wire.inflate(wire.encode_batch(batch), "zstd")
    assert b"[" not in text
    assert again(batch) == batch


def test_evenly_rising_registers_take_less_than_half_of_version_1() -> None:
    columns = [
        batches.column(
            [83 * number * tick for tick in range(500, 508)], meter=batches.meter(model=f"m-{number}"), first_seq=501
        )
        for number in range(120)
    ]
    sizes = {version: len(wire.encode_batch(batches.batch(registers=columns, version=version))) for version in (1, 2)}
    assert sizes[2] * 2 < sizes[1]


def as_json(**changes: object) -> dict[str, Any]:
    columns = [batches.column([10, 20]), batches.column([1, 1], meter=batches.meter("output"))]
    whole: dict[str, Any] = msgspec.to_builtins(pack(batches.batch(version=2, registers=columns)))
    return {**whole, **changes}


def test_the_place_of_what_does_not_fit_is_named_in_the_blocks() -> None:
    def refused_at(whole: dict[str, Any]) -> tuple[str, str]:
        with pytest.raises(wire.BatchMalformed) as refused:
            wire.decode_batch(zstandard.ZstdCompressor().compress(msgspec.json.encode(whole)), "zstd")
        return refused.value.where, refused.value.what

    whole = as_json()
    (block,) = whole["registers"]
    assert refused_at({**whole, "registers": [{**block, "rises": [[10, 1], [10]]}]}) == (
        "$.registers[0].rises[1]",
        "1 entries",
    )
    assert refused_at({**whole, "registers": [{**block, "life": [0, 4]}]}) == ("$.registers[0].life[1]", "4")
    places = {**block["meters"], "place": [0, 7]}
    assert refused_at({**whole, "registers": [{**block, "meters": places}]}) == (
        "$.registers[0].meters.place[1]",
        "7",
    )
    wrong = {**block["meters"], "quantity": ["input", "energy_mj"]}
    assert refused_at({**whole, "registers": [block, {**block, "meters": wrong}]}) == (
        "$.registers[1], its number 0.first_seq",
        "1",
    )
    assert refused_at({**whole, "registers": [{**block, "meters": wrong}]}) == (
        "$.registers[0], its number 1.meter",
        "an endpoint's meter",
    )
    twice = whole["gauges"] * 2
    assert refused_at({**whole, "gauges": twice}) == ("$.gauges[1], its number 0", "the same gauge twice")
    assert refused_at({**whole, "surprise": 1})[0] == "$"
    assert refused_at({**whole, "boot_id": "a\0b"}) == ("$.boot_id", "a NUL character")


def test_a_batch_of_two_versions_is_refused() -> None:
    text = msgspec.json.encode(batches.batch())
    for changed in (
        text.replace(b'{"version":1,', b'{"version":1,"version":2,'),
        text.replace(b'{"version":1,', b'{"version":2,'),
        text.replace(b'{"version":1,', b"{"),
        text.replace(b'{"version":1,', b'{ "version":3,'),
    ):
        with pytest.raises(wire.BatchMalformed):
            wire.decode_batch(zstandard.ZstdCompressor().compress(changed), "zstd")


def test_the_version_may_stand_anywhere() -> None:
    whole = as_json()
    version = whole.pop("version")
    text = msgspec.json.encode({**whole, "version": version})
    assert wire.decode_batch(zstandard.ZstdCompressor().compress(text), "zstd").version == 2
    assert wire.wire_version(text) == 2
