"""The session after one transactional test is the session before the next, whatever the test did to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import Error, connection
from django.test import TestCase, TransactionTestCase

from tests.plugins.standing_connection import can_go_on, standing_connection

pytestmark = pytest.mark.django_db(transaction=True)

LOCKS_HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"


def said(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def process() -> int:
    number: int = said("SELECT pg_backend_pid()")
    return number


def test_what_a_test_set_for_the_session_is_set_back() -> None:
    before = {name: said(f"SHOW {name}") for name in ("timezone", "search_path", "statement_timeout", "role")}
    begun = process()
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Tokyo'")
        cursor.execute("SET search_path TO nowhere")
        cursor.execute("SET statement_timeout TO 54321")
        cursor.execute("SELECT pg_advisory_lock(77)")
    assert said(LOCKS_HELD) == 1
    assert can_go_on(connection)
    assert {name: said(f"SHOW {name}") for name in before} == before
    assert said(LOCKS_HELD) == 0
    assert process() == begun


def test_a_session_that_ended_cannot_go_on() -> None:
    ended = process()
    with pytest.raises(Error):
        said(f"SELECT pg_terminate_backend({ended})")
    assert not can_go_on(connection)
    connection.close()
    assert process() != ended


def test_where_there_is_no_connection_there_is_nothing_to_set_back() -> None:
    connection.close()
    assert can_go_on(connection)
    assert connection.connection is None


def test_a_transaction_that_was_left_open_does_not_reach_the_next_test() -> None:
    connection.set_autocommit(False)
    try:
        assert not can_go_on(connection)
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def test_django_is_asked_to_keep_the_connection_as_long_as_it_stands() -> None:
    kind: Any = TransactionTestCase
    before = kind._should_reload_connections
    made: Any = standing_connection
    standing = made.__wrapped__()
    next(standing)
    assert kind("__init__")._should_reload_connections() is False
    plain: Any = TestCase
    assert plain("__init__")._should_reload_connections() is False
    with pytest.raises(StopIteration):
        next(standing)
    assert kind._should_reload_connections is before
