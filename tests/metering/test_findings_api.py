"""Findings and substitutions for programs: counts as strings, page by page, each organization its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.filled import fill
from tests.metering.test_control_api import ask

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("name", "kind", "counts"),
    [
        ("api-usage-findings", "findings", ("observed", "expected")),
        ("api-usage-substitutions", "substitutions", ("value_before", "value")),
    ],
)
def test_rows_are_told_to_whom_they_concern(cast: Cast, name: str, kind: str, counts: tuple[str, str]) -> None:
    fill(cast)
    window = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-31T00:00:00Z"}
    found = ask(cast.provider, name, **window)
    assert found[kind]
    assert all(isinstance(row[count], str) for row in found[kind] for count in counts)
    assert all(row["class"] for row in found[kind])
    assert found["next_cursor"] is None
    assert ask(cast.outsider, name, **window)[kind] == []
