"""Instants as the API writes them."""

from datetime import UTC, datetime, timedelta, timezone

from tenants.instants import instant_text


def test_an_instant_is_written_in_utc() -> None:
    assert instant_text(datetime(2026, 3, 2, 12, tzinfo=UTC)) == "2026-03-02T12:00:00Z"
    assert instant_text(datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=8)))) == "2026-03-02T04:00:00Z"
    assert instant_text(None) is None
