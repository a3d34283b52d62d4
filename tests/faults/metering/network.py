"""The way between node, gateway and server: the real web application, reached through what goes wrong on the way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from django.db import OperationalError, connection

from metering.wire import inflate, wire_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.metering.plan import SendFault


class Way(httpx.BaseTransport):
    """Carries requests to the application in this process; `fault` befalls the next one, then all is well again."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._inner = httpx.WSGITransport(app=application, raise_app_exceptions=False)
        self.fault: SendFault | None = None
        self.cut = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Deliver, lose or spoil."""
        fault, self.fault = self.fault, None
        if self.cut or fault == "request_lost":
            raise httpx.ConnectError("the network is cut", request=request)
        if fault == "server_error":
            return httpx.Response(503, headers={"Retry-After": "1"}, request=request)
        body = request.read()
        if fault == "older_server" and wire_version(inflate(body, "zstd")) > 1:
            problem = {"code": "batch_malformed", "where": "$.version", "detail": "$.version: Invalid enum value 2"}
            return httpx.Response(400, json=problem, request=request)
        body = _spoilt(body, fault)
        headers = [(name, text) for name, text in request.headers.multi_items() if name != "content-length"]
        if fault == "forged":
            headers = [(name, text[::-1] if name == "forecourt-signature" else text) for name, text in headers]
        carried = httpx.Request(request.method, request.url, headers=headers, content=body)
        response = self._inner.handle_request(carried)
        response.read()
        if fault == "older_server":
            return _without_version(response)
        if fault == "answer_lost":
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return response


def _spoilt(body: bytes, fault: SendFault | None) -> bytes:
    if fault == "corrupted":
        middle = len(body) // 2
        return body[:middle] + bytes([body[middle] ^ 0x10]) + body[middle + 1 :]
    return body[: len(body) * 2 // 3] if fault == "truncated" else body


def _without_version(response: httpx.Response) -> httpx.Response:
    """The answer as a server gives it that knows the first version of the wire alone."""
    if response.status_code != httpx.codes.OK:
        return response
    told = {name: value for name, value in response.json().items() if name != "wire_version"}
    return httpx.Response(200, json=told)


class Struck(OperationalError):
    """The database connection went away in the middle."""


@contextmanager
def struck_at(statement: int) -> Iterator[None]:
    """Let the database go away at a statement of this thread, counted from 0; nothing where there are fewer."""
    seen = 0

    def strike(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal seen
        seen += 1
        if seen - 1 == statement:
            raise Struck("the connection was lost")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(strike):
        yield
