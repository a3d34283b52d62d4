"""From a counter, and from a request, to usage that the API shows, while everything else goes on.

    python bench/freshness.py [--seconds 60] [--events 10000] [--gateways 2]

Two web processes, worker and beat of an installation. The load: the 125 nodes of a provider of 1,000 GPUs, each of
which reads 120 meters and ships them every 10 s, and gateways that post so many events a second in calls of 1,000.
Twice a second a counter of a model of its own rises and is shipped at once, as agents do, and a request of a model of
its own ends and is posted. A reader asks `GET /api/v1/usage` over and over, and notes when it first sees each. So the
time is that from the reading's own instant to the answer, the pause between two questions included.
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._node import INTERVAL_MS, METERS, BenchNode, make_nodes
from bench._platform import installation, report
from bench.events import CALL_EVENTS, event_call
from metering.wire import (
    BATCHES_PATH,
    HEADER_NODE,
    HEADER_SIGNATURE,
    WIRE_VERSION,
    Batch,
    MeterKey,
    RegisterColumn,
    batch_hash,
    encode_batch,
    sign,
)

NODES = 125
LANES = 2
"""Connections of nodes."""
PROBE_S = 0.5
QUESTION_S = 0.2
SETTLE_S = 30
JSON = {"Content-Type": "application/json"}


@dataclass
class Caller:
    """One kept connection; any answer but 200 ends the run."""

    port: int
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        """Connect when first used."""
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        """Send one request and return the answer's body."""
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text


@dataclass
class Probes:
    """When each probe was read or ended, and when it was seen."""

    sent_s: dict[str, float] = field(default_factory=dict)
    seen_s: dict[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, object]:
        """Return how long they took, in seconds."""
        took = sorted(self.seen_s[name] - sent for name, sent in self.sent_s.items() if name in self.seen_s)
        return {
            "probes": len(self.sent_s),
            "not_seen": len(self.sent_s) - len(took),
            "s_p50": round(statistics.median(took), 2),
            "s_p99": round(statistics.quantiles(took, n=100, method="inclusive")[98], 2),
            "s_max": round(took[-1], 2),
        }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  a benchmark is an entry point


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--events", type=int, default=10_000, help="a second")
    parser.add_argument("--gateways", type=int, default=2, help="that post them, each over one connection")
    arguments = parser.parse_args()
    now = _now()
    with installation(web_processes=2, background=True) as here:
        nodes = make_nodes(NODES + 1, now=now, back=timedelta(hours=2))
        keys = _keys(now)
        counters, requests = Probes(), Probes()
        over = threading.Event()
        sent: list[int] = []
        works: list[Callable[[], None]] = [
            *(_nodes(Caller(here.port), nodes[lane:NODES:LANES], over) for lane in range(LANES)),
            *(
                _paced_calls(
                    _gateway(Caller(here.port), keys[0], range(lane, sys.maxsize, arguments.gateways), sent),
                    arguments.events / arguments.gateways,
                    over,
                )
                for lane in range(arguments.gateways)
            ),
            _probing(Caller(here.port), nodes[NODES], keys[0], (counters, requests), over),
        ]
        done = threading.Event()
        reader = _reading(Caller(here.port), keys[1], (counters, requests), done)
        _run([*works, reader], lambda: _wait(arguments.seconds, over, done, (counters, requests)))
    report(
        {
            "seconds": arguments.seconds,
            "events_per_s": round(sum(sent) / arguments.seconds),
            "readings_per_s": round(NODES * METERS * 1000 / INTERVAL_MS),
            "counter_to_usage": counters.figures(),
            "event_to_usage": requests.figures(),
        }
    )
    return 0


def _keys(now: datetime) -> tuple[str, str]:
    """Store a tenant with a deployment of the nodes' provider; return keys of the tenant and the provider."""
    from tenants.api_keys import issue_key
    from tenants.models import Organization
    from tests.factories import make_deployment, make_organization

    provider = Organization.objects.get(is_provider=True)
    tenant = make_organization("bench-tenant")
    make_deployment(provider, tenant)
    scopes = ["events:write", "usage:read"]
    first, second = (
        issue_key(organization=one, name="bench", scopes=scopes, actor="bench", now=now).secret
        for one in (tenant, provider)
    )
    return first, second


def _run(works: list[Callable[[], None]], until: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as failed:  # noqa: BLE001  handed to the caller below
            failures.append(failed)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    until()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _wait(seconds: int, over: threading.Event, done: threading.Event, probes: tuple[Probes, Probes]) -> None:
    time.sleep(seconds)
    over.set()
    ends_s = time.monotonic() + SETTLE_S
    while time.monotonic() < ends_s and any(one.sent_s.keys() - one.seen_s.keys() for one in probes):
        time.sleep(QUESTION_S)
    done.set()


def _paced(period_s: float, over: threading.Event, act: Callable[[], None]) -> None:
    """Act every so often, without making up for what was missed."""
    next_s = time.monotonic()
    while not over.is_set():
        act()
        next_s = max(next_s + period_s, time.monotonic())
        over.wait(next_s - time.monotonic())


def _nodes(caller: Caller, nodes: list[BenchNode], over: threading.Event) -> Callable[[], None]:
    began_ms = int(_now().timestamp() * 1000)
    for number, node in enumerate(nodes):
        node.begins_ms = began_ms + number * INTERVAL_MS // len(nodes)
    turn = iter(range(sys.maxsize))

    def ship() -> None:
        node = nodes[next(turn) % len(nodes)]
        sealed = node.seal(1)
        _send_batch(caller, node, sealed.body)

    return lambda: _paced(INTERVAL_MS / 1000 / len(nodes), over, ship)


def _send_batch(caller: Caller, node: BenchNode, body: bytes) -> None:
    headers = {HEADER_NODE: node.id, HEADER_SIGNATURE: sign(node.key, body), "Content-Encoding": "zstd"}
    caller.ask("POST", BATCHES_PATH, body, headers)


def _paced_calls(post: Callable[[], None], events_per_s: float, over: threading.Event) -> Callable[[], None]:
    return lambda: _paced(CALL_EVENTS / events_per_s, over, post)


def _gateway(caller: Caller, key: str, numbers: range, sent: list[int]) -> Callable[[], None]:
    noise = random.Random(numbers.start)  # noqa: S311  noise, not a secret
    headers = {"Authorization": f"Bearer {key}", **JSON}
    turn = iter(numbers)

    def post() -> None:
        now = _now()
        path, body, named = event_call(noise, headers, now, next(turn))
        caller.ask("POST", path, body, named)
        sent.append(CALL_EVENTS)

    return post


def _probing(
    caller: Caller, node: BenchNode, key: str, probes: tuple[Probes, Probes], over: threading.Event
) -> Callable[[], None]:
    counters, requests = probes
    turn = iter(range(sys.maxsize))

    def probe() -> None:
        number = next(turn)
        name, read_s = f"counter-{number}", _now().timestamp()
        counters.sent_s[name] = read_s
        _send_batch(caller, node, _rise(node, name, int(read_s * 1000)))
        name, ended_s = f"request-{number}", _now().timestamp()
        requests.sent_s[name] = ended_s
        at = datetime.fromtimestamp(ended_s, UTC).isoformat()
        event = {"id": name, "source": "probe", "occurred_at": at, "model": name, "input": 1, "output": 1}
        caller.ask("POST", "/api/v1/events", json.dumps([event]).encode(), {"Authorization": f"Bearer {key}", **JSON})

    return lambda: _paced(PROBE_S, over, probe)


def _rise(node: BenchNode, model: str, read_ms: int) -> bytes:
    """Seal a batch in which a new counter rises by 7."""
    meter = MeterKey("endpoint", "http://127.0.0.1:9000", "vllm", model, "output")
    node.seq += 1
    body = encode_batch(
        Batch(
            version=WIRE_VERSION,
            node=node.id,
            seq=node.seq,
            prev_hash=node.prev_hash,
            agent_version="0.1.0",
            boot_id="boot-1",
            created_at_ms=read_ms,
            monotonic_ms=node.seq * 1_000,
            metered_to_ms=read_ms,
            registers=[RegisterColumn(meter, "epoch-1", None, "none", 1, [0, 7], [read_ms - 1, read_ms])],
            gauges=[],
            outcomes=[],
            accelerators=[],
            endpoints=[],
        )
    )
    node.prev_hash = batch_hash(body)
    return body


def _reading(caller: Caller, key: str, probes: tuple[Probes, Probes], done: threading.Event) -> Callable[[], None]:
    headers = {"Authorization": f"Bearer {key}"}

    def look() -> None:
        for witness, one in zip(("engine", "gateway"), probes, strict=True):
            for name in _models(caller, headers, witness):
                one.seen_s.setdefault(name, _now().timestamp())

    return lambda: _paced(QUESTION_S, done, look)


def _models(caller: Caller, headers: dict[str, str], witness: str) -> list[str]:
    """Return the models of the last hours that have output, by as many pages as there are."""
    now = _now()
    window = f"from={now - timedelta(hours=2):%Y-%m-%dT%H}:00:00Z&to={now + timedelta(hours=2):%Y-%m-%dT%H}:00:00Z"
    path = f"/api/v1/usage?{window}&granularity=total&group_by=model&witness={witness}&class=output&limit=500"
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = json.loads(caller.ask("GET", f"{path}&cursor={cursor}" if cursor else path, None, headers))
        found += [row["model"] for row in page["usage"] if row["value"] != "0"]
        cursor = page["next_cursor"]
    return found


if __name__ == "__main__":
    sys.exit(main())
