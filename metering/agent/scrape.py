"""Reading engine pages over HTTP: bounded in time and bytes, one engine's trouble never another's.

Every read ends as a page or as a failure with a reason; nothing raises. Pages are asked for as
`text/plain;version=0.0.4` only, because exporters escape names differently for other formats, and
uncompressed.
"""

import queue
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from metering.agent.clock import Clock
from metering.agent.exposition import PAGE_BYTES_MAX

ACCEPT: Final = "text/plain;version=0.0.4"


@dataclass(frozen=True, slots=True)
class Target:
    """One page to read. `epoch_header` names a response header to bring along, "" for none.

    `fallback_urls` are asked in turn while a page is not found (404). A page whose path `is_destructive` is not
    asked at all.
    """

    endpoint: str
    page_url: str
    epoch_header: str
    fallback_urls: tuple[str, ...] = ()
    is_destructive: Callable[[str], bool] = field(default=lambda _path: False, compare=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A page read whole."""

    endpoint: str
    body: bytes
    header: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A page not read: a stable reason code and a short detail."""

    endpoint: str
    reason: str
    detail: str


def http_client(urls: Sequence[str], ca_file: str, *, trust_env: bool) -> httpx.Client:
    """A client for these URLs. Certificates are only loaded where one of them is https: they weigh megabytes.

    `ca_file` replaces the system's authorities. Raises OSError, ssl.SSLError for a file that cannot be used.
    """
    verify: ssl.SSLContext | bool = False
    if any(url.startswith("https:") for url in urls):
        verify = ssl.create_default_context(cafile=ca_file or None)
    return httpx.Client(
        verify=verify,
        trust_env=trust_env,
        follow_redirects=False,
        headers={"User-Agent": "forecourt-agent"},
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=60),
    )


def fetch(client: httpx.Client, target: Target, clock: Clock, timeout_s: float) -> Page | Failure:
    """Read one page within `timeout_s` in all, by the real `clock`, also from a server that drips bytes."""
    deadline_s = clock.monotonic_s() + timeout_s
    result: Page | Failure = Failure(target.endpoint, "http_status", "404")
    for url in (target.page_url, *target.fallback_urls):
        result = _fetch_one(client, url, target, clock, deadline_s)
        if not (isinstance(result, Failure) and (result.reason, result.detail) == ("http_status", "404")):
            break
    return result


def _fetch_one(client: httpx.Client, url: str, target: Target, clock: Clock, deadline_s: float) -> Page | Failure:
    timeout_s = max(deadline_s - clock.monotonic_s(), 0.001)
    try:
        if target.is_destructive(urlsplit(url).path):
            return Failure(target.endpoint, "destructive_page", f"a read of {url} takes away what it shows: not asked")
        with client.stream(
            "GET", url, headers={"Accept": ACCEPT, "Accept-Encoding": "identity"}, timeout=timeout_s
        ) as response:
            return _read(response, target, clock, deadline_s)
    except httpx.TimeoutException:
        return Failure(target.endpoint, "timeout", f"no whole page within {timeout_s:.3g} s")
    except httpx.ConnectError as refused:
        return Failure(target.endpoint, "refused", _short(refused))
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as broken:
        return Failure(target.endpoint, "broken_answer", _short(broken))


def _read(response: httpx.Response, target: Target, clock: Clock, deadline_s: float) -> Page | Failure:
    if response.status_code != httpx.codes.OK:
        return Failure(target.endpoint, "http_status", str(response.status_code))
    if response.headers.get("content-encoding", "identity") != "identity":
        return Failure(target.endpoint, "content_encoding", response.headers["content-encoding"][:60])
    if response.headers.get("content-type", "").startswith("application/json"):
        return Failure(
            target.endpoint, "json_answer", "JSON, not a page of counters: is the engine named rightly in the setting?"
        )
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > PAGE_BYTES_MAX:
            return Failure(target.endpoint, "too_large", f"more than {PAGE_BYTES_MAX} bytes")
        if clock.monotonic_s() > deadline_s:
            return Failure(target.endpoint, "timeout", f"{len(body)} bytes when the time was up")
    header = response.headers.get(target.epoch_header, "") if target.epoch_header else ""
    return Page(target.endpoint, bytes(body), header[:200])


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads under way."""

    targets: Sequence[Target]
    results: "queue.SimpleQueue[Page | Failure]"
    found: dict[str, Page | Failure]
    deadline_s: float


class Scraper:
    """Reads all pages at once, each in a thread of its own, so that one that hangs delays nothing.

    A read that outlives its time (a name server that hangs cannot be interrupted) is given up; its endpoint
    is not asked again before it ends.
    """

    def __init__(self, client: httpx.Client, clock: Clock, timeout_s: float) -> None:
        self._client = client
        self._clock = clock
        self._timeout_s = timeout_s
        self._running: dict[str, threading.Thread] = {}

    def begin(self, targets: Sequence[Target]) -> "Reading":
        """Start to read every target."""
        results: queue.SimpleQueue[Page | Failure] = queue.SimpleQueue()
        found: dict[str, Page | Failure] = {}
        for target in targets:
            before = self._running.get(target.endpoint)
            if before is not None and before.is_alive():
                found[target.endpoint] = Failure(target.endpoint, "timeout", "the read before still hangs")
                continue
            thread = threading.Thread(target=self._work, args=(target, results), daemon=True)
            self._running[target.endpoint] = thread
            thread.start()
        deadline_s = self._clock.monotonic_s() + self._timeout_s + 1
        return Reading(targets, results, found, deadline_s)

    def finish(self, reading: "Reading") -> list[Page | Failure]:
        """One result per target, in the order of the targets, when all are read or the time is up."""
        targets, results, found = reading.targets, reading.results, reading.found
        while len(found) < len(targets):
            remaining_s = reading.deadline_s - self._clock.monotonic_s()
            try:
                result = results.get(timeout=max(remaining_s, 0))
            except queue.Empty:
                break
            found[result.endpoint] = result
            # The read is over, though its thread may take a moment longer to end.
            self._running.pop(result.endpoint, None)
        late = [target.endpoint for target in targets if target.endpoint not in found]
        found |= {endpoint: Failure(endpoint, "timeout", "the read hangs") for endpoint in late}
        return [found[target.endpoint] for target in targets]

    def _work(self, target: Target, results: "queue.SimpleQueue[Page | Failure]") -> None:
        results.put(fetch(self._client, target, self._clock, self._timeout_s))
