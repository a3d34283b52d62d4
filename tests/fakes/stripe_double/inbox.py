"""A webhook address that keeps what is posted to it, for tests of deliveries."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """One POST: the raw body and its signature, and the status it was answered with."""

    body: bytes
    signature: str
    status: int

    @property
    def event(self) -> dict[str, Any]:
        """The body, decoded."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@dataclass
class Inbox:
    """``answers`` are the statuses for the next deliveries, in order; after them 200."""

    url: str
    deliveries: list[Delivery] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        """Types of the events that were accepted, in the order of their arrival."""
        return [one.event["type"] for one in self.deliveries if one.status == 200]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    inbox: Inbox


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        inbox = self.server.inbox
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = inbox.answers.pop(0) if inbox.answers else 200
        inbox.deliveries.append(Delivery(body, self.headers["Stripe-Signature"], status))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server names it
        """Stay silent."""


@contextmanager
def webhook_inbox() -> Iterator[Inbox]:
    """An inbox on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.inbox = Inbox(f"http://127.0.0.1:{server.server_port}/webhooks/stripe")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.inbox
        finally:
            server.shutdown()
            thread.join()
