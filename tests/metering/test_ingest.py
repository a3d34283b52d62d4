"""Taking batches in: verified, chained, stored once, every refusal answered and counted."""

from __future__ import annotations

import dataclasses
import gzip
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import zstandard
from django.db import DatabaseError, connection, transaction

from clusters.models import Accelerator, Endpoint, Node, Slice
from metering.clock import CLOCK_SKEW_MS_MAX
from metering.hours import instant_of
from metering.ingest import (
    ConflictingBatch,
    Malformed,
    NodeRevoked,
    NodeUnknown,
    OutOfChain,
    Sent,
    SignatureInvalid,
    TooLarge,
    ingest_batch,
)
from metering.models import Batch, BatchConflict, IngestCount, NodeCursor, RollupCursor, UsageGap
from metering.wire import (
    BATCH_BYTES_MAX,
    BATCH_INFLATED_BYTES_MAX,
    AcceleratorSeen,
    EndpointSeen,
    Outcome,
    batch_hash,
    sign,
)
from tests.metering.fleet import NOON, NOON_MS, URL, FakeAgent, column, kill_before_commit, make_agent, meter

if TYPE_CHECKING:
    from metering.wire import RegisterColumn
    from tenants.problems import Problem
    from tests.factories import Cast

NOW = NOON + timedelta(hours=12)
NOW_MS = NOON_MS + 12 * 3_600_000


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    return make_agent(cast.provider)


def readings(count: int = 3, first_seq: int = 1, step: int = 7) -> list[RegisterColumn]:
    times = [NOON_MS + 10_000 * (first_seq + index) for index in range(count)]
    return [column(meter(), [step * (first_seq + index) for index in range(count)], times, first_seq=first_seq)]


def counted(reporter: str = "", kind: str = "batch") -> dict[str, int]:
    rows = IngestCount.objects.filter(kind=kind)
    if reporter:
        rows = rows.filter(reporter=reporter)
    return dict(rows.values_list("outcome", "count"))


def test_a_batch_is_stored_as_it_came_and_its_readings_are_accounted_for(agent: FakeAgent) -> None:
    answer = agent.ship(*readings(3), now=NOW)
    assert answer == {
        "seq": 1,
        "received": 3,
        "accepted": 3,
        "duplicates": 0,
        "conflicts": 0,
        "quarantined": 0,
        "next_seq": 2,
        "wire_version": 2,
    }
    stored = Batch.objects.get()
    assert bytes(stored.body) == agent.sent[0].body
    assert stored.hash == batch_hash(agent.sent[0].body)
    assert (stored.seq, stored.readings, stored.content_encoding) == (1, 3, "zstd")
    assert stored.signature == agent.sent[0].signature
    cursor = NodeCursor.objects.get(node=agent.node)
    assert (cursor.last_seq, cursor.last_hash) == (1, stored.hash)
    assert cursor.metered_to_at == instant_of(NOON_MS + 30_000)
    assert cursor.last_received_at == NOW
    assert counted(str(agent.node.id)) == {"accepted": 1}
    assert counted(str(agent.node.id), "reading") == {"accepted": 3}


def test_the_same_bytes_again_get_the_same_answer_and_store_nothing(agent: FakeAgent) -> None:
    first = agent.ship(*readings(3), now=NOW)
    agent.ship(*readings(2, first_seq=4), now=NOW)
    assert ingest_batch(sent=agent.sent[0], now=NOW + timedelta(hours=1)) == first
    assert Batch.objects.count() == 2
    assert BatchConflict.objects.count() == 0
    assert sum(IngestCount.objects.filter(outcome="duplicate").values_list("count", flat=True)) == 1


def test_other_bytes_under_a_stored_number_are_refused_and_kept(agent: FakeAgent) -> None:
    twin = FakeAgent(agent.node, agent.key)
    agent.ship(*readings(3), now=NOW)
    other = twin.seal(registers=readings(3, step=8))
    for _ in range(2):
        with pytest.raises(ConflictingBatch) as refused:
            ingest_batch(sent=other, now=NOW)
        assert refused.value.extra["expected_seq"] == 2
    kept = BatchConflict.objects.get()
    assert (bytes(kept.body), kept.seq, kept.hash) == (other.body, 1, batch_hash(other.body))
    assert Batch.objects.count() == 1
    assert counted(str(agent.node.id)) == {"accepted": 1, "batch_conflict": 2}


def test_a_number_too_far_and_a_broken_link_are_out_of_chain(agent: FakeAgent) -> None:
    agent.seal(registers=readings(1))
    second = agent.seal(registers=readings(1, first_seq=2))
    with pytest.raises(OutOfChain) as refused:
        ingest_batch(sent=second, now=NOW)
    assert refused.value.extra == {"expected_seq": 1, "expected_prev_hash": "0" * 64}
    ingest_batch(sent=agent.sent[0], now=NOW)
    stray = FakeAgent(agent.node, agent.key, seq=1, prev_hash="ab" * 32)
    with pytest.raises(OutOfChain) as refused:
        ingest_batch(sent=stray.seal(registers=readings(1, first_seq=2)), now=NOW)
    assert refused.value.extra == {"expected_seq": 2, "expected_prev_hash": batch_hash(agent.sent[0].body)}
    assert ingest_batch(sent=second, now=NOW)["seq"] == 2
    assert counted(str(agent.node.id)) == {"accepted": 2, "out_of_chain": 2}


def test_a_node_without_cursors_gets_them_with_its_first_batch(agent: FakeAgent) -> None:
    NodeCursor.objects.all().delete()
    RollupCursor.objects.all().delete()
    agent.ship(*readings(1), now=NOW)
    assert NodeCursor.objects.get().last_seq == 1
    assert RollupCursor.objects.get().rolled_seq == 0


def changed(sent: Sent, agent: FakeAgent, **fields: object) -> Sent:
    made = dataclasses.replace(sent, **fields)  # type: ignore[arg-type]  # fields by name
    return dataclasses.replace(made, signature=sign(agent.key, made.body)) if "body" in fields else made


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"node": "not-a-uuid"}, NodeUnknown),
        ({"node": ""}, NodeUnknown),
        ({"node": "0190b3b0-0000-7000-8000-000000000000"}, NodeUnknown),
        ({"signature": ""}, SignatureInvalid),
        ({"signature": "QUJD"}, SignatureInvalid),
        ({"signature": "é" * 88}, SignatureInvalid),
        ({"content_encoding": "br"}, Malformed),
        ({"content_encoding": "gzip"}, Malformed),
        ({"body": b""}, Malformed),
        ({"body": b"no frame at all"}, Malformed),
        ({"body": zstandard.compress(b"[]")}, Malformed),
        ({"body": zstandard.compress(b'{"version": 1}')}, Malformed),
        ({"body": b"\0" * (BATCH_BYTES_MAX + 1)}, TooLarge),
        ({"body": zstandard.compress(b" " * (BATCH_INFLATED_BYTES_MAX + 1))}, TooLarge),
    ],
)
def test_what_cannot_be_taken_is_refused_counted_and_not_stored(
    agent: FakeAgent, fields: dict[str, object], problem: type[Problem]
) -> None:
    sent = changed(agent.seal(registers=readings(1)), agent, **fields)
    with pytest.raises(problem):
        ingest_batch(sent=sent, now=NOW)
    assert Batch.objects.count() == 0
    assert counted() == {problem.code: 1}


def test_a_bomb_in_gzip_is_refused_in_bounded_memory(agent: FakeAgent) -> None:
    bomb = gzip.compress(b" " * (8 * BATCH_INFLATED_BYTES_MAX))
    sent = changed(agent.seal(), agent, body=bomb, content_encoding="gzip")
    with pytest.raises(TooLarge):
        ingest_batch(sent=sent, now=NOW)


def test_bytes_changed_on_the_way_do_not_fit_the_signature(agent: FakeAgent) -> None:
    sent = agent.seal(registers=readings(1))
    tampered = dataclasses.replace(sent, body=sent.body[:-1] + bytes([sent.body[-1] ^ 1]))
    with pytest.raises(SignatureInvalid):
        ingest_batch(sent=tampered, now=NOW)


def test_a_batch_cannot_be_sent_in_the_name_of_another_node(cast: Cast, agent: FakeAgent) -> None:
    other = make_agent(cast.outsider, "other")
    sent = agent.seal(registers=readings(1))
    with pytest.raises(SignatureInvalid):
        ingest_batch(sent=dataclasses.replace(sent, node=str(other.node.id)), now=NOW)
    forged = FakeAgent(other.node, agent.key).seal(registers=readings(1))
    with pytest.raises(Malformed):
        ingest_batch(sent=dataclasses.replace(forged, node=str(agent.node.id)), now=NOW)


def test_a_revoked_node_is_refused(agent: FakeAgent) -> None:
    Node.objects.filter(id=agent.node.id).update(revoked_at=NOON)
    with pytest.raises(NodeRevoked):
        agent.ship(*readings(1), now=NOW)
    assert counted(str(agent.node.id)) == {"node_revoked": 1}


def test_repeated_numbers_are_told_apart_as_duplicates_and_conflicts(agent: FakeAgent) -> None:
    times = [NOON_MS + 10_000 * index for index in range(6)]
    agent.ship(column(meter(), [0, 10, 20, 30], times[:4]), now=NOW)
    answer = agent.ship(column(meter(), [20, 31, 40, 50], times[2:], first_seq=3), now=NOW)
    assert (answer["received"], answer["accepted"], answer["duplicates"], answer["conflicts"]) == (4, 2, 1, 1)
    answer = agent.ship(column(meter(), [10], times[1:2], first_seq=2, epoch="epoch-2"), now=NOW)
    assert (answer["duplicates"], answer["conflicts"]) == (0, 1)
    assert ingest_batch(sent=agent.sent[-1], now=NOW) == answer
    assert counted(str(agent.node.id), "reading") == {"accepted": 6, "duplicate": 1, "conflict": 2}


def test_readings_of_impossible_instants_are_quarantined(agent: FakeAgent) -> None:
    limit_ms = NOW_MS + CLOCK_SKEW_MS_MAX
    answer = agent.ship(column(meter(), [1, 2, 3], [NOON_MS, limit_ms, limit_ms + 1]), now=NOW)
    assert (answer["accepted"], answer["quarantined"]) == (2, 1)
    answer = agent.ship(column(meter(), [4, 5], [0, NOON_MS], first_seq=4), now=NOW)
    assert (answer["accepted"], answer["quarantined"]) == (1, 1)


@pytest.mark.parametrize(("behind_s", "quarantined"), [(0, 0), (300, 0), (301, 2), (-301, 2)])
def test_clock_skew_is_measured_and_beyond_the_limit_readings_are_held(
    agent: FakeAgent, behind_s: int, quarantined: int
) -> None:
    sent_at = (NOW - timedelta(seconds=behind_s)).isoformat().replace("+00:00", "Z")
    answer = agent.ship(*readings(2), now=NOW, sent_at=sent_at)
    assert answer["quarantined"] == quarantined
    cursor = NodeCursor.objects.get(node=agent.node)
    assert cursor.clock_skew_ms == behind_s * 1_000
    assert Batch.objects.get().clock_skew_ms == behind_s * 1_000
    metered_to = cursor.metered_to_at
    assert metered_to == (instant_of(NOON_MS + 20_000) if not quarantined else agent.node.enrolled_at)


@pytest.mark.parametrize("header", ["", "yesterday", "2026-03-10T12:00:00", "0001-01-01T00:00:00+14:00"])
def test_an_unreadable_send_time_tells_nothing(agent: FakeAgent, header: str) -> None:
    agent.ship(*readings(1), now=NOW, sent_at=header)
    assert NodeCursor.objects.get(node=agent.node).clock_skew_ms is None


def test_a_node_is_never_metered_past_now(agent: FakeAgent) -> None:
    agent.ship(*readings(1), now=NOW, metered_to_ms=NOW_MS + 10**9)
    assert NodeCursor.objects.get(node=agent.node).metered_to_at == NOW
    agent.ship(*readings(1, first_seq=2), now=NOW + timedelta(minutes=1), metered_to_ms=NOON_MS)
    assert NodeCursor.objects.get(node=agent.node).metered_to_at == NOW


def test_inventory_comes_with_a_batch(agent: FakeAgent) -> None:
    card = AcceleratorSeen("GPU-1", "123", "NVIDIA H100 80GB HBM3", 81_559, "00:01", False, [], "580.95")
    agent.ship(
        accelerators=[card], endpoints=[EndpointSeen(URL, "vllm", ["sample-model"], "0.11")], metered_to_ms=NOON_MS
    )
    stored = Accelerator.objects.get()
    assert (stored.uuid, stored.node, stored.position) == ("GPU-1", agent.node, 0)
    assert Slice.objects.get().share_permille == 1000
    endpoint = Endpoint.objects.get()
    assert (endpoint.url, endpoint.engine, endpoint.served_models) == (URL, "vllm", ["sample-model"])
    agent.node.refresh_from_db()
    assert (agent.node.agent_version, agent.node.driver_version) == ("0.1.0", "580.95")


def outcome(at_ms: int, reason: str = "timeout", count: int = 1) -> Outcome:
    return Outcome("endpoint", URL, at_ms, reason, "no whole page within 5 s", count)


def test_what_the_agent_could_not_read_becomes_one_gap_while_it_goes_on(agent: FakeAgent) -> None:
    for index in range(3):
        at_ms = NOON_MS + 10_000 * index
        agent.ship(outcomes=[outcome(at_ms)], metered_to_ms=at_ms)
    agent.ship(outcomes=[outcome(NOON_MS + 3_600_000)], metered_to_ms=NOON_MS + 3_600_000)
    gaps = UsageGap.objects.order_by("from_at").values_list("from_at", "to_at", "reason", "occurrences")
    first, second = gaps
    assert first == (NOON, NOON + timedelta(seconds=20), "timeout", 3)
    assert second == (NOON + timedelta(hours=1), NOON + timedelta(hours=1), "timeout", 1)


def test_a_fraud_with_foreign_cards_is_on_record_and_moves_nothing(cast: Cast, agent: FakeAgent) -> None:
    card = AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)
    agent.ship(accelerators=[card])
    thief = make_agent(cast.outsider, "thief")
    thief.ship(accelerators=[card])
    assert Accelerator.objects.get().node == agent.node
    gap = UsageGap.objects.get()
    assert (gap.node, gap.subject_id, gap.reason) == (thief.node, "GPU-1", "claimed_by_another_provider")


@pytest.mark.django_db(transaction=True)
def test_one_batch_sent_by_two_connections_at_once_is_stored_once(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    sent = [agent.seal(registers=readings(1, first_seq=index + 1)) for index in range(5)]

    def deliver(one: Sent) -> dict[str, int] | str:
        try:
            return ingest_batch(sent=one, now=NOW)
        except OutOfChain as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        for one in sent:
            answers = list(pool.map(deliver, [one] * 8))
            assert all(answer == answers[0] for answer in answers)
            assert isinstance(answers[0], dict)
    assert list(Batch.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5]
    assert counted(str(agent.node.id)) == {"accepted": 5, "duplicate": 35}


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_before_the_commit_leaves_nothing_and_the_batch_is_taken_again(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    sent = agent.seal(registers=readings(2))
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: ingest_batch(sent=sent, now=NOW))
    assert Batch.objects.count() == 0
    assert IngestCount.objects.count() == 0
    assert ingest_batch(sent=sent, now=NOW)["accepted"] == 2


@pytest.mark.parametrize("table", ["metering_batch", "metering_batchconflict"])
@pytest.mark.parametrize("change", ["UPDATE {} SET hash = 'x'", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_evidence(agent: FakeAgent, table: str, change: str) -> None:
    twin = FakeAgent(agent.node, agent.key)
    agent.ship(*readings(1), now=NOW)
    with pytest.raises(ConflictingBatch):
        ingest_batch(sent=twin.seal(registers=readings(1, step=9)), now=NOW)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(table))
