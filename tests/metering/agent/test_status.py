"""The agent's own loopback page."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from metering.agent.exposition import parse_page
from metering.agent.status import LOOPBACK, StatusPage, metrics_text


class World:
    """What the page shows, changed by the tests."""

    def __init__(self) -> None:
        self.health: dict[str, object] = {"ok": True, "node": "n"}
        self.reads = 0
        self.on_disk = True

    def read_now(self) -> bool:
        self.reads += 1
        return self.on_disk

    def flush(self) -> str:
        return "read and shipped" if self.read_now() else ""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def status_page(world: World) -> Iterator[StatusPage]:
    status_page = StatusPage(
        0, health=lambda: world.health, metrics=lambda: "a_total 1\n", read_now=world.read_now, flush=world.flush
    )
    status_page.start()
    yield status_page
    status_page.close()


def ask(status_page: StatusPage, method: str, path: str) -> httpx.Response:
    with httpx.Client() as client:
        return client.request(method, f"http://{LOOPBACK}:{status_page.port}{path}")


def test_health_is_a_status_and_a_document(status_page: StatusPage, world: World) -> None:
    answer = ask(status_page, "GET", "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "node": "n"})
    world.health = {"ok": False}
    assert ask(status_page, "GET", "/healthz?verbose=1").status_code == 503


def test_metrics_are_a_prometheus_page(status_page: StatusPage) -> None:
    answer = ask(status_page, "GET", "/metrics")
    assert (answer.status_code, answer.text) == (200, "a_total 1\n")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_stop_hook_can_have_one_read_now(status_page: StatusPage, world: World) -> None:
    assert ask(status_page, "POST", "/read").status_code == 200
    world.on_disk = False
    assert ask(status_page, "POST", "/read").status_code == 503
    assert world.reads == 2


def test_a_stop_hook_can_have_it_shipped_too(status_page: StatusPage, world: World) -> None:
    answer = ask(status_page, "POST", "/flush")
    assert (answer.status_code, answer.text) == (200, "read and shipped\n")
    world.on_disk = False
    assert ask(status_page, "POST", "/flush").status_code == 503


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/flush"), ("POST", "/metrics"), ("PUT", "/read")])
def test_anything_else_is_not_found(status_page: StatusPage, world: World, method: str, path: str) -> None:
    assert ask(status_page, method, path).status_code == 404
    assert world.reads == 0


@pytest.mark.parametrize(
    "noise", [b"", b"\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"x" * 10_000, b"GET /healthz"]
)
def test_noise_does_not_end_it(status_page: StatusPage, noise: bytes) -> None:
    with socket.create_connection((LOOPBACK, status_page.port)) as connection:
        connection.sendall(noise)
    assert ask(status_page, "GET", "/healthz").status_code == 200


def test_a_failing_source_does_not_end_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    status_page = StatusPage(0, health=lambda: world.health, metrics=fail, read_now=world.read_now, flush=str)
    status_page.start()
    with pytest.raises(httpx.RemoteProtocolError):
        ask(status_page, "GET", "/metrics")
    assert ask(status_page, "GET", "/healthz").status_code == 200
    status_page.close()
    assert "a status request failed" in caplog.text


def test_it_listens_on_loopback_alone_and_lets_go_of_its_port(status_page: StatusPage) -> None:
    assert status_page._socket.getsockname()[0] == "127.0.0.1"
    with pytest.raises(OSError, match="in use"):
        StatusPage(status_page.port, health=dict, metrics=str, read_now=bool, flush=str)


def test_figures_become_a_page_that_can_be_parsed() -> None:
    text = metrics_text({"a_total": ("counter", "Things.", 3), "b": ("gauge", "Level.", 123456789012.0)})
    page = parse_page(text.encode(), ["a_total", "b"])
    assert [int(page.samples[name][0].number or 0) for name in ("a_total", "b")] == [3, 123_456_789_012]
    assert page.types == {"a_total": "counter", "b": "gauge"}


def test_labels_of_any_text_are_escaped_and_read_back() -> None:
    odd = 'a "quoted" \\ text'
    labels = (("url", odd), ("engine", "x"))
    text = metrics_text({"up": ("gauge", "Level.", {labels: 1.0}), "none": ("gauge", "N.", {})})
    (sample,) = parse_page(text.encode(), ["up"]).samples["up"]
    assert dict(sample.labels) == {"url": odd, "engine": "x"}
    assert 'v="a\\nb" 1' in metrics_text({"one": ("gauge", "Level.", {(("v", "a\nb"),): 1.0})}).replace("}", "")
