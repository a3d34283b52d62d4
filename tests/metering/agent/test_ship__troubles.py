"""Shipping in trouble: what is never taken, a whole outage, a key that changes, a server that asks for patience."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from metering.agent import keys
from metering.agent.ship import BACKOFF_S_MAX, SET_ASIDE_AFTER
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.test_ship import Bench, ship, wait_for


@pytest.fixture
def bench(state_dir: Path) -> Iterator[Bench]:
    bench = Bench(state_dir)
    yield bench
    bench.close()


def let_the_pause_pass(bench: Bench) -> None:
    bench.clock.shift_s += BACKOFF_S_MAX + 1
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)


@pytest.mark.parametrize("code", ["batch_malformed", "batch_too_large"])
def test_a_batch_that_the_server_will_never_take_is_set_aside_and_blocks_no_other(
    bench: Bench, server: BatchServer, code: str
) -> None:
    bench.seal(3)
    first, *_ = bench.bodies()
    server.faults.extend(Fault(status=400, body={"code": code, "detail": "because"}) for _ in range(SET_ASIDE_AFTER))
    ship(bench)
    for _ in range(SET_ASIDE_AFTER - 1):
        assert server.bodies == {}
        let_the_pause_pass(bench)
    assert server.received[:SET_ASIDE_AFTER] == [first] * SET_ASIDE_AFTER
    assert [batch.seq for batch in server.batches] == [1, 2]
    assert server.values("input") == [20, 30]
    assert (bench.shipper.status.alarm, bench.shipper.status.set_aside_batches) == ("", 1)
    bench.seal()
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)
    assert server.outcomes() == {("spool", "batch_set_aside"): 1}


def test_a_server_that_takes_no_batch_at_all_has_one_set_aside_and_keeps_the_rest_waiting(
    bench: Bench, server: BatchServer
) -> None:
    """As an agent does that is newer than its server: upgrade the server, and everything else is still there."""
    bench.seal(3)
    server.always = Fault(status=400, body={"code": "batch_malformed", "detail": "unknown field"})
    ship(bench)
    for _ in range(3 * SET_ASIDE_AFTER):
        let_the_pause_pass(bench)
    assert (bench.shipper.status.set_aside_batches, len(bench.bodies())) == (1, 2)
    server.always = None
    let_the_pause_pass(bench)
    assert server.values("input") == [20, 30]


@pytest.mark.parametrize("body", [{}, {"code": "node_revoked"}, {"code": "out_of_chain"}])
def test_what_a_person_or_a_proxy_has_to_mend_is_never_set_aside(
    bench: Bench, server: BatchServer, body: dict[str, object]
) -> None:
    bench.seal(2)
    sent = bench.bodies()
    server.always = Fault(status=413, body=body)
    ship(bench)
    for _ in range(SET_ASIDE_AFTER + 2):
        let_the_pause_pass(bench)
    assert set(server.received) == {sent[0]}
    assert bench.bodies() == sent
    assert bench.shipper.status.alarm
    kept = bench.spool.get_meta("ship_alarm")
    assert kept is not None
    assert bench.shipper.status.alarm in kept
    server.always = None
    assert bench.shipper.flush(20)
    assert bench.spool.get_meta("ship_alarm") == ""


def test_after_an_outage_what_waits_is_shipped_in_order_at_a_bounded_rate(bench: Bench, server: BatchServer) -> None:
    bench.shipper.drain_batches_per_s = 1
    bench.clock.monotonic_s = lambda: 1_000.0 + bench.clock.shift_s  # type: ignore[method-assign]  # time stands still
    bench.seal(4)
    sent = bench.bodies()
    server.faults.append(Fault(status=503))
    ship(bench)
    bench.clock.shift_s += BACKOFF_S_MAX
    for number in range(1, 5):
        bench.shipper.kick()
        wait_for(lambda number=number: len(server.bodies) == number and bench.shipper._pausing())  # type: ignore[misc]  # bound to this round
        # Whoever waits for the backlog waits on: a pause between two batches is no reason to run ahead.
        assert not bench.shipper.wait_idle(0)
        assert len(server.bodies) == number
        bench.clock.shift_s += 1
    assert server.received == [sent[0], *sent]
    # The outage is over once nothing waits: full speed again.
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)
    bench.seal(3)
    bench.shipper.kick()
    wait_for(lambda: len(server.bodies) == 7)


def test_a_key_that_was_rotated_meanwhile_is_taken_at_once(bench: Bench, server: BatchServer, state_dir: Path) -> None:
    bench.seal(2)
    sent = bench.bodies()
    new = keys.load_or_create_pending(state_dir)
    server.public_key = new.public_key().public_bytes_raw()
    ship(bench)
    assert server.received == [sent[0], *sent]
    assert bench.spool.head() is None
    assert (bench.shipper.status.alarm, bench.reports) == ("", [])
    # The answer to the rotation never came, so the agent itself put the key in its place.
    assert keys.load(state_dir).private_bytes_raw() == new.private_bytes_raw()


def test_the_servers_clock_is_compared_with_ours(bench: Bench, server: BatchServer) -> None:
    bench.seal()
    ship(bench)
    ahead_s = bench.shipper.status.clock_ahead_s
    assert ahead_s is not None
    assert abs(ahead_s) < 30


def test_all_who_were_asked_to_wait_come_back_spread(bench: Bench) -> None:
    waits = []
    for share in (0.5, 0.75, 1.0):
        bench.shipper._jitter = lambda _, longest_s, share=share: longest_s * share  # type: ignore[misc]  # chosen
        bench.shipper._failures = 3
        bench.shipper._back_off(1.0, 60.0)
        waits.append(round(bench.shipper._not_before_s - bench.clock.monotonic_s()))
    assert waits == [60, 62, 64]
