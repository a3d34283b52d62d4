"""The lean way for machines: the same answers as Django gives, without the middleware of pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.urls import resolve

from forecourt import wsgi
from forecourt.wsgi import LEAN_PATHS, application
from metering.models import Batch
from metering.wire import BATCH_BYTES_MAX
from tests.factories import Cast
from tests.metering.fleet import NOON_MS, column, make_agent, meter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.urls import ResolverMatch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept_connection() -> Iterator[None]:
    """Keep the test's transaction over requests, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def call(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> tuple[int, dict[str, str], bytes]:
    said: dict[str, Any] = {}

    def start_response(status: str, found: list[tuple[str, str]]) -> None:
        said["status"], said["headers"] = int(status.split(" ")[0]), dict(found)

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    answer = application(environ, start_response)
    content = b"".join(answer)
    answer.close()  # type: ignore[attr-defined]  # Django's answers have it
    return said["status"], said["headers"], content


def test_a_batch_is_taken_and_the_answer_says_how_long_it_is(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    sent = agent.seal(registers=[column(meter(), [1, 2], [NOON_MS, NOON_MS + 10_000])])
    headers = {
        "content_encoding": "zstd",
        "forecourt_node": sent.node,
        "forecourt_signature": sent.signature,
    }
    status, said, content = call("/api/v1/batches", sent.body, **headers)
    assert (status, said["Content-Type"], said["Content-Length"]) == (200, "application/json", str(len(content)))
    assert Batch.objects.get().readings == 2
    assert "Set-Cookie" not in said
    status, said, content = call("/api/v1/batches", sent.body[:-1], **headers)
    assert (status, said["Content-Type"]) == (401, "application/problem+json")
    assert said["Content-Length"] == str(len(content))


def test_bounds_and_methods_hold_there_too() -> None:
    assert call("/api/v1/batches", b"", "GET")[0] == 405
    assert call("/api/v1/batches", b"\0" * (BATCH_BYTES_MAX + 1))[0] == 413


def test_addresses_without_a_varying_part_are_looked_for_once_and_others_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []

    def look(path: str) -> ResolverMatch:
        looked.append(path)
        return resolve(path)

    monkeypatch.setattr(wsgi, "resolve", look)
    monkeypatch.setattr(wsgi, "_pages", wsgi.KnowingHandler())
    varying = ["/api/v1/contracts/01a206f9-d25b-74a7-9479-036209d2c06c", "/api/v1/contracts/other"]
    paths = ["/health/live", "/health/live", *varying, *varying, "/nowhere", "/nowhere", "/health/live"]
    answered = [call(path, method="GET")[0] for path in paths]
    assert (answered[0], answered[1], answered[-1]) == (200, 200, 200)
    assert answered[-3:-1] == [404, 404]
    assert looked == ["/health/live", *varying, *varying, "/nowhere", "/nowhere"]


def test_everything_else_goes_the_way_of_pages() -> None:
    assert all(path.startswith("/api/") for path in LEAN_PATHS)
    status, said, _ = call("/health/live", method="GET")
    assert status == 200
    assert "Content-Security-Policy" in said
