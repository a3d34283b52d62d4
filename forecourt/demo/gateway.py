"""The simulated gateway: posts every finished request as a usage event, the way real gateways misbehave.

Every tenth event is sent twice, each call's events are shuffled, and every seventh call is sent again as a gateway
does that lost the answer. `python -m forecourt.demo.gateway --plan FILE --server URL --keys FILE --counts FILE`.

The position it has come to is kept on disk, so that a gateway killed at any point goes on where it was; what it sends
again then is a duplicate that the platform counts once.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import httpx

from forecourt.demo.plan import instant, read_plan
from forecourt.demo.simclock import WorldClock
from forecourt.demo.workload import model_of
from forecourt.demo.world import GATEWAY
from metering.checks import EventCounts
from metering.stream_usage import usage_of_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecourt.demo.plan import Plan

DUPLICATE_EVERY: Final = 10
RETRY_EVERY: Final = 7
STEP: Final = timedelta(hours=1)
LIVE_POLL_S: Final = 5.0
PAUSE_S: Final = 0.5
SOURCE: Final = "sample-gateway"


class Gateway:
    """Sends what is finished, in the name of each tenant, and remembers how far it has come."""

    def __init__(self, plan: Plan, server: str, keys: dict[str, str], counts: Path) -> None:
        self._plan = plan
        self._server = server
        self._keys = keys
        self._counts_file = counts
        self._client = httpx.Client(timeout=30)
        self._source = random.Random(plan.seed)
        self.counts: dict[str, int] = {
            "position": 0,
            "calls": 0,
            "sent": 0,
            "accepted": 0,
            "duplicates": 0,
            "rejected": 0,
        }
        if counts.exists():
            self.counts = json.loads(counts.read_text())

    def send_finished(self) -> bool:
        """Send everything that is finished by now; says whether the whole list was sent."""
        while True:
            page = self._client.get(f"{self._plan.world_url}/finished?after={self.counts['position']}").json()
            by_stream: dict[str, list[dict[str, object]]] = {}
            for offset, one in enumerate(page["requests"]):
                events = by_stream.setdefault(one["stream"], [])
                events.append(_event(one))
                if (self.counts["position"] + offset) % DUPLICATE_EVERY == 0:
                    events.append(_event(one))
            for stream, events in sorted(by_stream.items()):
                self._post(stream, events)
            self.counts["position"] = page["next"]
            self._remember()
            if not page["requests"]:
                return bool(page["next"] >= page["all"])

    def finish(self) -> None:
        """Note that everything was sent; the process then waits to be ended."""
        self.counts["finished"] = 1
        self._remember()

    def _post(self, stream: str, events: list[dict[str, object]]) -> None:
        self._source.shuffle(events)
        self.counts["calls"] += 1
        self._call(stream, events)
        if self.counts["calls"] % RETRY_EVERY == 0:
            self._call(stream, events)

    def _call(self, stream: str, events: list[dict[str, object]]) -> None:
        """Post until it is acknowledged: the platform may be down for a while."""
        while True:
            try:
                answer = self._client.post(
                    f"{self._server}/api/v1/events",
                    json=events,
                    headers={"Authorization": f"Bearer {self._keys[stream]}"},
                )
            except httpx.HTTPError:
                time.sleep(PAUSE_S)
                continue
            if answer.status_code == httpx.codes.OK:
                break
            if (
                answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR
                and answer.status_code != httpx.codes.TOO_MANY_REQUESTS
            ):
                raise SystemExit(f"the platform refused events: {answer.status_code} {answer.text[:500]}")
            time.sleep(PAUSE_S)
        said: dict[str, Any] = answer.json()
        self.counts["sent"] += len(events)
        self.counts["accepted"] += said["accepted"]
        self.counts["duplicates"] += said["duplicates"]
        self.counts["rejected"] += len(said["rejected"]) + said["conflicts"]

    def _remember(self) -> None:
        waiting = self._counts_file.with_suffix(".new")
        waiting.write_text(json.dumps(self.counts))
        waiting.replace(self._counts_file)


def _chunks(request: dict[str, Any]) -> Iterator[EventCounts]:
    """The usage that the engine repeats while it answers: the prompt at once, the output as far as it is made."""
    for quarter in range(1, 5):
        yield EventCounts(
            input=request["input"], cached_input=request["cached_input"], output=request["output"] * quarter // 4
        )


def _event(request: dict[str, Any]) -> dict[str, object]:
    used = usage_of_stream(_chunks(request))
    assert used is not None
    return {
        "id": f"req-{request['id']}",
        "source": SOURCE,
        "occurred_at": instant(request["done_ms"]).isoformat().replace("+00:00", "Z"),
        "model": model_of(request["stream"]),
        "input": used.input,
        "cached_input": used.cached_input,
        "output": used.output,
    }


def main(argv: list[str]) -> NoReturn:
    """Live through the planned world hour by hour; with --live follow the real clock instead, without end."""
    parser = argparse.ArgumentParser(prog="python -m forecourt.demo.gateway")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--counts", type=Path, required=True)
    parser.add_argument("--live", action="store_true")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    plan = read_plan(options.plan)
    gateway = Gateway(plan, options.server, json.loads(options.keys.read_text()), options.counts)
    if options.live:
        while True:
            gateway.send_finished()
            time.sleep(LIVE_POLL_S)
    clock, never = WorldClock(plan.world_url, GATEWAY), threading.Event()
    end_at = instant(plan.end_ms)
    # First sent, then slept: one that was killed at work finds here what it had not sent yet.
    gateway.send_finished()
    while clock.now() < end_at:
        clock.sleep_until(min(clock.now() + STEP, end_at), never)
        gateway.send_finished()
    gateway.finish()
    while True:
        time.sleep(LIVE_POLL_S)


if __name__ == "__main__":
    main(sys.argv[1:])
