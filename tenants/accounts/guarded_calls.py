"""Calls of a sign-on provider: an address that an organization typed must not reach what only this machine can reach.

The name is looked up once, every address it has is checked, and the connection is made to a checked one; see
`tenants.hooks.outbound`. Redirects are not followed, proxies not used, answers are cut off.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tenants.hooks.outbound import WrongAddress, checked_url, is_reachable, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CALL_S_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 262_144


def guarded_session(
    networks: Sequence[Network], look_up: Callable[[str, int], Sequence[str]] = resolve
) -> requests.Session:
    """Return a session that calls public addresses, and those of `networks`, alone; others raise ConnectionError."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    guard = _Guard(networks, look_up)
    for scheme in ("https://", "http://"):
        session.mount(scheme, guard)
    return session


class _Guard(HTTPAdapter):
    """Connects to the checked address of a host, and asks its certificate for the host's name."""

    def __init__(self, networks: Sequence[Network], look_up: Callable[[str, int], Sequence[str]]) -> None:
        super().__init__()
        self._networks = networks
        self._look_up = look_up

    def send(self, request: requests.PreparedRequest, *_args: Any, **_more: Any) -> requests.Response:
        """Send a request within the limits. Raises requests' own errors."""
        response = super().send(request, stream=True, timeout=CALL_S_MAX)
        body = response.raw.read(ANSWER_BYTES_MAX + 1, decode_content=True)
        response.close()
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
        return self.poolmanager.connection_from_host(str(found[0]), port, parts.scheme, pool_kwargs=more)
