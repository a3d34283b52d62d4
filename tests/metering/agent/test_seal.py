"""Sealing: pending readings become batches that chain, once, in one transaction."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.agent.seal import INVENTORY_MS, SealContext, seal
from metering.agent.spool import GaugeEntry, RegisterEntry, Spool
from metering.wire import (
    FIRST_PREV_HASH,
    AcceleratorSeen,
    Batch,
    EndpointSeen,
    Outcome,
    batch_hash,
    decode_batch,
    reading_count,
)
from tests.metering import batches
from tests.metering.agent.test_spool import NOW, ROOMY, entry, state, store

CARD = AcceleratorSeen("GPU-1", None, "NVIDIA H100", None, None, None, [], None)
ENGINE = EndpointSeen("http://127.0.0.1:8000", "vllm", ["m"], None)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.sqlite3", ROOMY)
    yield spool
    spool.close()


def context(now_ms: int = NOW + 50, **changes: object) -> SealContext:
    fields: dict[str, object] = {
        "node": batches.NODE,
        "boot_id": "boot-1",
        "now_ms": now_ms,
        "monotonic_ms": 77,
        "accelerators": [],
        "endpoints": [],
        **changes,
    }
    return SealContext(**fields)  # type: ignore[arg-type]  # fields of one known dataclass


def sealed(spool: Spool) -> list[Batch]:
    with spool.transaction() as db:
        bodies = db.execute("SELECT body FROM batches ORDER BY seq").fetchall()
    return [decode_batch(body, "zstd") for (body,) in bodies]


def test_a_batch_holds_all_that_is_pending_in_columns(spool: Spool) -> None:
    output = batches.meter("output")
    store(spool, entry(5), entry(1, key=output), gauges=[GaugeEntry("GPU-1", "power_mw", None, NOW)])
    store(
        spool,
        entry(7, at_ms=NOW + 10),
        entry(2, key=output, at_ms=NOW + 10, epoch="e2"),
        gauges=[GaugeEntry("GPU-1", "power_mw", 9, NOW + 10)],
        outcomes=[Outcome("endpoint", "http://e", NOW, "timeout", "slow", 3)],
        at_ms=NOW + 10,
    )
    assert seal(spool, context()) == 0
    (batch,) = sealed(spool)
    assert (batch.seq, batch.prev_hash, batch.metered_to_ms) == (1, FIRST_PREV_HASH, NOW + 10)
    assert (batch.node, batch.boot_id, batch.created_at_ms, batch.monotonic_ms) == (
        batches.NODE,
        "boot-1",
        NOW + 50,
        77,
    )
    assert [(c.meter.quantity, c.epoch, c.first_seq, c.values, c.read_at_ms) for c in batch.registers] == [
        ("input", "e1", 1, [5, 7], [NOW, NOW + 10]),
        ("output", "e1", 1, [1], [NOW]),
        ("output", "e2", 2, [2], [NOW + 10]),
    ]
    assert [(c.accelerator, c.quantity, c.values) for c in batch.gauges] == [("GPU-1", "power_mw", [None, 9])]
    assert batch.outcomes == [Outcome("endpoint", "http://e", NOW, "timeout", "slow", 3)]
    fill = spool.fill()
    assert (fill.pending_readings, fill.batches) == (0, 1)


def test_batches_chain_by_hash_and_number(spool: Spool) -> None:
    for tick in range(3):
        store(spool, entry(tick, at_ms=NOW + tick), at_ms=NOW + tick)
        seal(spool, context())
    with spool.transaction() as db:
        rows = db.execute("SELECT seq, body, hash, prev_hash, readings FROM batches ORDER BY seq").fetchall()
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [row[2] for row in rows] == [batch_hash(row[1]) for row in rows]
    assert [row[3] for row in rows] == [FIRST_PREV_HASH, rows[0][2], rows[1][2]]
    assert [row[4] for row in rows] == [1, 1, 1]
    assert [batch.prev_hash for batch in sealed(spool)] == [row[3] for row in rows]


def test_the_chain_goes_on_after_everything_was_acknowledged(spool: Spool) -> None:
    store(spool, entry(1))
    seal(spool, context())
    head = spool.head()
    assert head is not None
    spool.acknowledge(1)
    store(spool, entry(2), at_ms=NOW + 1)
    seal(spool, context())
    (batch,) = sealed(spool)
    assert (batch.seq, batch.prev_hash, batch.registers[0].first_seq) == (2, head.hash, 2)


def test_nothing_read_gives_no_batch_and_a_tick_without_readings_gives_an_empty_one(spool: Spool) -> None:
    assert seal(spool, context()) is None
    store(spool)
    assert seal(spool, context()) == 0
    assert seal(spool, context()) is None
    (batch,) = sealed(spool)
    assert (batch.metered_to_ms, batch.registers) == (NOW, [])


def test_what_does_not_fit_goes_into_further_batches_and_the_watermark_waits(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.agent.seal.SEAL_ROWS_MAX", (4,))
    for tick in range(3):
        at_ms = NOW + tick * 10
        gauges = [GaugeEntry("GPU-1", "power_mw", tick, at_ms)]
        store(spool, *[entry(tick, key=batches.meter(model=m), at_ms=at_ms) for m in "abc"], gauges=gauges, at_ms=at_ms)
    assert [seal(spool, context()) for _ in range(4)] == [5, 1, 0, None]
    found = sealed(spool)
    assert [reading_count(batch) for batch in found] == [4, 4, 1]
    # Only what was read before the first reading left behind is complete.
    assert [batch.metered_to_ms for batch in found] == [NOW + 10, NOW + 20, NOW + 20]


def test_readings_with_long_labels_are_split_until_they_fit(spool: Spool) -> None:
    labels = {f"label_{n:02}": "x" * 500 for n in range(16)}
    entries = [entry(n, key=batches.meter(model=f"model-{n}", labels=labels)) for n in range(2_500)]
    store(spool, *entries)
    left: list[int] = []
    while (pending := seal(spool, context())) is not None:
        left.append(pending)
    assert left[-1] == 0
    assert sum(reading_count(batch) for batch in sealed(spool)) == 2_500


def test_a_clock_set_back_ends_the_batch_so_that_instants_never_fall_in_one(spool: Spool) -> None:
    for at_ms in (NOW, NOW + 10, NOW - 500, NOW - 490):
        store(spool, entry(1, at_ms=at_ms), gauges=[GaugeEntry("GPU-1", "power_mw", 1, at_ms)], at_ms=at_ms)
    while seal(spool, context()) is not None:
        continue
    found = sealed(spool)
    assert [batch.registers[0].read_at_ms for batch in found] == [[NOW, NOW + 10], [NOW - 500, NOW - 490]]
    assert [batch.registers[0].first_seq for batch in found] == [1, 3]
    assert [batch.gauges[0].read_at_ms for batch in found] == [[NOW, NOW + 10], [NOW - 500, NOW - 490]]


def test_the_lists_go_along_when_they_change_and_once_an_hour(spool: Spool) -> None:
    steps: list[tuple[int, list[AcceleratorSeen], list[EndpointSeen]]] = [
        (NOW, [CARD], []),
        (NOW + 10, [CARD], []),
        (NOW + 20, [CARD], [ENGINE]),
        (NOW + 30, [CARD], [ENGINE]),
        (NOW + 20 + INVENTORY_MS, [CARD], [ENGINE]),
        (NOW + 30 + INVENTORY_MS, [CARD], [ENGINE]),
    ]
    for now_ms, cards, engines in steps:
        store(spool, at_ms=now_ms)
        seal(spool, context(now_ms, accelerators=cards, endpoints=engines))
    told = [(len(batch.accelerators), len(batch.endpoints)) for batch in sealed(spool)]
    assert told == [(1, 0), (0, 0), (1, 1), (0, 0), (1, 1), (0, 0)]


def test_the_lists_are_told_again_after_the_clock_was_set_back(spool: Spool) -> None:
    for now_ms in (NOW, NOW - 10):
        store(spool, at_ms=now_ms)
        seal(spool, context(now_ms, accelerators=[CARD]))
    assert [len(batch.accelerators) for batch in sealed(spool)] == [1, 1]


def test_a_proof_travels_with_its_epoch(spool: Spool) -> None:
    proved = state(5)
    proved = type(proved)(
        **{**{name: getattr(proved, name) for name in proved.__struct_fields__}, "started_ms": 9, "proof": "created"}
    )
    store(spool, RegisterEntry(batches.meter(), proved, 5, NOW))
    seal(spool, context())
    (column,) = sealed(spool)[0].registers
    assert (column.epoch_started_ms, column.epoch_proof) == (9, "created")


@given(
    ticks=st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), max_size=4), max_size=12),
    rows_max=st.integers(1, 6),
    seal_after=st.sets(st.integers(0, 11)),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_reading_is_sealed_exactly_once_whenever_and_however_it_is_sealed(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    ticks: list[list[tuple[str, int]]],
    rows_max: int,
    seal_after: set[int],
) -> None:
    monkeypatch.setattr("metering.agent.seal.SEAL_ROWS_MAX", (rows_max,))
    spool = Spool(tmp_path_factory.mktemp("spool") / "s", ROOMY)
    expected: dict[str, list[int]] = {}
    for tick, readings in enumerate(ticks):
        entries = [entry(value, key=batches.meter(model=model), at_ms=NOW + tick) for model, value in readings]
        store(spool, *entries, at_ms=NOW + tick)
        for model, value in readings:
            expected.setdefault(model, []).append(value)
        if tick in seal_after:
            seal(spool, context())
    while seal(spool, context()) is not None:
        continue
    found: dict[str, list[tuple[int, int]]] = {}
    for batch in sealed(spool):
        for column in batch.registers:
            found.setdefault(column.meter.model, []).extend(enumerate(column.values, column.first_seq))
    spool.close()
    assert found == {model: list(enumerate(values, 1)) for model, values in expected.items()}
