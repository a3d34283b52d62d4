"""Reading real pages over real HTTP: every failure has its reason and none takes long."""

import gzip
import queue
import socket
import ssl
import threading
from pathlib import Path

import httpx
import pytest

from metering.agent.clock import SystemClock
from metering.agent.config import EndpointSetting
from metering.agent.endpoints import target_of
from metering.agent.engines import load_mappings
from metering.agent.exposition import PAGE_BYTES_MAX
from metering.agent.scrape import ACCEPT, Failure, Page, Scraper, Target, fetch, http_client
from tests.fakes.engine_pages import PageServer, Reply, page, recorded


def read(engine: PageServer, *, timeout_s: float = 2.0, header: str = "", path: str = "/metrics") -> Page | Failure:
    with http_client([], "", trust_env=False) as client:
        return fetch(client, Target("e", engine.url + path, header), SystemClock(), timeout_s)


def reason(result: Page | Failure) -> str:
    assert isinstance(result, Failure)
    assert 0 < len(result.detail) <= 200
    return result.reason


def test_a_page_is_read_whole_and_asked_for_in_the_one_safe_format(engine: PageServer) -> None:
    engine.routes["/metrics"] = page(recorded("vllm"))
    assert read(engine) == Page("e", recorded("vllm").encode(), "")
    (_, headers) = engine.requests[0]
    assert headers["accept"] == ACCEPT == "text/plain;version=0.0.4"
    assert headers["accept-encoding"] == "identity"


def test_the_epoch_header_is_brought_along(engine: PageServer) -> None:
    engine.routes["/metrics"] = page(recorded("llamacpp"), Process_Start_Time_Unix="1234567")
    result = read(engine, header="Process-Start-Time-Unix")
    assert isinstance(result, Page)
    assert result.header == "1234567"
    assert read(engine, header="X-Other") == Page("e", result.body, "")


@pytest.mark.parametrize("status", [404, 500, 301, 204])
def test_another_status_is_told(engine: PageServer, status: int) -> None:
    engine.routes["/metrics"] = Reply(status=status, headers={"Location": "/elsewhere"} if status == 301 else {})
    result = read(engine)
    assert (reason(result), result) == ("http_status", Failure("e", "http_status", str(status)))
    assert len(engine.requests) == 1


def test_an_older_page_is_asked_for_where_the_newer_one_is_not_found(engine: PageServer) -> None:
    engine.routes["/metrics"] = page("a 1\n")
    target = Target("e", f"{engine.url}/v1/metrics", "", fallback_urls=(f"{engine.url}/metrics", f"{engine.url}/x"))
    with http_client([], "", trust_env=False) as client:
        assert fetch(client, target, SystemClock(), 2) == Page("e", b"a 1\n", "")
        engine.routes["/v1/metrics"] = Reply(status=500)
        assert fetch(client, target, SystemClock(), 2) == Failure("e", "http_status", "500")
        engine.routes = {}
        assert fetch(client, target, SystemClock(), 2) == Failure("e", "http_status", "404")
    asked = [path for path, _ in engine.requests]
    assert asked == ["/v1/metrics", "/metrics", "/v1/metrics", "/v1/metrics", "/metrics", "/x"]


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/perf_metrics", "/METRICS?a=1"]
)
def test_a_page_that_a_read_empties_is_not_asked_for(engine: PageServer, path: str) -> None:
    mapping = load_mappings()["tensorrt_llm"]
    target = Target("e", engine.url + path, "", is_destructive=mapping.is_destructive)
    with http_client([], "", trust_env=False) as client:
        assert reason(fetch(client, target, SystemClock(), 2)) == "destructive_page"
        fallback = Target("e", f"{engine.url}/none", "", (engine.url + path,), mapping.is_destructive)
        assert reason(fetch(client, fallback, SystemClock(), 2)) == "destructive_page"
    assert [asked for asked, _ in engine.requests] == ["/none"]


def test_the_safe_page_of_that_engine_is_read(engine: PageServer) -> None:
    engine.routes["/prometheus/metrics"] = page("a 1\n")
    mapping = load_mappings()["tensorrt_llm"]
    target = target_of(EndpointSetting(engine.url, "tensorrt_llm"), mapping)
    with http_client([], "", trust_env=False) as client:
        assert fetch(client, target, SystemClock(), 2) == Page(engine.url, b"a 1\n", "")


def test_json_is_told_with_what_it_may_mean(engine: PageServer) -> None:
    engine.routes["/metrics"] = page("[]\n", Content_Type="application/json; charset=utf-8")
    assert reason(read(engine)) == "json_answer"


def test_a_hanging_engine_is_a_timeout(engine: PageServer) -> None:
    engine.routes["/metrics"] = Reply(body=b"late\n", hang_s=30)
    assert reason(read(engine, timeout_s=0.2)) == "timeout"


def test_an_engine_that_drips_is_a_timeout_although_no_single_wait_is_long(engine: PageServer) -> None:
    engine.routes["/metrics"] = Reply(body=b"x" * 500, drip_s=0.02)
    assert reason(read(engine, timeout_s=0.3)) == "timeout"


def test_too_large_a_page_is_given_up(engine: PageServer) -> None:
    engine.routes["/metrics"] = Reply(body=b"x" * (PAGE_BYTES_MAX + 1))
    assert reason(read(engine)) == "too_large"


def test_a_page_cut_on_the_way_is_not_a_page(engine: PageServer) -> None:
    engine.routes["/metrics"] = Reply(body=recorded("vllm").encode(), cut=True)
    assert reason(read(engine)) == "broken_answer"


def test_a_compressed_page_that_nobody_asked_for_is_told(engine: PageServer) -> None:
    engine.routes["/metrics"] = Reply(body=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"})
    assert reason(read(engine)) == "content_encoding"


def test_nobody_listening_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with http_client([], "", trust_env=False) as client:
        result = fetch(client, Target("e", f"http://127.0.0.1:{port}/metrics", ""), SystemClock(), 2)
    assert reason(result) == "refused"


def test_a_server_that_speaks_no_http_is_a_broken_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with http_client([], "", trust_env=False) as client:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            result = fetch(client, Target("e", url, ""), SystemClock(), 2)
        thread.join()
    assert reason(result) == "broken_answer"


@pytest.mark.parametrize("url", ["http://", "http://[", "nonsense", "http://h\x00/"])
def test_an_impossible_url_is_a_failure_not_a_crash(url: str) -> None:
    with http_client([], "", trust_env=False) as client:
        assert isinstance(fetch(client, Target("e", url, ""), SystemClock(), 0.5), Failure)


def test_all_pages_are_read_at_once_and_come_back_in_order(engine: PageServer) -> None:
    barrier = threading.Barrier(3, timeout=5)

    def together() -> Reply:
        barrier.wait()
        return page("a 1\n")

    for path in ("/1", "/2", "/3"):
        engine.routes[path] = together
    targets = [Target(path, engine.url + path, "") for path in ("/3", "/1", "/2")]
    with http_client([], "", trust_env=False) as client:
        scraper = Scraper(client, SystemClock(), 5)
        results = scraper.finish(scraper.begin(targets))
    assert results == [Page(path, b"a 1\n", "") for path in ("/3", "/1", "/2")]


class Stuck(httpx.BaseTransport):
    """A transport that no timeout interrupts, like a name server that hangs."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        self.release.wait(30)
        return httpx.Response(200, content=b"a 1\n")


def test_a_read_that_cannot_be_interrupted_is_given_up_and_not_doubled() -> None:
    transport = Stuck()
    with httpx.Client(transport=transport) as client:
        scraper = Scraper(client, SystemClock(), -0.9)
        targets = [Target("stuck", "http://stuck/metrics", "")]
        first = scraper.finish(scraper.begin(targets))
        second = scraper.finish(scraper.begin(targets))
        transport.release.set()
    assert first == [Failure("stuck", "timeout", "the read hangs")]
    assert second == [Failure("stuck", "timeout", "the read before still hangs")]
    assert transport.calls == 1


class SlowToEnd(Scraper):
    """A scraper whose threads stay for a moment after they gave their result, as on a busy machine."""

    def __init__(self, client: httpx.Client, leave: threading.Event) -> None:
        super().__init__(client, SystemClock(), 5)
        self.leave = leave

    def _work(self, target: Target, results: "queue.SimpleQueue[Page | Failure]") -> None:
        super()._work(target, results)
        self.leave.wait(30)


def test_a_read_that_gave_its_page_is_over_though_its_thread_is_not(engine: PageServer) -> None:
    engine.routes["/metrics"] = page("a 1\n")
    target = Target("engine", f"{engine.url}/metrics", "")
    leave = threading.Event()
    with http_client([], "", trust_env=False) as client:
        scraper = SlowToEnd(client, leave)
        read = [scraper.finish(scraper.begin([target])) for _ in range(2)]
        leave.set()
    assert read == [[Page("engine", b"a 1\n", "")]] * 2


def test_certificates_are_loaded_for_https_alone(tmp_path: Path) -> None:
    http_client(["http://h:1"], str(tmp_path / "absent.pem"), trust_env=False).close()
    with pytest.raises(OSError, match="No such file"):
        http_client(["https://h:1"], str(tmp_path / "absent.pem"), trust_env=False)
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        http_client(["https://h:1"], str(tmp_path / "bad.pem"), trust_env=False)
    http_client(["https://h:1"], "", trust_env=False).close()
