"""What an address asks of the log."""

from datetime import UTC, datetime

import pytest
from django.http import QueryDict

from tenants.audit.choosing import choice_of
from tenants.audit.reading import Choice

MARCH_2 = datetime(2026, 3, 2, tzinfo=UTC)
MARCH_3 = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", Choice()),
        ("actor=+alice+&action=member.&subject=bob", Choice("alice", "member.", "bob")),
        ("from=2026-03-02&to=2026-03-02", Choice(from_at=MARCH_2, to_at=MARCH_3)),
        ("from=2026-02-30&to=never", Choice()),
        ("actor=" + "x" * 999, Choice("x" * 200)),
    ],
)
def test_an_address_is_read(asked: str, expected: Choice) -> None:
    assert choice_of(QueryDict(asked)) == expected
