"""Sends ready bodies over kept connections, one thread each, and times a whole round."""

import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

TIMEOUT_S = 60
BUSY = b"HTTP/1.1 503 "
BUSY_WAIT_S = 0.5
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
Request = tuple[str, bytes, dict[str, str]]
"""Path, body, headers."""


def post_all(port: int, lanes: Sequence[Sequence[Request]], latencies_s: list[float]) -> float:
    """POST every request of every lane, each lane in order over one kept connection; return the seconds of the round.

    The bytes are made before the clock starts and answers are read just as far as needed, so that the sender, which
    shares the machine, takes as little of it as it can. Raises RuntimeError at any answer but 200.
    """

    def send(lane: Sequence[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in lane:
                began_s = time.perf_counter()
                answer = _ask(connection, request)
                while answer.startswith(BUSY):
                    time.sleep(BUSY_WAIT_S)
                    answer = _ask(connection, request)
                latencies_s.append(time.perf_counter() - began_s)
                if not answer.startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError(repr(answer[:600]))

    return together([_bound(send, [_as_bytes(port, request) for request in lane]) for lane in lanes])


def _ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return _read_answer(connection)


def _as_bytes(port: int, request: Request) -> bytes:
    path, body, headers = request
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _read_answer(connection: socket.socket) -> bytes:
    """Read one whole answer with a Content-Length."""
    answer = b""
    while (head_ends := answer.find(b"\r\n\r\n")) < 0:
        answer += _received(connection)
    found = CONTENT_LENGTH.search(answer, 0, head_ends + 2)
    if found is None:
        raise RuntimeError(f"an answer without a length: {answer[:300]!r}")
    while len(answer) < head_ends + 4 + int(found[1]):
        answer += _received(connection)
    return answer


def _received(connection: socket.socket) -> bytes:
    part = connection.recv(65_536)
    if not part:
        raise RuntimeError("the server hung up")
    return part


def copy_all(database_url: str, table: str, lanes: Sequence[Sequence[bytes]]) -> float:
    """COPY every chunk of every lane into `table`, a commit each, one connection a lane; return the seconds."""
    connections = [psycopg.connect(database_url, autocommit=True) for _ in lanes]
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))

    def send(work: tuple[psycopg.Connection, Sequence[bytes]]) -> None:
        connection, lane = work
        with connection.cursor() as cursor:
            for chunk in lane:
                with cursor.copy(statement) as copy:
                    copy.write(chunk)

    try:
        return together([_bound(send, work) for work in zip(connections, lanes, strict=True)])
    finally:
        for connection in connections:
            connection.close()


def together(works: Sequence[Callable[[], None]]) -> float:
    """Run every work in a thread of its own; return the seconds from the common start to the last end."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(works) + 1)

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except Exception as failed:  # noqa: BLE001  handed to the caller below
            failures.append(failed)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    start.wait()
    began_s = time.perf_counter()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began_s
    if failures:
        raise failures[0]
    return took_s


def _bound(send: Callable[[Any], None], work: object) -> Callable[[], None]:
    return lambda: send(work)
