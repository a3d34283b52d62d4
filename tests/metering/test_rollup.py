"""Rolling up stored batches: every token once, whatever the order of work, repetition, chunking or faults."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Signal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.models import Binding, Deployment, Slice
from metering.ingest import ingest_batch
from metering.models import Batch, Meter, MeterState, RollupCursor, UsageCut, UsageGap, UsageHour, Witness
from metering.rollup import lagging_nodes, roll_up_node
from metering.wire import AcceleratorSeen, EndpointSeen
from tests.examples import examples
from tests.factories import EPOCH, make_allocation, make_deployment, make_endpoint
from tests.kept import kept
from tests.metering.fleet import (
    MODEL,
    NOON,
    NOON_MS,
    URL,
    FakeAgent,
    column,
    energy,
    hours,
    kill_before_commit,
    make_agent,
    meter,
    roll_up,
    total,
)

if TYPE_CHECKING:
    from metering.wire import RegisterColumn
    from tests.factories import Cast

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000
STEP_MS = 10_000


@kept
def agent(cast: Cast) -> FakeAgent:
    return make_agent(cast.provider)


def steady(count: int, *, first: int = 0, rate: int = 7, **fields: Any) -> RegisterColumn:
    """Readings every ten seconds from noon on of a register that rises by `rate` a reading."""
    times = [NOON_MS + STEP_MS * index for index in range(first, first + count)]
    values = [rate * index for index in range(first, first + count)]
    return column(fields.pop("key", meter()), values, times, first_seq=first + 1, **fields)


def snapshot() -> list[tuple[object, ...]]:
    """Every usage hour but for its id and when it was written."""
    rows = UsageHour.objects.order_by("meter_id", "from_at", "quality", "rule", "version").values_list(
        "meter__quantity", "hour_at", "from_at", "to_at", "deployment_id", "quality", "rule", "version", "value",
        "records", "first_batch_seq", "last_batch_seq",
    )  # fmt: skip
    return list(rows)


def test_a_day_of_rises_is_in_the_hours_to_the_token(agent: FakeAgent) -> None:
    agent.ship(steady(721))
    roll_up(agent.node)
    assert hours(quality="A") == [(NOON, "A", 7 * 360), (NOON + HOUR, "A", 7 * 360)]
    assert total() == 7 * 720
    first = UsageHour.objects.get(from_at=NOON, quality="A")
    assert (first.to_at, first.hour_at, first.records) == (NOON + HOUR, NOON, 360)
    assert (first.witness, first.quantity, first.model) == ("engine", "output", MODEL)
    assert (first.first_batch_seq, first.last_batch_seq, first.version) == (1, 1, 1)
    cursor = RollupCursor.objects.get(node=agent.node)
    assert (cursor.rolled_seq, cursor.rolled_to_at) == (1, NOON + 2 * HOUR)
    state = MeterState.objects.get()
    assert (state.seq, state.value, state.read_at, state.closed) == (721, 7 * 720, NOON + 2 * HOUR, False)


def test_first_contact_says_from_when_on_the_meter_is_known(agent: FakeAgent) -> None:
    agent.ship(column(meter(), [1_000_000], [NOON_MS + 1]))
    roll_up(agent.node)
    (row,) = UsageHour.objects.all()
    assert (row.quality, row.rule, row.value, row.records) == ("G", "first_contact_baseline", 0, 1)


def test_one_full_hour_of_ticks_at_odd_instants_is_exactly_the_hour(agent: FakeAgent) -> None:
    """Ticks at sub-second offsets: a register of milliseconds sums to 3,600,000 in the hour."""
    offsets = [137, 4_999, 9_001, 63, 999]
    times = [NOON_MS - STEP_MS] + [
        NOON_MS + tick * STEP_MS + (offsets[tick % 5] % 400 if tick % 360 == 0 else offsets[tick % 5])
        for tick in range(361)
    ]
    agent.ship(column(meter(), [at_ms - times[0] for at_ms in times], times))
    roll_up(agent.node)
    within = total(hour_at=NOON)
    last_in = max(at_ms for at_ms in times if at_ms < NOON_MS + HOUR_MS + 500)
    first_in = NOON_MS + offsets[0] % 400
    assert within == last_in - first_in
    assert total() == times[-1] - times[0]


def test_a_node_silent_for_three_hours_that_replays_its_spool_twice_changes_nothing(cast: Cast) -> None:
    columns = [steady(60, first=60 * part) for part in range(20)]
    undisturbed = make_agent(cast.provider, "undisturbed")
    for one in columns:
        undisturbed.ship(one)
        roll_up(undisturbed.node)
    whole = hours(meter__node=undisturbed.node)

    agent = make_agent(cast.provider, "cut-off")
    sealed = [agent.seal(registers=[one]) for one in columns]
    ingest_batch(sent=sealed[0], now=NOON + HOUR)
    roll_up(agent.node)
    for _ in range(2):
        for sent in sealed:
            ingest_batch(sent=sent, now=NOON + 4 * HOUR)
        roll_up(agent.node)
    assert hours(meter__node=agent.node) == whole
    assert Batch.objects.filter(node=agent.node).count() == 20
    assert RollupCursor.objects.get(node=agent.node).rolled_to_at == NOON + timedelta(seconds=1199 * 10)


def test_an_engine_that_restarts_from_a_million_at_forty_adds_forty(agent: FakeAgent) -> None:
    agent.ship(column(meter(), [999_900, 1_000_000], [NOON_MS, NOON_MS + STEP_MS]))
    restarted = column(
        meter(),
        [40, 50],
        [NOON_MS + 3 * STEP_MS, NOON_MS + 4 * STEP_MS],
        first_seq=3,
        epoch="epoch-2",
        started_ms=NOON_MS + 2 * STEP_MS,
        proof="process",
    )
    agent.ship(restarted)
    roll_up(agent.node)
    assert total() == 100 + 40 + 10
    assert min(value for _, _, value in hours()) >= 0
    gap = UsageGap.objects.get(reason="tail_unseen")
    assert (gap.from_at, gap.to_at) == (NOON + timedelta(seconds=10), NOON + timedelta(seconds=20))
    assert gap.value_max == {f"output {MODEL}": 10 * 200_000}


def test_usage_goes_to_the_deployment_that_is_bound_at_the_time(cast: Cast, agent: FakeAgent) -> None:
    endpoint = make_endpoint(agent.node, url=URL)
    edge = NOON + timedelta(minutes=30)
    first = make_deployment(cast.provider, cast.tenant)
    second = make_deployment(cast.provider, cast.outsider)
    Binding.objects.create(deployment=first, endpoint=endpoint, model=MODEL, from_at=EPOCH, to_at=edge)
    Binding.objects.create(deployment=second, endpoint=endpoint, model=MODEL, from_at=edge)
    agent.ship(steady(361), steady(361, key=meter(model="other-model")))
    roll_up(agent.node)
    assert total(deployment=first) == total(deployment=second) == 7 * 180
    assert total(tenant=cast.tenant) == 7 * 180
    assert total(deployment=None, model="other-model") == 7 * 360
    assert {row.to_at for row in UsageHour.objects.filter(deployment=first, quality="A")} == {edge}


def test_a_deployment_that_ends_takes_its_usage_no_further(cast: Cast, agent: FakeAgent) -> None:
    endpoint = make_endpoint(agent.node, url=URL)
    deployment = make_deployment(cast.provider, cast.tenant, endpoint)
    Deployment.objects.filter(id=deployment.id).update(to_at=NOON + timedelta(minutes=10))
    agent.ship(steady(361))
    roll_up(agent.node)
    assert total(deployment=deployment) == 7 * 60
    assert total(deployment=None) == 7 * 300


def test_a_price_instant_inside_an_hour_splits_the_usage_there(cast: Cast, agent: FakeAgent) -> None:
    deployment = make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    instant = NOON + timedelta(minutes=17, seconds=5)
    UsageCut.objects.create(deployment=deployment, at=instant)
    agent.ship(steady(361, rate=1_000))
    roll_up(agent.node)
    parts = UsageHour.objects.filter(deployment=deployment).exclude(quality="G")
    before = sum(row.value for row in parts if row.to_at == instant)
    after = sum(row.value for row in parts if row.from_at == instant)
    assert (before, after) == (102_500, 257_500)
    assert before + after == total() == 360_000
    assert {row.quality for row in parts} == {"A", "E"}


def test_a_cut_published_ahead_narrows_the_part_that_is_open(cast: Cast, agent: FakeAgent) -> None:
    deployment = make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    agent.ship(steady(61))
    roll_up(agent.node)
    instant = NOON + timedelta(minutes=30)
    UsageCut.objects.create(deployment=deployment, at=instant)
    agent.ship(steady(300, first=61))
    roll_up(agent.node)
    parts = UsageHour.objects.filter(deployment=deployment, quality="A").order_by("from_at")
    assert [(row.from_at, row.to_at, row.value) for row in parts] == [
        (NOON, instant, 7 * 180),
        (instant, NOON + HOUR, 7 * 180),
    ]


def test_an_hour_that_the_node_was_metered_past_gets_a_later_version(agent: FakeAgent) -> None:
    agent.ship(steady(2), steady(2, key=meter("input")))
    for hour in range(1, 4):
        times = [NOON_MS + hour * HOUR_MS]
        agent.ship(column(meter("input"), [100 * hour], times, first_seq=hour + 2))
        roll_up(agent.node)
    agent.ship(column(meter(), [7 + 3_000], [NOON_MS + 3 * HOUR_MS + STEP_MS], first_seq=3))
    roll_up(agent.node)
    late = UsageHour.objects.filter(meter__quantity="output", version__gt=1).order_by("from_at")
    assert [(row.from_at, row.version, row.quality) for row in late] == [
        (NOON, 4, "E"),
        (NOON + HOUR, 3, "E"),
        (NOON + 2 * HOUR, 2, "E"),
    ]
    assert total(meter__quantity="output") == 7 + 3_000


def test_energy_is_the_lease_holders(cast: Cast, agent: FakeAgent) -> None:
    card = AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)
    agent.ship(accelerators=[card])
    make_allocation(Slice.objects.get(), cast.tenant, NOON, NOON + HOUR)
    agent.ship(steady(721, rate=5_000, key=energy("GPU-1")))
    roll_up(agent.node)
    assert total(tenant=cast.tenant, witness=Witness.ENERGY) == 5_000 * 360
    assert total(tenant=None, witness=Witness.ENERGY) == 5_000 * 360


def test_a_card_that_no_list_has_shown_is_metered_all_the_same(agent: FakeAgent) -> None:
    agent.ship(steady(3, key=energy("GPU-9")))
    roll_up(agent.node)
    assert total(witness=Witness.ENERGY) == 14


def test_readings_of_another_providers_card_do_not_count(cast: Cast, agent: FakeAgent) -> None:
    agent.ship(steady(3, key=energy("GPU-1")))
    roll_up(agent.node)
    thief = make_agent(cast.outsider, "thief")
    thief.ship(steady(3, key=energy("GPU-1")))
    roll_up(thief.node)
    assert total(witness=Witness.ENERGY) == 14
    gap = UsageGap.objects.get(node=thief.node)
    assert (gap.reason, gap.occurrences) == ("held_by_another_node", 3)


def test_a_card_that_moved_to_another_node_is_metered_on(cast: Cast, agent: FakeAgent) -> None:
    card = AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)
    agent.ship(steady(5, key=energy("GPU-1")), accelerators=[card])
    roll_up(agent.node)
    other = make_agent(cast.provider, "other")
    times = [NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + STEP_MS]
    other.ship(column(energy("GPU-1"), [90, 95], times, epoch="epoch-9"), accelerators=[card])
    roll_up(other.node)
    assert total(witness=Witness.ENERGY) == 28 + 5
    assert {one.node for one in Meter.objects.all()} == {agent.node, other.node}


def test_another_engine_at_the_same_address_is_another_meter(agent: FakeAgent) -> None:
    agent.ship(steady(10))
    key = meter()
    times = [NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + STEP_MS]
    other = type(key)(key.subject, key.subject_id, "sglang", key.model, key.quantity, key.labels)
    agent.ship(column(other, [5, 8], times, epoch="epoch-s"))
    roll_up(agent.node)
    assert Meter.objects.count() == 2
    assert total() == 63 + 3


def test_a_new_engine_on_a_watched_node_counts_from_its_start(agent: FakeAgent) -> None:
    agent.ship(metered_to_ms=NOON_MS, endpoints=[EndpointSeen(URL, "vllm", [MODEL], None)])
    started = column(meter(), [40], [NOON_MS + STEP_MS], started_ms=NOON_MS + 5_000, proof="process")
    agent.ship(started)
    roll_up(agent.node)
    assert total() == 40


def test_long_names_from_a_node_cannot_stop_its_rollup(agent: FakeAgent) -> None:
    key = meter(model="m" * 512, url="http://" + "u" * 505, labels={"l" * 300: "v" * 300})
    twin = meter(model="m" * 511 + "n", url="http://" + "u" * 505, labels={"l" * 300: "v" * 300})
    agent.ship(steady(3, key=key, epoch="e" * 512), steady(3, key=twin, epoch="e" * 512))
    roll_up(agent.node)
    assert Meter.objects.count() == 2
    assert total() == 28


def test_a_year_of_wrong_clock_does_not_make_a_years_hours(agent: FakeAgent) -> None:
    agent.ship(column(meter(), [0], [0]))
    agent.ship(column(meter(), [10, 20], [NOON_MS, NOON_MS + STEP_MS], first_seq=2))
    roll_up(agent.node)
    assert total() == 10
    assert UsageHour.objects.count() <= 4
    assert UsageHour.objects.get(rule="held_clock").records == 1


def test_rolling_up_twice_counts_once(agent: FakeAgent) -> None:
    agent.ship(steady(100))
    roll_up(agent.node)
    before = snapshot()
    roll_up(agent.node)
    assert snapshot() == before
    assert lagging_nodes() == []


def test_lagging_nodes_are_found_until_they_are_rolled_up(agent: FakeAgent) -> None:
    assert lagging_nodes() == []
    agent.ship(steady(2))
    assert lagging_nodes() == [agent.node.id]
    roll_up(agent.node)
    assert lagging_nodes() == []


@pytest.mark.unmeasured
@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_chunking_of_work_gives_the_same_hours(cast: Cast, data: st.DataObject) -> None:
    """The same batches, rolled up at once, or in chunks in between receipts: row by row the same."""
    with transaction.atomic():
        results = []
        jumps = data.draw(st.lists(st.sampled_from([1, 1, 7, 180, 400]), min_size=2, max_size=8))
        rises = data.draw(st.lists(st.integers(0, 10**6), min_size=len(jumps), max_size=len(jumps)))
        chunks = data.draw(st.lists(st.integers(0, 3), min_size=len(jumps), max_size=len(jumps)))
        for name, chunked in (("whole", False), ("chunked", True)):
            agent = make_agent(cast.provider, name)
            at, value = 0, 0
            for index, (jump, rise, chunk) in enumerate(zip(jumps, rises, chunks, strict=True)):
                at, value = at + jump, value + rise
                times = [NOON_MS + at * STEP_MS]
                agent.ship(column(meter(), [value], times, first_seq=index + 1))
                if chunked and chunk:
                    roll_up(agent.node, chunk_batches=chunk)
            roll_up(agent.node)
            rows = UsageHour.objects.filter(meter__node=agent.node).order_by("from_at", "quality", "rule", "version")
            results.append(list(rows.values_list("from_at", "to_at", "quality", "rule", "version", "value", "records")))
        assert results[0] == results[1]
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_one_node_count_every_batch_once(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    for part in range(40):
        agent.ship(steady(10, first=10 * part))

    def work(_: int) -> int:
        try:
            done = 0
            while lagging_nodes():
                rolled = roll_up_node(node_id=agent.node.id, now=NOON, chunk_batches=3)
                done += rolled.batches if rolled else 0
            return done
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 40
    assert total() == 7 * 399


@pytest.mark.django_db(transaction=True)
def test_a_worker_at_a_node_keeps_others_off_but_not_waiting(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(steady(10))
    holding, done = Signal(), Signal()

    def hold() -> None:
        try:
            with transaction.atomic():
                RollupCursor.objects.select_for_update().get(node=agent.node)
                holding.set()
                assert done.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holding.wait(30)
        try:
            assert roll_up_node(node_id=agent.node.id, now=NOON) is None
        finally:
            done.set()
        held.result()
    assert roll_up_node(node_id=agent.node.id, now=NOON) is not None


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_before_its_commit_did_nothing(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(steady(100))
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: roll_up_node(node_id=agent.node.id, now=NOON))
    assert UsageHour.objects.count() == MeterState.objects.count() == 0
    roll_up(agent.node)
    assert total() == 7 * 99
