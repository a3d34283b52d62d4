"""An address that an organization typed reaches public places alone, whatever a name leads to."""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import requests

from tenants.accounts.guarded_calls import ANSWER_BYTES_MAX, guarded_session
from tests.servers.openid import running_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]


def leading_to(*found: str) -> Callable[[str, int], list[str]]:
    def look_up(_host: str, _port: int) -> list[str]:
        return list(found)

    return look_up


def test_an_allowed_network_is_reached_by_its_address() -> None:
    with running_provider() as provider, guarded_session(LOOPBACK) as session:
        assert session.get(f"{provider.url}/.well-known/openid-configuration").json()["issuer"] == provider.url


@pytest.mark.parametrize(
    "found", [[], ["127.0.0.1"], ["10.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]]
)
def test_a_name_that_leads_inside_is_not_called(found: list[str]) -> None:
    with guarded_session([], leading_to(*found)) as session, pytest.raises(requests.ConnectionError) as refused:
        session.get("https://login.example/")
    assert "public address" in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://login.example/", "https://127.0.0.1/", "https://user:word@login.example/", "https://[::1]/"]
)
def test_an_address_that_is_none_of_a_provider_is_not_called(url: str) -> None:
    with guarded_session([], leading_to("93.184.215.14")) as session, pytest.raises(requests.ConnectionError):
        session.get(url)


def test_redirects_are_not_followed() -> None:
    with running_provider() as provider, guarded_session(LOOPBACK) as session:
        query = "client_id=forecourt-sample&response_type=code&scope=openid&code_challenge_method=S256&state=1"
        with pytest.raises(requests.TooManyRedirects):
            session.get(f"{provider.url}/authorize?{query}&redirect_uri=http://127.0.0.1:1/")


def test_an_answer_without_end_is_cut_off() -> None:
    with running_provider() as provider, guarded_session(LOOPBACK) as session:
        provider.document["padding"] = "x" * ANSWER_BYTES_MAX
        with pytest.raises(requests.ConnectionError) as refused:
            session.get(f"{provider.url}/.well-known/openid-configuration")
    assert "longer than" in str(refused.value)


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """A provider that says something and then a byte every twentieth of a second, until it is hung up on."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(4_096)
                caller.sendall(head)
                while not done.wait(0.05):
                    caller.sendall(b"x")

        def serve() -> None:
            with suppress(OSError):
                drip()

        done, thread = threading.Event(), threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], ids=repr
)
def test_a_provider_that_drips_is_hung_up_on(head: bytes) -> None:
    """Each byte is within the limit of a wait; without one of the whole this would last for minutes and days."""
    with (
        dripping(head) as url,
        guarded_session(LOOPBACK, call_s_max=0.3) as session,
        pytest.raises(requests.RequestException),
    ):
        session.get(url)
