"""Newer agents and older servers, and the other way round: each is spoken to in a version of the wire that it reads."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from metering.agent.seal import WIRE_META
from metering.agent.ship import BACKOFF_S_MAX
from metering.wire import decode_batch
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.test_ship import Bench, ship, wait_for

OLDER: dict[str, object] = {"code": "batch_malformed", "where": "$.version", "detail": "Invalid enum value 2"}


@pytest.fixture
def bench(state_dir: Path) -> Iterator[Bench]:
    bench = Bench(state_dir)
    yield bench
    bench.close()


def versions(bodies: list[bytes]) -> list[int]:
    return [decode_batch(body, "zstd").version for body in bodies]


def test_the_newer_wire_is_spoken_once_the_server_said_that_it_reads_it(bench: Bench, server: BatchServer) -> None:
    bench.seal(2)
    ship(bench)
    # What was sealed before is sent as it is; what is sealed from now on is newer.
    assert versions(server.received) == [1, 1]
    bench.seal(2)
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)
    assert versions(server.received) == [1, 1, 2, 2]
    assert server.values("input") == [10, 20, 30, 40]


def test_an_older_server_is_spoken_to_in_the_first_version(bench: Bench, server: BatchServer) -> None:
    server.wire_version = 1
    bench.seal(1)
    ship(bench)
    bench.seal(1)
    bench.shipper.kick()
    assert bench.shipper.wait_idle(20)
    assert versions(server.received) == [1, 1]
    assert bench.reports == []


def test_a_server_that_became_older_gets_what_waits_in_its_version(bench: Bench, server: BatchServer) -> None:
    bench.spool.set_meta(WIRE_META, "2")
    bench.seal(3)
    server.wire_version = 1
    bench.shipper.start()
    bench.shipper.kick()
    for tries in (1, 2):
        wait_for(partial(bench.waited, tries))
        bench.clock.shift_s += BACKOFF_S_MAX
        bench.shipper.kick()
    wait_for(lambda: bench.spool.head() is None)
    # It was given time to be the newer one again: a rolling upgrade answers now so, now so.
    assert versions(server.received) == [2, 2, 2, 1, 1, 1]
    assert [batch.version for batch in server.batches] == [1, 1, 1]
    assert server.values("input") == [10, 20, 30]
    assert bench.shipper.status.set_aside_batches == 0
    assert bench.shipper.status.alarm == ""


def test_a_lost_answer_of_a_newer_server_does_not_stop_the_chain(bench: Bench, server: BatchServer) -> None:
    bench.spool.set_meta(WIRE_META, "2")
    bench.seal(2)
    # It took the batch, nobody heard it, and an older process answers for a while.
    server.faults.extend([Fault(status=0, commit=True), *[Fault(400, OLDER)] * 3])
    bench.shipper.start()
    bench.shipper.kick()
    for tries in (1, 2, 3):
        wait_for(partial(bench.waited, tries))
        bench.clock.shift_s += BACKOFF_S_MAX
        bench.shipper.kick()
    wait_for(lambda: bench.spool.head() is None)
    assert [batch.version for batch in server.batches] == [2, 1]
    assert server.values("input") == [10, 20]
    wait_for(lambda: bench.shipper.status.alarm == "")
