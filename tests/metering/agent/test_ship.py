"""Shipping over real HTTP: the same bytes until acknowledged, and nothing dropped for being refused."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

from metering.agent import keys
from metering.agent.clock import SystemClock
from metering.agent.delivery import Delivered, Unreachable, deliver
from metering.agent.seal import seal
from metering.agent.ship import BACKOFF_S_MAX, REFUSED_BACKOFF_S_MIN, Shipper
from metering.agent.spool import SealedBatch, Spool
from metering.agent.state import SPOOL_FILE, Identity, load_identity
from metering.wire import decode_batch
from tests.metering import batches
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.test_seal import context
from tests.metering.agent.test_spool import NOW, ROOMY, entry, store

AT = datetime(2026, 11, 20, 10, 0, 0, 123_000, tzinfo=UTC)
BATCH = SealedBatch(4, b"body", "h4", "h3", 3)


class FastClock(SystemClock):
    """Real time, that tests move on so that a pause is over."""

    def __init__(self) -> None:
        self.shift_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.shift_s


class Bench:
    """A spool with sealed batches, and a shipper to a real server."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder / SPOOL_FILE, ROOMY)
        self.identity = load_identity(folder)
        self.key_ring = keys.KeyRing(folder)
        self.clock = FastClock()
        self.reports: list[tuple[str, str]] = []
        self.client = httpx.Client(timeout=5)
        self.waits: list[float] = []
        self.shipper = self.make()

    def make(self) -> Shipper:
        return Shipper(
            self.spool,
            self.client,
            identity=self.identity,
            key_ring=self.key_ring,
            clock=self.clock,
            report=lambda reason, detail: self.reports.append((reason, detail)),
            jitter=self.jitter,
        )

    def jitter(self, shortest_s: float, longest_s: float) -> float:
        assert shortest_s == longest_s / 2
        self.waits.append(longest_s)
        return longest_s

    def waited(self, times: int) -> bool:
        return len(self.waits) >= times

    def seal(self, count: int = 1) -> None:
        for _ in range(count):
            at_ms = int(self.spool.get_meta("metered_to_ms") or NOW) + 10
            store(self.spool, entry(at_ms - NOW, at_ms=at_ms), at_ms=at_ms)
            seal(self.spool, context(at_ms, node=self.identity.node))

    def bodies(self) -> list[bytes]:
        with self.spool.transaction() as db:
            return [body for (body,) in db.execute("SELECT body FROM batches ORDER BY seq")]

    def close(self) -> None:
        self.shipper.close()
        self.client.close()
        self.spool.close()


@pytest.fixture
def bench(state_dir: Path) -> Iterator[Bench]:
    bench = Bench(state_dir)
    yield bench
    bench.close()


def ship(bench: Bench) -> None:
    """Start the shipper and wait until it can do nothing more now."""
    bench.shipper.start()
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)


def test_everything_is_shipped_in_order_and_leaves_the_spool(bench: Bench, server: BatchServer) -> None:
    bench.seal(3)
    sent = bench.bodies()
    ship(bench)
    assert server.received == sent
    assert bench.spool.head() is None
    assert (bench.shipper.status.delivered_batches, bench.shipper.status.delivered_readings) == (3, 3)
    assert bench.reports == []


def test_the_try_is_stamped_with_real_time_outside_the_signature(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    head = bench.spool.head()
    assert head is not None
    result = deliver(bench.client, head, identity=bench.identity, key=bench.key_ring.key, now=AT)
    assert isinstance(result, Delivered)
    assert server.sent_at == ["2026-11-20T10:00:00.123Z"]


def test_a_lost_answer_after_the_commit_costs_one_more_try_of_the_same_bytes(bench: Bench, server: BatchServer) -> None:
    bench.seal(2)
    sent = bench.bodies()
    server.faults.append(Fault(status=0, commit=True))
    ship(bench)
    assert bench.bodies() == sent
    assert len(server.bodies) == 1
    bench.clock.shift_s += 10
    assert bench.shipper.flush(20)
    assert server.received == [sent[0], sent[0], sent[1]]
    assert len(server.bodies) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408, 302, 204])
def test_an_answer_that_is_none_keeps_the_batch(bench: Bench, server: BatchServer, status: int) -> None:
    bench.seal()
    sent = bench.bodies()
    server.faults.append(Fault(status=status))
    ship(bench)
    assert bench.bodies() == sent
    assert bench.shipper.status.alarm == ""
    assert bench.shipper.flush(20)
    assert server.received == sent * 2


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>welcome</html>",
        b"{}",
        b'{"seq": "1"}',
        b'{"seq":9,"received":1,"accepted":1,"duplicates":0,"conflicts":0,"quarantined":0,"next_seq":10}',
    ],
)
def test_a_200_that_is_not_about_this_batch_acknowledges_nothing(bench: Bench, server: BatchServer, raw: bytes) -> None:
    """A captive portal, a proxy's page, an answer to another batch."""
    bench.seal()
    server.faults.append(Fault(status=200, raw=raw))
    ship(bench)
    assert bench.spool.head() is not None
    assert server.bodies == {}
    assert bench.shipper.flush(20)
    assert len(server.bodies) == 1


def test_retry_after_is_honoured(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    server.faults.append(Fault(status=503, headers={"Retry-After": "120"}))
    ship(bench)
    bench.clock.shift_s += 100
    bench.shipper.kick()
    assert bench.shipper.wait_idle(0.5)
    assert len(server.received) == 1
    bench.clock.shift_s += 30
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)
    assert len(server.received) == 2
    assert bench.spool.head() is None


def test_the_pause_doubles_up_to_its_bound_and_starts_again_after_a_success(bench: Bench, server: BatchServer) -> None:
    server.always = Fault(status=500)
    bench.seal()
    bench.shipper.start()
    for number in range(1, 12):
        bench.shipper.kick()
        wait_for(partial(bench.waited, number))
        bench.clock.shift_s += BACKOFF_S_MAX + 1
    assert bench.waits[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    server.always = None
    bench.clock.shift_s += BACKOFF_S_MAX + 1
    bench.shipper.kick()
    wait_for(lambda: bench.spool.head() is None)
    before = len(bench.waits)
    server.faults.append(Fault(status=500))
    bench.seal()
    bench.shipper.kick()
    wait_for(lambda: len(bench.waits) > before)
    assert bench.waits[before] == 1


def wait_for(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(2_000):
        if condition():
            return
        done.wait(0.01)
    pytest.fail("it did not come to pass")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "signature_invalid"),
        (401, "node_revoked"),
        (404, "node_unknown"),
        (409, "batch_conflict"),
        (413, "batch_too_large"),
        (400, "batch_malformed"),
    ],
)
def test_a_refusal_keeps_the_batch_raises_an_alarm_and_waits_longer(
    bench: Bench, server: BatchServer, status: int, code: str
) -> None:
    bench.seal(2)
    sent = bench.bodies()
    server.faults.append(Fault(status=status, body={"code": code, "detail": "because"}))
    ship(bench)
    assert bench.bodies() == sent
    assert bench.shipper.status.alarm == code
    assert bench.reports == [("ship_refused", f"batch 1 refused: {code}: because")]
    assert bench.waits == [REFUSED_BACKOFF_S_MIN]
    assert bench.shipper.flush(20)
    assert bench.shipper.status.alarm == ""
    assert server.received == [sent[0], *sent]


def test_a_refusal_without_a_problem_document_has_its_status_as_code(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    server.faults.append(Fault(status=403, raw=b"<html>forbidden</html>"))
    ship(bench)
    assert bench.shipper.status.alarm == "http_403"


def test_out_of_chain_goes_on_where_the_server_is_if_the_hash_proves_it(bench: Bench, server: BatchServer) -> None:
    """The server committed 1 and 2 and both answers were lost for good: it expects 3 now."""
    bench.seal(3)
    sent = bench.bodies()
    for body in sent[:2]:
        server.bodies[decode_batch(body, "zstd").seq] = body
    refusal = server.take(sent[2], {})[1]
    assert refusal["code"] == "signature_invalid"
    chain: dict[str, object] = {
        "code": "out_of_chain",
        "expected_seq": 3,
        "expected_prev_hash": decode_batch(sent[2], "zstd").prev_hash,
    }
    server.faults.append(Fault(status=409, body=chain))
    ship(bench)
    assert server.received == [sent[0], sent[2]]
    assert bench.spool.head() is None
    assert bench.reports == []


def test_out_of_chain_behind_our_head_is_sent_again_from_there(bench: Bench, server: BatchServer) -> None:
    """The shipper stood at 3 after an earlier rejoin; the server asks for 2, which is still here."""
    bench.seal(3)
    sent = bench.bodies()
    server.bodies[1] = sent[0]
    bench.shipper._send_seq = 3
    ship(bench)
    assert server.received[:2] == [sent[2], sent[1]]
    assert bench.shipper.flush(20)
    assert sorted(server.bodies) == [1, 2, 3]


@pytest.mark.parametrize(
    "expected",
    [
        {"expected_seq": 3, "expected_prev_hash": "f" * 64},
        {"expected_seq": 99, "expected_prev_hash": "f" * 64},
        {"expected_seq": 1, "expected_prev_hash": "f" * 64},
        {},
    ],
)
def test_a_chain_that_cannot_be_joined_is_an_alarm_and_nothing_is_forgotten(
    bench: Bench, server: BatchServer, expected: dict[str, object]
) -> None:
    bench.seal(3)
    sent = bench.bodies()
    server.always = Fault(status=409, body={"code": "out_of_chain", "detail": "no", **expected})
    ship(bench)
    assert bench.bodies() == sent
    assert bench.shipper.status.alarm == "out_of_chain"
    ((reason, detail),) = bench.reports
    assert reason == "ship_refused"
    assert "which this node cannot give" in detail


def test_questioned_readings_are_acknowledged_and_reported(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    answer = {"seq": 1, "received": 1, "accepted": 0, "duplicates": 0, "conflicts": 1, "quarantined": 0, "next_seq": 2}
    server.faults.append(Fault(status=200, raw=json.dumps(answer).encode()))
    ship(bench)
    assert bench.spool.head() is None
    assert bench.reports == [("readings_questioned", "batch 1: 1 conflicts, 0 quarantined")]


def test_a_server_that_is_gone_keeps_everything(state_dir: Path, server: BatchServer) -> None:
    bench = Bench(state_dir)
    bench.identity = Identity("http://127.0.0.1:9", bench.identity.node, "sample")
    bench.shipper = bench.make()
    bench.seal(2)
    ship(bench)
    assert len(bench.bodies()) == 2
    assert not bench.shipper.flush(0.2)
    assert bench.shipper.status.tries_failed >= 2
    bench.close()


def test_a_server_that_hangs_is_a_timeout(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    head = bench.spool.head()
    assert head is not None
    with httpx.Client(timeout=0.1) as client, server._lock:
        result = deliver(client, head, identity=bench.identity, key=bench.key_ring.key, now=AT)
    assert result == Unreachable("ship_timeout", "the server did not answer in time")


def test_a_broken_spool_does_not_end_the_shipper(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    bench.spool._db.execute("ALTER TABLE batches RENAME TO elsewhere")
    ship(bench)
    assert server.received == []
    bench.spool._db.execute("ALTER TABLE elsewhere RENAME TO batches")
    assert bench.shipper.flush(20)
    assert len(server.bodies) == 1


def test_what_nobody_thought_of_does_not_end_the_shipper(
    bench: Bench, server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    bench.seal()
    real, bench.shipper._client = bench.shipper._client, None  # type: ignore[assignment]  # the point of the test
    ship(bench)
    assert "shipping failed" in caplog.text
    bench.shipper._client = real
    assert bench.shipper.flush(20)


def test_a_batch_sealed_while_the_last_is_under_way_is_waited_for(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    with server._lock:  # from before the start, else the first may be through by now
        bench.shipper.start()
        bench.shipper.kick()
        assert not bench.shipper.wait_idle(0.05)
        bench.seal()
        bench.shipper.kick()
    assert bench.shipper.wait_idle(20)
    assert len(server.bodies) == 2


def test_the_default_jitter_lies_between_half_and_whole() -> None:
    defaults = Shipper.__init__.__kwdefaults__
    assert defaults is not None
    waits = [defaults["jitter"](5.0, 10.0) for _ in range(200)]
    assert min(waits) >= 5
    assert max(waits) <= 10
    assert len(set(waits)) > 100


def test_batches_are_whole_after_the_walk(bench: Bench, server: BatchServer) -> None:
    bench.seal(2)
    ship(bench)
    assert [batch.seq for batch in server.batches] == [1, 2]
    assert server.values("input") == [10, 20]
    assert server.batches[0].node == batches.NODE
