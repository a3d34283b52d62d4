"""The API of the audit log, by a program with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tenants.audit.entries import write
from tests.tenants.calling import call, secret_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_entries_are_read_by_choice_and_page_with_before_and_after(cast: Cast, client: Client) -> None:
    caller = secret_of(cast.tenant)
    made = write(cast.tenant, count=5, before={"role": "viewer"}, after={"role": "admin"})
    write(cast.outsider)
    found, cursor = [], None
    while True:
        asked = {"action": "member.", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = call(client, caller, "get", "audit", asked).json()
        found += page["entries"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [one["id"] for one in found] == [str(one.pk) for one in reversed(made)]
    assert found[-1] == {
        "id": str(made[0].pk),
        "at": "2026-03-02T12:00:00Z",
        "actor": "alice@example.com",
        "action": "member.removed",
        "subject": "bob@example.com",
        "before": {"role": "viewer"},
        "after": {"role": "admin"},
    }
    late = call(client, caller, "get", "audit", {"at_from": "2026-03-02T15:00:00Z", "at_to": "2026-03-02T16:00:00Z"})
    assert [one["id"] for one in late.json()["entries"]] == [str(made[3].pk)]
    assert call(client, caller, "get", "audit", {"at_from": "yesterday"}).status_code == 400
    assert call(client, secret_of(cast.tenant, ["usage:read"]), "get", "audit").status_code == 403
