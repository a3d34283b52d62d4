"""What is declared, as SQL that may be run again and again."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType

from billing.models import Invoice, InvoiceLine, Settlement
from forecourt.rows.rules import Open, View, Work, own, via, where
from forecourt.rows.statements import (
    all_statements,
    condition,
    function_statements,
    guessed,
    role_statements,
    table_statements,
)
from metering.models import NodeCursor
from tenants.limits.roles import READER_ROLE, WEB_ROLE
from tenants.models import Organization


def test_a_child_is_seen_with_its_parent() -> None:
    said = condition(InvoiceLine, own("tenant") | via("invoice"))
    assert said.startswith("tenant_id = (SELECT NULLIF(")
    assert said.endswith(
        " OR EXISTS (SELECT FROM billing_invoice above WHERE above.id = billing_invoiceline.invoice_id)"
    )


def test_a_parent_whose_key_has_another_name_is_found_by_it() -> None:
    assert condition(NodeCursor, via("node")) == (
        "EXISTS (SELECT FROM clusters_node above WHERE above.id = metering_nodecursor.node_id)"
    )
    assert "above.id = billing_settlement.invoice_id" in condition(Settlement, via("invoice"))


def test_a_parent_that_is_no_foreign_key_is_refused() -> None:
    with pytest.raises(AssertionError, match="no foreign key"):
        condition(Invoice, via("number"))


def test_a_table_with_a_rule_is_limited_for_readers_and_whole_for_the_web() -> None:
    said = table_statements(Organization, where("true"))
    assert f"CREATE POLICY own_rows ON tenants_organization TO {READER_ROLE} USING (true)" in said
    assert f"CREATE POLICY all_rows ON tenants_organization TO {WEB_ROLE} USING (true)" in said
    assert "ALTER TABLE tenants_organization ENABLE ROW LEVEL SECURITY" in said


@pytest.mark.parametrize(
    ("declared", "granted", "enabled"),
    [(Open("for a test"), True, False), (Work("for a test"), True, True), (None, False, True)],
)
def test_what_has_no_rule(declared: Open | Work | None, granted: bool, enabled: bool) -> None:
    said = table_statements(Organization, declared)
    assert not any("own_rows" in one and one.startswith("CREATE") for one in said)
    assert any(one.startswith("GRANT") and one.endswith(READER_ROLE) for one in said) == granted
    assert any("ENABLE ROW LEVEL" in one for one in said) == enabled
    assert any(one.startswith("GRANT") and one.endswith(WEB_ROLE) for one in said)


def test_a_table_that_nobody_declared_is_guessed_at_narrowly() -> None:
    assert guessed(Invoice) == own("issuer", "tenant")
    assert guessed(InvoiceLine) == via("invoice")
    assert guessed(Organization) == own("introduced_by")
    assert guessed(ContentType) is None
    said = all_statements([Invoice], {})
    assert any(one.startswith("CREATE POLICY own_rows ON billing_invoice") for one in said)


def test_a_view_asks_as_who_reads_it() -> None:
    assert table_statements(Organization, View()) == [
        "ALTER VIEW tenants_organization SET (security_invoker = true)",
        f"GRANT SELECT ON tenants_organization TO {READER_ROLE}, {WEB_ROLE}",
    ]


def test_functions_see_as_their_owner_and_change_nothing() -> None:
    for said in function_statements():
        assert "SECURITY DEFINER" in said
        assert ("STABLE" in said) == ("clock_timestamp" not in said)
        assert "SET search_path FROM CURRENT" in said


def test_roles_own_nothing_and_are_made_once() -> None:
    said = role_statements("somebody")
    assert sum("CREATE ROLE" in one for one in said) == 2
    assert not any(word in one.upper() for one in said for word in ("SUPERUSER", "BYPASSRLS", "CREATEDB"))
    assert [READER_ROLE in one for one in said if "somebody" in one] == [True, False]
    assert WEB_ROLE in said[-1]


def test_all_tables_are_named() -> None:
    said = all_statements(
        [Invoice, InvoiceLine], {"billing.invoice": own("tenant"), "billing.invoiceline": via("invoice")}
    )
    assert sum(one.startswith("CREATE POLICY own_rows") for one in said) == 2
    assert said.count(f"GRANT SELECT ON django_migrations TO {WEB_ROLE}, {READER_ROLE}") == 1
