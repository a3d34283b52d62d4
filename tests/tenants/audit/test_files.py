"""The file of the audit log has every entry that fits the page's choice, however many pages there are."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tenants.audit.files import HEAD
from tenants.models import AuditEntry
from tests.billing.pages.reading import rows_of
from tests.factories import EPOCH

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
ENTRIES = 130


@pytest.fixture
def entries(cast: Cast) -> None:
    AuditEntry.objects.bulk_create(
        AuditEntry(
            organization=cast.tenant,
            actor="alice@example.com" if number % 2 else "=cmd()",
            action="key.made" if number % 3 else "key.revoked",
            subject=f"s-{number}",
            before=None if number % 3 else {"name": "Ölpreis, 价格"},
            after={"number": number},
            at=EPOCH + timedelta(minutes=number),
        )
        for number in range(ENTRIES)
    )
    AuditEntry.objects.create(
        organization=cast.outsider, actor="charlie", action="key.made", subject="theirs", at=EPOCH
    )


@pytest.mark.usefixtures("entries")
def test_every_entry_is_in_it_the_latest_first_with_its_values(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    rows = rows_of(client.get(reverse("tenant-audit-csv")))
    assert tuple(rows[0]) == HEAD
    subjects = [row["subject"] for row in rows if row["subject"].startswith("s-")]
    assert subjects == [f"s-{number}" for number in reversed(range(ENTRIES))]
    assert "theirs" not in {row["subject"] for row in rows}
    by_subject = {row["subject"]: row for row in rows}
    assert json.loads(by_subject["s-3"]["before"]) == {"name": "Ölpreis, 价格"}
    assert by_subject["s-1"]["before"] == ""
    assert json.loads(by_subject["s-1"]["after"]) == {"number": 1}
    assert by_subject["s-2"]["actor"] == "'=cmd()"
    assert by_subject["s-2"]["at"] == "2026-03-01T00:02:00Z"


@pytest.mark.usefixtures("entries")
def test_it_is_what_the_api_lists(cast: Cast, client: Client) -> None:
    from tests.filled import api_key

    client.force_login(cast.alice)
    secret = api_key(cast.tenant)
    told = client.get("/api/v1/audit", {"limit": "500"}, headers={"Authorization": f"Bearer {secret}"}).json()
    listed = [(one["action"], one["subject"]) for one in told["audit"]] if "audit" in told else None
    listed = listed or [(one["action"], one["subject"]) for one in told["entries"]]
    rows = rows_of(client.get(reverse("tenant-audit-csv")))
    assert [(row["action"], row["subject"]) for row in rows] == listed
