"""A real HTTP server that keeps the wire's contract, and fails on demand."""

import base64
import json
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import msgspec

from metering import wire, wire_keys


@dataclass
class Fault:
    """What happens to one request: `commit` says whether the server does its work first.

    `status` 0 closes the connection without an answer.
    """

    status: int
    body: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    commit: bool = False
    raw: bytes | None = None


class Handler(BaseHTTPRequestHandler):
    """Hands requests to its server."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: without this each answer takes 40 ms.
    disable_nagle_algorithm = True
    outer: "BatchServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.outer._lock:
            status, answer, headers, raw = self.outer.answer(self.path, body, dict(self.headers.items()))
        if status == 0:
            self.close_connection = True
            return
        self.reply(status, raw if raw is not None else json.dumps(answer).encode(), headers)

    def do_GET(self) -> None:
        self.reply(200, b"{}", {})

    def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            # A 204 has no body, not even an empty one with its length.
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)
        except OSError:
            # The client did not wait for the answer.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


class BatchServer:
    """Enrols one node and takes its batches; `faults` are used up one a batch request. Use as a context."""

    def __init__(self) -> None:
        self.node = str(uuid.UUID(int=7))
        self.tokens = {"good-token"}
        self.public_key = b""
        self.bodies: dict[int, bytes] = {}
        self.received: list[bytes] = []
        self.sent_at: list[str] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.enrolments: list[wire.Enrolment] = []
        self.continues = False
        self.wire_version = wire.WIRE_VERSION
        self.rejoinings: list[wire_keys.Rejoin] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"outer": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def batches(self) -> list[wire.Batch]:
        """Every batch that the server holds, in order."""
        with self._lock:
            return [wire.decode_batch(self.bodies[seq], "zstd") for seq in sorted(self.bodies)]

    def columns(self, quantity: str) -> list[wire.RegisterColumn]:
        return [column for batch in self.batches for column in batch.registers if column.meter.quantity == quantity]

    def values(self, quantity: str) -> list[int]:
        """All values of a quantity, over all meters of it, in the order they were read."""
        return [value for column in self.columns(quantity) for value in column.values]

    def outcomes(self) -> dict[tuple[str, str], int]:
        """(subject, reason) → count over all batches."""
        counts: dict[tuple[str, str], int] = {}
        for batch in self.batches:
            for outcome in batch.outcomes:
                key = (outcome.subject, outcome.reason)
                counts[key] = counts.get(key, 0) + outcome.count
        return counts

    def answer(
        self, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, object], dict[str, str], bytes | None]:
        if path == wire.ENROL_PATH:
            return (*self.enrol(body), {}, None)
        if path in {wire_keys.ROTATE_PATH, wire_keys.REJOIN_PATH}:
            if self.always is not None:
                return self.always.status, self.always.body, {}, None
            return 200, self.rotate(body) if path == wire_keys.ROTATE_PATH else self.rejoin(body), {}, None
        self.received.append(body)
        self.sent_at.append(headers.get(wire.HEADER_SENT_AT, ""))
        fault = self.faults.popleft() if self.faults else self.always
        if fault is not None and not fault.commit:
            return fault.status, fault.body, fault.headers, fault.raw
        status, answer = self.take(body, headers)
        if fault is not None:
            return fault.status, fault.body, fault.headers, fault.raw
        return status, answer, {}, None

    def enrol(self, body: bytes) -> tuple[int, dict[str, object]]:
        asked = msgspec.json.decode(body, type=wire.Enrolment)
        self.enrolments.append(asked)
        key = base64.b64decode(asked.public_key)
        if asked.token not in self.tokens:
            return 403, {"code": "token_unknown", "detail": "no such token", "status": 403}
        again = key == self.public_key
        if self.public_key and not again:
            return 403, {"code": "token_used", "detail": "the token was used", "status": 403}
        self.public_key = key
        answer: dict[str, object] = {"node": self.node, "cluster": "sample", "server_time": "2026-11-20T10:00:00Z"}
        if self.continues:
            answer["continued"] = True
        return (200 if again else 201), answer

    def rotate(self, body: bytes) -> dict[str, object]:
        """Trust whoever asks: the real server's own tests hold the rules."""
        asked = msgspec.json.decode(body, type=wire_keys.KeyRotation)
        self.public_key = base64.b64decode(asked.new_key)
        return {"node": self.node, "version": 2}

    def rejoin(self, body: bytes) -> dict[str, object]:
        self.rejoinings.append(msgspec.json.decode(body, type=wire_keys.Rejoin))
        return {"node": self.node, "next_seq": 8, "prev_hash": "a" * 64, "next_reading_seq": 100}

    def take(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        if not wire.verify(self.public_key, body, headers.get(wire.HEADER_SIGNATURE, "")):
            return 401, {"code": "signature_invalid", "detail": "the signature is not this node's"}
        if headers.get(wire.HEADER_NODE) != self.node:
            return 404, {"code": "node_unknown", "detail": "no such node"}
        batch = wire.decode_batch(body, headers["Content-Encoding"])
        if batch.version > self.wire_version:
            detail = f"$.version: Invalid enum value {batch.version}"
            return 400, {"code": "batch_malformed", "detail": detail, "where": "$.version"}
        last = max(self.bodies, default=0)
        if batch.seq in self.bodies:
            if self.bodies[batch.seq] != body:
                return 409, {"code": "batch_conflict", "detail": "other bytes"}
            return 200, self.accepted(batch)
        expected_hash = wire.batch_hash(self.bodies[last]) if last else wire.FIRST_PREV_HASH
        if batch.seq != last + 1 or batch.prev_hash != expected_hash:
            return 409, {
                "code": "out_of_chain",
                "detail": "a batch is missing",
                "expected_seq": last + 1,
                "expected_prev_hash": expected_hash,
            }
        self.bodies[batch.seq] = body
        return 200, self.accepted(batch)

    def accepted(self, batch: wire.Batch) -> dict[str, object]:
        received = wire.reading_count(batch)
        # A server that knows the first version alone has no word for it.
        told = {} if self.wire_version == 1 else {"wire_version": self.wire_version}
        return {
            **told,
            "seq": batch.seq,
            "received": received,
            "accepted": received,
            "duplicates": 0,
            "conflicts": 0,
            "quarantined": 0,
            "next_seq": batch.seq + 1,
        }

    def __enter__(self) -> "BatchServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
