"""Calls an address that a stranger gave, without letting it reach what only this machine can reach.

The name is looked up once, every address it has is checked, and the connection is made to a checked address itself:
a name that answers otherwise the second time changes nothing. Redirects are not followed. Answers are cut off.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_CHARACTERS_MAX: Final = 500
PORTS: Final = frozenset({443, 8443})
PORT_OPEN_MIN: Final = 1024
CONNECT_S_MAX: Final = 5.0
ANSWER_S_MAX: Final = 15.0
"""From the first byte sent to the last byte read."""
ANSWER_BYTES_MAX: Final = 1_024
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_LAST_NUMBER: Final = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$", re.IGNORECASE)
"""How a host ends that looks up as an address in a shorter or another notation: 127.1, 2130706433, 0x7f000001."""


class WrongAddress(Problem):
    """The address of an endpoint cannot be called."""

    status = 422
    code = "wrong_endpoint_address"
    title = "This address cannot be called"

    def __init__(self, reason: str) -> None:
        super().__init__(f"url: {reason}", said=reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to: an HTTP status, or why there was none."""

    status: int | None
    error: str = ""
    duration_ms: int = 0

    @property
    def is_taken(self) -> bool:
        """Whether the receiver said that it has it."""
        return self.status is not None and 200 <= self.status < 300


def checked_url(url: str, allowed: Sequence[Network] = ()) -> str:
    """Return an address if it can be an endpoint's: https, a host, no password. Raises `WrongAddress`.

    Plain http is for hosts written as an address of an `allowed` network.
    """
    if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise WrongAddress(
            sentence("Expected at most %(most)s printable characters without spaces.", most=URL_CHARACTERS_MAX)
        )
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError as error:
        raise WrongAddress(sentence("This is no address: %(error)s.", error=error)) from error
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise WrongAddress(sentence("Expected no user, password or fragment; the signature says who calls."))
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise WrongAddress(sentence("Expected https://host/path."))
    own = _is_in(_literal(parts.hostname), allowed)
    if parts.scheme == "http" and not own:
        raise WrongAddress(sentence("Expected https."))
    if port is not None and port not in PORTS and port < PORT_OPEN_MIN:
        raise WrongAddress(sentence("Expected port 443 or one from %(least)s on.", least=PORT_OPEN_MIN))
    _require_public(parts.hostname, allowed)
    return url


def _require_public(host: str, allowed: Sequence[Network]) -> None:
    """Refuse an address that is not public, and one written in another way than addresses are; names are looked up."""
    literal = _literal(host)
    if literal is not None and not is_reachable(literal, allowed):
        raise WrongAddress(sentence("Expected a public address."))
    if literal is None and _LAST_NUMBER.search(host):
        raise WrongAddress(sentence("Expected a name, or an address of four numbers such as 203.0.113.7."))


def is_reachable(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether a stranger may have this address called: public, also behind every way to write one in another."""
    if _is_in(address, allowed):
        return True
    inner = _inner(address)
    if inner is not None:
        return is_reachable(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def call(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Sequence[Network] = (),
    look_up: Callable[[str, int], Sequence[str]] = resolve,
    answer_s_max: float = ANSWER_S_MAX,
) -> Answer:
    """POST a body to an address; never raises for what the receiver or the way to it does."""
    started = time.monotonic()

    def answer(status: int | None, error: str = "") -> Answer:
        return Answer(status, error[:300], int((time.monotonic() - started) * 1000))

    try:
        parts = urlsplit(checked_url(url, allowed))
        target = _target(parts, allowed, look_up)
        connection = _connection(parts, target)
    except WrongAddress as error:
        return answer(None, error.reason)
    except OSError as error:
        return answer(None, f"The name cannot be looked up: {error}.")
    cut_off = threading.Timer(answer_s_max, _close, [connection])
    cut_off.daemon = True
    try:
        cut_off.start()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=body, headers=dict(headers))
        found = connection.getresponse()
        found.read(ANSWER_BYTES_MAX)
        # A head that was cut off reads like a short one.
        late = time.monotonic() - started >= answer_s_max
        return answer(None, f"No answer in {answer_s_max:g} s.") if late else answer(found.status)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = time.monotonic() - started >= answer_s_max
        return answer(None, f"No answer in {answer_s_max:g} s." if late else f"{type(error).__name__}: {error}")
    finally:
        cut_off.cancel()
        connection.close()


def _target(parts: SplitResult, allowed: Sequence[Network], look_up: Callable[[str, int], Sequence[str]]) -> str:
    host, port = parts.hostname or "", _port(parts)
    addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in look_up(host, port)]
    if not addresses or not all(is_reachable(each, allowed) for each in addresses):
        raise WrongAddress(sentence("%(host)s does not lead to a public address.", host=host))
    return str(addresses[0])


class _Pinned(http.client.HTTPConnection):
    """A connection to a checked address, whatever the name leads to by now."""

    def __init__(self, host: str, port: int, target: str, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=ANSWER_S_MAX)
        self._target = target
        self._context = context

    def connect(self) -> None:
        made = socket.create_connection((self._target, self.port), timeout=CONNECT_S_MAX)
        made.settimeout(ANSWER_S_MAX)
        if self._context is None:
            self.sock = made
            return
        secured = self._context.wrap_socket(made, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = secured
        secured.do_handshake()


def _connection(parts: SplitResult, target: str) -> _Pinned:
    context = ssl.create_default_context() if parts.scheme == "https" else None
    return _Pinned(parts.hostname or "", _port(parts), target, context)


def _close(connection: http.client.HTTPConnection) -> None:
    """End a call that takes too long, whatever it waits for."""
    made = connection.sock
    if made is not None:
        try:
            made.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _inner(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
