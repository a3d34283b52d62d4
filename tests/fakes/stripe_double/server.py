"""HTTP around the double: the API under ``/v1``, and a control side under ``/_double`` that needs no key.

| control request | does |
|---|---|
| ``POST /_double/faults`` | queue faults (one object or a list of ``faults.Fault`` members); DELETE forgets them |
| ``POST /_double/pay`` | ``{"invoice": id, "payment_method": "pm_card_visa"}``: a customer pays the hosted page |
| ``POST /_double/reset`` | forget everything: a double as it was when it started (not with a journal) |
| ``POST /_double/unlawful`` | the requests that the package's types do not allow, and forget them |
| ``GET /_double/state`` | everything: objects by kind, requests seen, deliveries made |
| ``POST /_double/webhooks`` | members of ``webhooks.Manner``, and ``url`` + ``secret`` to add an endpoint |
| ``POST /_double/checkout`` | ``{"session": id, "payment_method": …}``: a customer completes a Checkout session |
| ``POST /_double/account`` | ``{"account": id, "does": "onboard"}``, ``restrict``, or ``pay_out`` + ``currency`` |
| ``POST /_double/funds`` | members of ``funds.Funds``: fees, and how long a charge is pending |
| ``POST /_double/balance`` | ``{"currency": …, "top_up": minor units}``; without ``top_up`` all leaves for the bank |
| ``POST /_double/refund_fails`` | ``{"refund": id}``: the bank sends a refund back |
| ``POST /_double/dispute`` | ``{"charge": id}``, with ``amount`` and ``reason`` if wanted: a chargeback |
| ``POST /_double/dispute_closes`` | ``{"dispute": id, "outcome": "won"}``, or ``lost`` |
| ``/_double/hosted/<invoice>`` | the page that ``hosted_invoice_url`` names; POST pays |
| ``/_double/checkout/<session>`` | the page of a Checkout session; POST completes it and leads on |
| ``/_double/onboarding/<account>/<token>`` | the page of an account link; POST fills it in and leads back |
"""

import argparse
import http.server
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.stripe_double.controls import control
from tests.fakes.stripe_double.double import Double, Request
from tests.fakes.stripe_double.hosted import PAGES, Page
from tests.fakes.stripe_double.refusals import Refusal

LOOPBACK = "127.0.0.1"
READY = "listening on "


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    double: Double


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Head and body leave in one segment, or each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server names it
        """Stay silent: ``/_double/state`` holds the log."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        url = urlsplit(self.path)
        if url.path.startswith("/_double/"):
            self._control(url.path.removeprefix("/_double/"), body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.double.answer(Request(self.command, url.path, url.query, body, headers))
        if answer.hang_s:
            time.sleep(answer.hang_s)
        if answer.status == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send_json(answer.status, answer.body, answer.headers)

    def _control(self, name: str, body: str) -> None:
        try:
            kind, *ids = name.split("/")
            if (self.command, name) == ("POST", "reset"):
                self.server.double = self.server.double.renewed()
                self._send_json(200, {})
            elif ids and kind in PAGES:
                self._page(PAGES[kind], tuple(ids), body)
            else:
                self._send_json(200, control(self.server.double, self.command, name, body))
        except Refusal as refusal:
            self._send_json(refusal.status, refusal.body)

    def _page(self, page: Page, ids: tuple[str, ...], body: str) -> None:
        form = {name: values[0] for name, values in parse_qs(body).items()} if self.command == "POST" else None
        shown = page(self.server.double, ids, form)
        head = {"Location": shown.location} if shown.location else None
        self._send(303 if shown.location else 200, "text/html; charset=utf-8", shown.body.encode(), head)

    def _send_json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), headers)

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until killed. Prints ``listening on <address>`` once requests are answered."""
    parser = argparse.ArgumentParser(prog="stripe_double", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--webhook-url", help="deliver every event here")
    parser.add_argument("--webhook-secret", help="sign the deliveries with this (whsec_…)")
    parser.add_argument("--state", type=Path, help="journal everything here, and start from it")
    given = parser.parse_args()
    if bool(given.webhook_url) != bool(given.webhook_secret):
        parser.error("--webhook-url and --webhook-secret go together")
    with _Server((LOOPBACK, given.port), _Handler) as server:
        base_url = f"http://{LOOPBACK}:{server.server_port}"
        server.double = Double(given.state, base_url)
        if given.webhook_url:
            server.double.deliver_to(given.webhook_url, given.webhook_secret)
        print(f"{READY}{base_url}", flush=True)
        server.serve_forever()
