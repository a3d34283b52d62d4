"""The world's process: its clock, its simulated inference servers, and the list of finished requests.

`python -m forecourt.demo.world --plan FILE`. It is what a data centre would be; the platform never knows it.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from forecourt.demo.engines import Engine
from forecourt.demo.plan import Plan, read_plan, requests_of, served_model
from forecourt.demo.quantiles import CODE_INPUT, CODE_OUTPUT, CONVERSATION_INPUT, CONVERSATION_OUTPUT, draw
from forecourt.demo.simclock import POLL_S, LockStepClock
from forecourt.demo.workload import CHAT, Request

if TYPE_CHECKING:
    from collections.abc import Callable

GATEWAY: Final = "gateway"
LIVE_EVERY_S: Final = 2.0
FINISHED_MAX: Final = 1000


class World:
    """The plan come alive."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._workload = plan.workload()
        self._finished = sorted(self._workload, key=lambda one: (one.done_ms, one.id))
        self._live = False
        self._lock = threading.Lock()
        self.engines = {
            endpoint.port: Engine(
                endpoint.engine, served_model(endpoint), requests_of(endpoint, self._workload), plan.from_ms
            )
            for node in plan.nodes
            for endpoint in node.endpoints
        }
        self._streams = {endpoint.port: endpoint.stream for node in plan.nodes for endpoint in node.endpoints}
        self.clock = LockStepClock(
            now_ms=plan.from_ms,
            end_ms=plan.end_ms,
            participants=frozenset({GATEWAY, *(node.name for node in plan.nodes)}),
            on_advance=lambda _now_ms: None,
        )

    def now_ms(self) -> int:
        """The world's instant; the real one once it is live."""
        return time.time_ns() // 1_000_000 if self._live else self.clock.now_ms

    def page(self, port: int) -> str:
        """What the inference server at a port serves now."""
        with self._lock:
            return self.engines[port].page(self.now_ms())

    def finished(self, after: int) -> dict[str, object]:
        """The requests done by now from position `after` on, 1,000 at most, and the position to ask from next."""
        with self._lock:
            now_ms = self.now_ms()
            rows = []
            for one in self._finished[after : after + FINISHED_MAX]:
                if one.done_ms > now_ms:
                    break
                rows.append(asdict(one))
        return {"requests": rows, "next": after + len(rows), "all": len(self._finished)}

    def go_live(self) -> None:
        """Follow the real clock from now on, with a request every other second."""
        if not self._live:
            self._live = True
            threading.Thread(target=self._make_requests, daemon=True).start()

    def _make_requests(self) -> None:
        source = random.Random(self.plan.seed)
        number = 0
        while True:
            time.sleep(LIVE_EVERY_S)
            number += 1
            port = source.choice(list(self.engines))
            stream = self._streams[port]
            inputs, outputs = (CONVERSATION_INPUT, CONVERSATION_OUTPUT) if stream == CHAT else (CODE_INPUT, CODE_OUTPUT)
            now_ms = self.now_ms()
            request = Request(
                id=f"live-{now_ms}-{number}",
                stream=stream,
                at_ms=now_ms,
                prefilled_ms=now_ms + 100,
                done_ms=now_ms + 1000,
                input=draw(inputs, source.uniform(0, 100)),
                cached_input=0,
                output=draw(outputs, source.uniform(0, 100)),
            )
            with self._lock:
                self.engines[port].add(request)
                self._finished.append(request)


def _handler(answer: Callable[[str, str, dict[str, Any]], tuple[str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            self._answer(json.loads(self.rfile.read(length) or b"{}"))

        def _answer(self, body: dict[str, Any]) -> None:
            path, _, query = self.path.partition("?")
            try:
                kind, content = answer(path, query, body)
            except KeyError:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
            pass

    return Handler


def _serve(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer.request_queue_size = 64
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


class Control:
    """The world's own server: its clock, what is finished, where it stands, and the switch to real time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._answers: dict[str, Callable[[str, dict[str, Any]], object]] = {
            "/clock": self._clock,
            "/finished": lambda query, _body: world.finished(int(query.removeprefix("after="))),
            "/state": self._state,
            "/live": lambda _query, _body: world.go_live(),
        }

    def answer(self, path: str, query: str, body: dict[str, Any]) -> tuple[str, bytes]:
        """Answer one request; KeyError for an address that is none."""
        return "application/json", json.dumps(self._answers[path](query, body)).encode()

    def _clock(self, _query: str, body: dict[str, Any]) -> object:
        who, world = body["who"], self._world
        return {"now_ms": world.clock.sleep(who, int(body["until_ms"]), POLL_S) if who else world.now_ms()}

    def _state(self, _query: str, _body: dict[str, Any]) -> object:
        plan = self._world.plan
        return {"now_ms": self._world.now_ms(), "from_ms": plan.from_ms, "end_ms": plan.end_ms}


def serve(plan: Plan) -> None:
    """Serve the world until the process is ended."""
    world = World(plan)

    def metrics(port: int) -> Callable[[str, str, dict[str, Any]], tuple[str, bytes]]:
        def answer(path: str, _query: str, _body: dict[str, Any]) -> tuple[str, bytes]:
            if path != "/metrics":
                raise KeyError(path)
            return "text/plain; version=0.0.4; charset=utf-8", world.page(port).encode()

        return answer

    for port in world.engines:
        threading.Thread(target=_serve(port, _handler(metrics(port))).serve_forever, daemon=True).start()
    _serve(plan.world_port, _handler(Control(world).answer)).serve_forever()


def main(argv: list[str]) -> int:
    """Run the world of a plan."""
    parser = argparse.ArgumentParser(prog="python -m forecourt.demo.world")
    parser.add_argument("--plan", type=Path, required=True)
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(read_plan(options.plan))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
