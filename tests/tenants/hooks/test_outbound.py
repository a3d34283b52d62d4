"""What strangers give as addresses reaches nothing of ours; what is called is answered for, however it ends."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.hooks.outbound import ANSWER_BYTES_MAX, Answer, WrongAddress, call, checked_url, is_reachable

LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]
PUBLIC = "93.184.215.14"


@contextmanager
def receiver(answer: bytes, *, hold: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A listener that takes one call, notes it, and answers with these bytes."""
    got: list[bytes] = []
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                seen = b""
                while b"\r\n\r\n{}" not in seen and (more := connection.recv(65536)):
                    seen += more
                got.append(seen)
                connection.sendall(answer)
                if hold:
                    ended.wait(5)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/hooks?a=1", got
        finally:
            ended.set()
            thread.join()


def leading_to(found: list[str]) -> Callable[[str, int], list[str]]:
    def look_up(_host: str, _port: int) -> list[str]:
        return found

    return look_up


def post(url: str, **changed: object) -> Answer:
    return call(url, body=b"{}", headers={"webhook-id": "msg_1"}, **{"allowed": LOOPBACK, **changed})  # type: ignore[arg-type]  # a test's short form


def test_a_receiver_gets_the_body_and_the_headers() -> None:
    with receiver(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, got):
        answer = post(url)
    assert (answer.status, answer.error, answer.is_taken) == (204, "", True)
    assert got[0].startswith(b"POST /hooks?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"webhook-id: msg_1\r\n" in got[0]
    assert got[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("status", [301, 307, 410, 500])
def test_only_2xx_is_taken_and_a_redirect_is_not_followed(status: int) -> None:
    answer_bytes = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with receiver(answer_bytes.encode()) as (url, _):
        answer = post(url)
    assert (answer.status, answer.is_taken) == (status, False)


def test_an_endless_answer_is_cut_off() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    with receiver(head + b"x" * (2 * ANSWER_BYTES_MAX), hold=True) as (url, _):
        assert post(url).is_taken


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"", "RemoteDisconnected"), (b"nonsense\r\n\r\n", "BadStatusLine"), (b"HTTP/1.1 abc\r\n\r\n", "BadStatusLine")],
)
def test_what_is_no_answer_is_said(answer: bytes, said: str) -> None:
    with receiver(answer) as (url, _):
        told = post(url)
    assert told.status is None
    assert said in told.error


def test_who_only_listens_is_given_up() -> None:
    with receiver(b"HTTP/1.1 200 OK\r\n", hold=True) as (url, _):
        answer = post(url, answer_s_max=0.2)
    assert (answer.status, answer.error) == (None, "No answer in 0.2 s.")


def test_a_closed_port_and_a_name_that_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "ConnectionRefusedError" in post(f"http://127.0.0.1:{port}/").error

    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(f"{host}:{port} is not known")

    assert "cannot be looked up" in post("https://nowhere.example/", look_up=nowhere).error


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.8",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)
def test_what_is_not_public_is_not_called_whatever_name_leads_there(address: str) -> None:
    assert not is_reachable(ipaddress.ip_address(address))
    for found in ([address], [PUBLIC, address]):
        answer = call("https://harmless.example/", body=b"{}", headers={}, look_up=leading_to(found))
        assert answer.error == "harmless.example does not lead to a public address."


def test_a_name_that_leads_nowhere_is_not_called() -> None:
    assert "public address" in call("https://x.example/", body=b"", headers={}, look_up=leading_to([])).error


def test_a_name_is_looked_up_once_and_the_checked_address_is_called() -> None:
    asked: list[str] = []

    def turning(host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, got):
        assert post(url, look_up=turning).is_taken
    assert len(asked) == 1
    assert got


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700::1111", "::ffff:93.184.215.14"])
def test_public_addresses_are_reachable(address: str) -> None:
    assert is_reachable(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_an_address_opens_what_is_closed(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    translated = ipaddress.IPv6Address(bytes.fromhex("0064ff9b") + b"\0" * 8 + address.packed)
    assert is_reachable(mapped) == is_reachable(translated) == is_reachable(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "http://example.com/",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:22/",
        "https://example.com:99999/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://例子.example/",
        "https://example.com/" + "x" * 500,
        "https://[1/",
        "https://127.1/",
        "https://2130706433/x",
        "https://0x7f000001/",
        "https://0177.0.0.1:8443/",
        "https://1.2.3.0X7f./",
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(WrongAddress, match="url: ") as refused:
        checked_url(url)
    assert not str(refused.value.said).startswith("url"), "people read it beside the box"


@pytest.mark.parametrize(
    "url", ["https://example.com/hooks", "https://example.com:8443/?a=1", f"https://{PUBLIC}/", "https://1.h2/"]
)
def test_what_can_be_one_is_taken(url: str) -> None:
    assert checked_url(url) == url


def test_an_address_of_a_network_that_the_operator_names_is_called_in_the_clear() -> None:
    assert checked_url("http://127.0.0.1:9000/", LOOPBACK)
    with pytest.raises(WrongAddress):
        checked_url("http://127.0.0.2:9000/", LOOPBACK)
