"""What types alone cannot say about a batch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import wire
from tests.examples import examples
from tests.metering import batches

START = 1_795_000_000_000


def refused_at(batch: wire.Batch) -> str:
    with pytest.raises(wire.BatchMalformed) as refused:
        wire.check_batch(batch)
    return refused.value.where


def too_large(batch: wire.Batch) -> str:
    with pytest.raises(wire.BatchTooLarge) as refused:
        wire.check_batch(batch)
    return refused.value.what


def test_a_whole_batch_passes() -> None:
    wire.check_batch(batches.batch())
    wire.check_batch(batches.batch(registers=[], gauges=[], outcomes=[], accelerators=[], endpoints=[]))


def test_readings_are_register_values_and_not_gauges() -> None:
    assert wire.reading_count(batches.batch(registers=[batches.column(), batches.column([1], first_seq=4)])) == 4


def test_values_and_instants_must_pair() -> None:
    assert refused_at(batches.batch(registers=[batches.column([1, 2], read_at_ms=[START])])) == (
        "$.registers[0].read_at_ms"
    )
    assert refused_at(batches.batch(gauges=[batches.gauge([1, 2], read_at_ms=[START])])) == "$.gauges[0].read_at_ms"


def test_instants_must_not_fall_and_the_first_that_does_is_named() -> None:
    instants = [START, START + 2, START + 1, START]
    assert refused_at(batches.batch(registers=[batches.column([1] * 4, read_at_ms=instants)])) == (
        "$.registers[0].read_at_ms[2]"
    )
    wire.check_batch(batches.batch(registers=[batches.column([1, 1], read_at_ms=[START, START])]))


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=30))
def test_instants_pass_exactly_when_they_are_sorted(instants: list[int]) -> None:
    batch = batches.batch(registers=[batches.column([0] * len(instants), read_at_ms=instants)])
    if instants == sorted(instants):
        wire.check_batch(batch)
    else:
        refused_at(batch)


def test_the_columns_of_one_meter_follow_each_other_without_a_gap() -> None:
    first = batches.column([1, 2], first_seq=5)
    wire.check_batch(batches.batch(registers=[first, batches.column([3], epoch="e2", first_seq=7)]))
    for wrong in (6, 8, 5):
        assert refused_at(batches.batch(registers=[first, batches.column([3], epoch="e2", first_seq=wrong)])) == (
            "$.registers[1].first_seq"
        )


def test_other_meters_have_their_own_seq() -> None:
    columns = [
        batches.column([1], first_seq=5),
        batches.column([1], first_seq=900, meter=batches.meter(labels={"engine": "1"})),
        batches.column([1], first_seq=2, meter=batches.meter("output")),
    ]
    wire.check_batch(batches.batch(registers=columns))


def test_labels_name_one_meter_in_any_order() -> None:
    one = batches.meter(labels={"a": "1", "b": "2"})
    other = batches.meter(labels={"b": "2", "a": "1"})
    assert wire.meter_identity(one) == wire.meter_identity(other)
    assert wire.meter_identity(one) != wire.meter_identity(batches.meter(labels={"a": "2", "b": "1"}))


def test_a_seq_never_reaches_2_to_the_63() -> None:
    column = batches.column([1, 2], first_seq=wire.VALUE_MAX)
    assert refused_at(batches.batch(registers=[column])) == "$.registers[0].first_seq"


@pytest.mark.parametrize(
    "meter",
    [
        batches.meter("energy_mj"),
        batches.meter(engine=""),
        batches.meter("input", subject="accelerator", engine="", model=""),
        batches.meter("energy_mj", subject="accelerator", engine="vllm", model=""),
        batches.meter("energy_mj", subject="accelerator", engine="", model="m"),
    ],
)
def test_a_meter_has_the_fields_of_its_subject(meter: wire.MeterKey) -> None:
    assert refused_at(batches.batch(registers=[batches.column(meter=meter)])) == "$.registers[0].meter"


def test_energy_belongs_to_accelerators() -> None:
    energy = batches.meter("energy_mj", subject="accelerator", subject_id="GPU-1", engine="", model="")
    wire.check_batch(batches.batch(registers=[batches.column(meter=energy)]))


def test_a_start_needs_a_proof() -> None:
    column = batches.column(epoch_started_ms=START, epoch_proof="none")
    assert refused_at(batches.batch(registers=[column])) == "$.registers[0].epoch_started_ms"
    wire.check_batch(batches.batch(registers=[batches.column(epoch_started_ms=START, epoch_proof="created")]))


def test_a_gauge_is_there_once() -> None:
    assert refused_at(batches.batch(gauges=[batches.gauge(), batches.gauge()])) == "$.gauges[1]"
    wire.check_batch(batches.batch(gauges=[batches.gauge(), batches.gauge(quantity="power_mw")]))


@pytest.mark.parametrize(
    "node", ["", "7", "{00000000-0000-0000-0000-000000000007}", "0" * 32, "ABCDEF00" + "-0000" * 3]
)
def test_a_node_is_a_canonical_uuid(node: str) -> None:
    assert refused_at(batches.batch(node=node)) == "$.node"


def test_the_first_batch_has_nothing_before_it() -> None:
    assert refused_at(batches.batch(seq=1, prev_hash="a" * 64)) == "$.prev_hash"
    wire.check_batch(batches.batch(seq=2, prev_hash="a" * 64))


def test_counts_are_bounded() -> None:
    half = wire.BATCH_READINGS_MAX // 2
    wire.check_batch(batches.batch(registers=[batches.column([1] * half)], gauges=[batches.gauge([1] * half)]))
    assert too_large(
        batches.batch(registers=[batches.column([1] * half)], gauges=[batches.gauge([1] * (half + 1))])
    ) == ("readings")
    columns = [batches.column([1], first_seq=seq) for seq in range(1, wire.BATCH_COLUMNS_MAX + 1)]
    assert too_large(batches.batch(registers=columns)) == "columns"
    outcome = wire.Outcome("spool", "", START, "spool_full", "", 1)
    assert too_large(batches.batch(outcomes=[outcome] * (wire.BATCH_OUTCOMES_MAX + 1))) == "outcomes"
    endpoint = wire.EndpointSeen("http://127.0.0.1:1", "vllm", [], None)
    assert too_large(batches.batch(endpoints=[endpoint] * (wire.ENDPOINTS_MAX + 1))) == "endpoints"
    card = wire.AcceleratorSeen("GPU-1", None, "", None, None, None, [], None)
    assert too_large(batches.batch(accelerators=[card] * (wire.ACCELERATORS_MAX + 1))) == "accelerators"
