"""Append-only tables refuse change by whoever writes, around the ORM too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from tenants.models import AuditEntry
from tests.factories import EPOCH
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast


@kept
def entry(cast: Cast) -> AuditEntry:
    return AuditEntry.objects.create(
        organization=cast.tenant, actor="alice", action="key.issued", subject="fk_1", at=EPOCH
    )


@pytest.mark.parametrize(
    "statement",
    ["UPDATE tenants_auditentry SET actor = 'nobody'", "DELETE FROM tenants_auditentry", "TRUNCATE tenants_auditentry"],
)
def test_the_audit_log_refuses_change(entry: AuditEntry, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE tenants_auditentry ENABLE TRIGGER tenants_auditentry_no_truncate")
        with pytest.raises(IntegrityError, match="append-only table tenants_auditentry"), transaction.atomic():
            cursor.execute(statement)
        cursor.execute("SELECT actor FROM tenants_auditentry")
        assert cursor.fetchall() == [("alice",)]


@pytest.mark.django_db
def test_every_fact_table_is_guarded() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%\\_append\\_only'")
        guarded = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%\\_grows\\_only'")
        growing = {row[0] for row in cursor.fetchall()}
    assert guarded >= {
        "tenants_auditentry",
        "metering_batch",
        "metering_batchconflict",
        "metering_eventcall",
        "metering_eventconflict",
        "billing_priceversion",
        "billing_tokenprice",
        "billing_gpuprice",
        "billing_charge",
        "billing_ledgerposting",
        "billing_ledgerentry",
        "billing_invoiceevidence",
    }
    # What is written of it stays; only when it was written last goes on.
    assert "billing_payment" in growing
