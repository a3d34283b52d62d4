"""Calls of a sign-on provider: an address that an organization typed must not reach what only this machine can reach.

The name is looked up once, every address it has is checked, and the connection is made to a checked one; see
`tenants.hooks.outbound`. Redirects are not followed, proxies not used, answers are cut off: a provider that says a
byte every few seconds would keep each of its page's threads for days.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from tenants.hooks.outbound import WrongAddress, checked_url, is_reachable, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CALL_S_MAX: Final = 5.0
"""From the first byte sent to the last byte read."""
ANSWER_BYTES_MAX: Final = 262_144


def guarded_session(
    networks: Sequence[Network],
    look_up: Callable[[str, int], Sequence[str]] = resolve,
    *,
    call_s_max: float = CALL_S_MAX,
) -> requests.Session:
    """Return a session that calls public addresses, and those of `networks`, alone; others raise ConnectionError."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    guard = _Guard(networks, look_up, call_s_max)
    for scheme in ("https://", "http://"):
        session.mount(scheme, guard)
    return session


class _Guard(HTTPAdapter):
    """Connects to the checked address of a host, and asks its certificate for the host's name."""

    def __init__(
        self, networks: Sequence[Network], look_up: Callable[[str, int], Sequence[str]], call_s_max: float
    ) -> None:
        super().__init__()
        self._networks = networks
        self._look_up = look_up
        self._call_s_max = call_s_max
        self._open: list[socket.socket] = []

    def send(self, request: requests.PreparedRequest, *_args: Any, **_more: Any) -> requests.Response:
        """Send a request within the limits. Raises requests' own errors."""
        with self._cut_off_in_time() as is_late:
            response = super().send(request, stream=True, timeout=self._call_s_max)
            try:
                body = response.raw.read(ANSWER_BYTES_MAX + 1, decode_content=True)
            except HTTPError as broken:
                raise requests.ConnectionError(f"The answer broke off: {broken}") from broken
            response.close()
        if is_late.is_set():  # a head that was cut off reads like a short one
            raise requests.Timeout(f"No whole answer in {self._call_s_max:g} s.")
        if len(body) > ANSWER_BYTES_MAX:
            raise requests.ConnectionError(f"The answer is longer than {ANSWER_BYTES_MAX} bytes.")
        response._content = body  # requests reads it from there
        return response

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *_args: Any, **_more: Any) -> Any:
        """Return the pool of connections to a checked address of the request's host."""
        parts = urlsplit(request.url or "")
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            checked_url(f"{parts.scheme}://{parts.netloc}", self._networks)
            found = [ipaddress.ip_address(each.partition("%")[0]) for each in self._look_up(host, port)]
        except (WrongAddress, OSError) as error:
            raise requests.ConnectionError(f"{host}: {error}") from error
        if not found or not all(is_reachable(each, self._networks) for each in found):
            raise requests.ConnectionError(f"{host} does not lead to a public address.")
        request.headers["Host"] = parts.netloc
        more = {"assert_hostname": host, "server_hostname": host} if parts.scheme == "https" else {}
        pool = self.poolmanager.connection_from_host(str(found[0]), port, parts.scheme, pool_kwargs=more)
        pool.ConnectionCls = _watched(HTTPSConnection if parts.scheme == "https" else HTTPConnection, self._open)
        return pool

    @contextmanager
    def _cut_off_in_time(self) -> Iterator[threading.Event]:
        """Shut the block's connections when its time is over, whatever they wait for; the event says that it was."""
        is_late = threading.Event()
        timer = threading.Timer(self._call_s_max, _shut, [self._open, is_late])
        timer.daemon = True
        timer.start()
        try:
            yield is_late
        finally:
            timer.cancel()
            while self._open:
                self._open.pop().close()


def _watched(plain: type[HTTPConnection], opened: list[socket.socket]) -> type[HTTPConnection]:
    """Return a kind of connection that keeps a second handle of each of its sockets, from before TLS takes it."""

    class Watched(plain):  # type: ignore[misc, valid-type]  # a kind is chosen by the scheme
        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            opened.append(made.dup())
            return made

    return Watched


def _shut(opened: Sequence[socket.socket], is_late: threading.Event) -> None:
    is_late.set()
    for one in tuple(opened):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
