"""A small sample world in a real process, and a platform that only takes events, for the demo's own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecourt.demo.plan import Plan, make_plan, write_plan
from forecourt.demo.programs import answers, ask
from forecourt.demo.world import GATEWAY
from tests.servers.packaged import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
START_TIMEOUT_S = 60


def small_plan(requests: int = 300) -> Plan:
    """The last two days of October 2026 with few requests."""
    ports = free_ports(5)
    return make_plan(seed=7, requests=requests, now=NOW, ports=ports, trace_dir="", jobs_dir="", days=2)


@contextmanager
def running_world(plan: Plan, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The world's own process, serving."""
    write_plan(plan, folder / "plan.json")
    argv = [sys.executable, "-m", "forecourt.demo.world", "--plan", str(folder / "plan.json")]
    process = subprocess.Popen(argv, cwd=ROOT, env=os.environ)
    try:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not answers(f"{plan.world_url}/state"):
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def pass_time(plan: Plan, until_ms: int) -> None:
    """Let everyone who lives by the world's clock sleep until then."""
    for who in (*(node.name for node in plan.nodes), GATEWAY):
        now_ms = ask(f"{plan.world_url}/clock", {"who": who, "until_ms": until_ms})["now_ms"]
    assert now_ms == until_ms


class EventSink:
    """Takes events like the platform: each id once, the rest are duplicates. `refusals` are answered first."""

    def __init__(self, refusals: list[int] | None = None) -> None:
        self.refusals = list(refusals or [])
        self.seen: dict[str, dict[str, Any]] = {}
        self.received: list[tuple[str, str]] = []
        """The key and the event id, in the order they came."""

    def take(self, key: str, events: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        if self.refusals:
            return self.refusals.pop(0), {"code": "sample"}
        accepted = 0
        for event in events:
            self.received.append((key, event["id"]))
            accepted += event["id"] not in self.seen
            self.seen[event["id"]] = event
        return 200, {"accepted": accepted, "duplicates": len(events) - accepted, "conflicts": 0, "rejected": []}

    @contextmanager
    def serving(self) -> Iterator[str]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, said = sink.take(self.headers["Authorization"].removeprefix("Bearer "), body)
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
