"""Instants are read as ever, and those read before are the same objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tenants.limits import instants

pytestmark = pytest.mark.django_db


def read(*texts: str) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join('%s::timestamptz' for _ in texts)}", texts)
        return list(cursor.fetchone())


def test_an_instant_is_read_in_utc_whatever_it_was_written_in() -> None:
    [first, same, exact, none] = read(
        "2026-03-01 02:00:00+01", "2026-03-01T01:00:00Z", "2026-10-25 02:30:00.000001+05:45", "0099-01-01 00:00:00+00"
    )
    assert first == datetime(2026, 3, 1, 1, tzinfo=UTC)
    assert (first.tzinfo, first is same) == (UTC, True)
    assert exact == datetime(2026, 10, 24, 20, 45, 0, 1, tzinfo=UTC)
    assert none.year == 99
    assert read("2026-03-01 01:00:00+00")[0] is first


def test_what_is_known_is_forgotten_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instants, "KNOWN_MAX", 3)
    start = datetime(2031, 1, 1, tzinfo=UTC)
    every = [start + timedelta(seconds=number) for number in range(9)]
    assert read(*(at.isoformat() for at in every)) == every
    assert read(every[0].isoformat()) == every[:1]


def test_one_without_a_value_is_none() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT NULL::timestamptz")
        assert cursor.fetchone() == (None,)
