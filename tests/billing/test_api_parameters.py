from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from billing.api_parameters import read_cursor, write_cursor
from billing.queries.invoice_changes import Place
from tests.examples import examples


@settings(max_examples=examples(25))
@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_the_place_it_stands_for(at: datetime, key: UUID) -> None:
    written = write_cursor(Place(at, key))
    assert read_cursor(written) == Place(at, key)
    assert len(written) <= 100
    assert written.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "plain",
    ["", "x", "2026-01-01|0", "2026-01-01T00:00:00|" + "0" * 32, "2026-01-01T00:00:00+00:00", "é|" + "0" * 32],
)
def test_anything_else_is_no_cursor(plain: str) -> None:
    with pytest.raises(ValidationError):
        read_cursor(base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="))


@settings(max_examples=examples(25))
@given(st.text(max_size=100))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(ValidationError):
        assert read_cursor(text).changed_at.tzinfo is not None
