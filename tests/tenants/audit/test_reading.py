"""Choosing entries: by who, what, to what and when, of one organization alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.audit.reading import Choice, entries_of
from tests.tenants.audit.entries import HOUR, NOW, write

if TYPE_CHECKING:
    from tests.factories import Cast


def test_entries_are_chosen_and_the_latest_come_first(cast: Cast) -> None:
    first, second = write(cast.tenant, count=2)
    (third,) = write(cast.tenant, at=NOW, actor="API key fk_1", action="invoice.voided", subject="INV-7")
    write(cast.outsider, subject="hidden")
    for choice, expected in (
        (Choice(), [second, third, first]),
        (Choice(actor="API KEY"), [third]),
        (Choice(action="member."), [second, first]),
        (Choice(action="voided"), []),
        (Choice(subject="inv-7"), [third]),
        (Choice(subject="hidden"), []),
        (Choice(from_at=NOW + HOUR), [second]),
        (Choice(to_at=NOW + HOUR), [third, first]),
        (Choice(actor="alice", action="member.removed", from_at=NOW, to_at=NOW + HOUR), [first]),
    ):
        assert list(entries_of(cast.tenant, choice)) == expected, choice
