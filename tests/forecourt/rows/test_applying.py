"""A migrated database holds what is declared; what somebody changed in it is set right."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from forecourt.rows.applying import RolesMissing, limit_rows
from forecourt.rows.declared import DECLARED
from forecourt.rows.rules import Open, Rule, View
from tenants.limits.reader import limited
from tenants.limits.roles import READER_ROLE, WEB_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

pytestmark = pytest.mark.django_db


def rows(query: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def writing() -> Iterator[Any]:
    """Another session of the tables' owner, which has written and is not at its end; when it began."""
    with psycopg.connect(**{**connection.get_connection_params(), "cursor_factory": psycopg.Cursor}) as other:
        (began,) = other.execute("SELECT transaction_timestamp(), pg_current_xact_id()").fetchall()
        yield began[0]
        other.rollback()


def policies() -> set[tuple[str, str]]:
    return set(rows("SELECT tablename, policyname FROM pg_policies"))


def test_every_table_is_as_declared() -> None:
    limited = dict(rows("SELECT relname, relrowsecurity FROM pg_class WHERE relkind IN ('r', 'p')"))
    held = policies()
    for label, declared in DECLARED.items():
        table = apps.get_model(label)._meta.db_table
        if isinstance(declared, View):
            continue
        assert limited[table] == (not isinstance(declared, Open)), table
        assert ((table, "own_rows") in held) == isinstance(declared, Rule), table


def test_a_view_shows_what_its_tables_show() -> None:
    views = [apps.get_model(label)._meta.db_table for label, one in DECLARED.items() if isinstance(one, View)]
    found = dict(rows("SELECT relname, reloptions FROM pg_class WHERE relkind = 'v'"))
    for view in views:
        assert found[view] == ["security_invoker=true"], view


def test_the_webs_roles_are_bound_by_it() -> None:
    found = rows(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname IN (%s, %s)",
        READER_ROLE,
        WEB_ROLE,
    )
    assert sorted(found) == [(READER_ROLE, False), (WEB_ROLE, False)]
    owned = rows(
        "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) IN (%s, %s)",
        READER_ROLE,
        WEB_ROLE,
    )
    assert owned == []


def test_parts_of_a_table_are_reached_through_it_alone() -> None:
    parts = rows("SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'")
    assert parts
    for (part,) in parts:
        assert rows("SELECT has_table_privilege(%s, %s, 'SELECT')", READER_ROLE, part) == [(False,)], part
        assert rows("SELECT has_table_privilege(%s, %s, 'SELECT')", WEB_ROLE, part) == [(False,)], part


def test_it_is_done_once() -> None:
    limit_rows()
    assert not limit_rows()


def test_what_differs_is_made_anew() -> None:
    limit_rows()
    before = policies()
    execute("DROP POLICY own_rows ON billing_invoice")
    execute("COMMENT ON FUNCTION app_partners() IS 'an earlier version'")
    assert limit_rows()
    assert policies() == before
    assert not limit_rows()


def test_migrating_ends_with_it() -> None:
    execute("COMMENT ON FUNCTION app_partners() IS 'an earlier version'")
    call_command("migrate", verbosity=0, interactive=False)
    assert not limit_rows()


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_platform_that_waits_for_it_begins_again() -> None:
    tables = sorted(table for table, _policy in policies())
    execute("COMMENT ON FUNCTION app_partners() IS 'an earlier version'")
    with psycopg.connect(**connection.get_connection_params()) as platform, ThreadPoolExecutor(1) as pool:
        platform.execute("LOCK TABLE tenants_auditentry IN ACCESS SHARE MODE")
        applied = pool.submit(limited_elsewhere)
        until_it_waits(applied)
        # It has taken some of these by now, and waits for the one above: whoever waited first is sent back.
        for table in tables:
            platform.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        platform.rollback()
        assert applied.result(timeout=60)
    assert not limit_rows()


def limited_elsewhere() -> bool:
    try:
        return limit_rows()
    finally:
        connection.close()


def until_it_waits(applied: Future[bool]) -> None:
    while not applied.done():
        if rows("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tenants_auditentry'::regclass"):
            return
        time.sleep(0.01)


def test_a_look_at_the_plan_changes_nothing() -> None:
    execute("COMMENT ON FUNCTION app_partners() IS 'an earlier version'")
    call_command("migrate", verbosity=0, interactive=False, plan=True)
    assert limit_rows()


def test_an_owner_who_may_not_make_roles_is_told_what_an_administrator_must_do() -> None:
    execute("COMMENT ON FUNCTION app_partners() IS 'an earlier version'")
    execute("CREATE ROLE rows_test_powerless; GRANT rows_test_powerless TO CURRENT_USER")
    execute("SET LOCAL ROLE rows_test_powerless")
    with pytest.raises(RolesMissing, match=f"CREATE ROLE {READER_ROLE}") as told:
        limit_rows()
    assert "rows_test_powerless" in str(told.value)
    assert f'GRANT {WEB_ROLE} TO "rows_test_powerless"' in str(told.value)


def oldest_running() -> Any:
    ((found,),) = rows("SELECT app_oldest_running()")
    return found


def test_who_reads_sees_when_a_jobs_transaction_began(writing: Any) -> None:
    assert oldest_running() == writing
    with limited(changes=False):
        assert rows("SELECT min(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL") == [(None,)]
        assert oldest_running() == writing


def test_jobs_see_the_webs_transactions_as_a_member_of_its_role() -> None:
    (found,) = rows(
        "SELECT pg_has_role(current_user, %s, 'USAGE'), rolsuper FROM pg_roles WHERE rolname = current_user", WEB_ROLE
    )
    assert found == (True, False)
    execute(f"SET LOCAL ROLE {READER_ROLE}")
    assert rows("SELECT pg_has_role(current_user, %s, 'USAGE')", WEB_ROLE) == [(False,)]
