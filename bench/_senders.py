"""Sends ready bodies over kept connections, one thread each, and times a whole round."""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

TIMEOUT_S = 60
Request = tuple[str, bytes, dict[str, str]]
"""Path, body, headers."""


def post_all(port: int, lanes: Sequence[Sequence[Request]], latencies_s: list[float]) -> float:
    """POST every request of every lane, each lane in order over one connection; return the seconds of the round.

    Raises RuntimeError at any answer but 200.
    """

    def send(lane: Sequence[Request]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            for path, body, headers in lane:
                began_s = time.perf_counter()
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                latencies_s.append(time.perf_counter() - began_s)
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status} {text[:300]!r}")
        finally:
            connection.close()

    return together([_bound(send, lane) for lane in lanes])


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
