"""`migrate` is Django's, and ends with whose the rows are."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.db import connection

from forecourt.rows.applying import limit_rows
from tenants.limits.roles import READER_ROLE

pytestmark = pytest.mark.django_db
EARLIER = "COMMENT ON FUNCTION app_partners() IS 'an earlier version'"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_ours_is_the_one_that_is_called() -> None:
    assert get_commands()["migrate"] == "forecourt"


def test_at_the_newest_state_rows_are_limited_as_declared() -> None:
    execute(EARLIER)
    call_command("migrate", verbosity=0, interactive=False)
    assert not limit_rows()


@pytest.mark.parametrize("option", [{"plan": True}, {"check_unapplied": True}])
def test_a_look_changes_nothing(option: dict[str, bool]) -> None:
    execute(EARLIER)
    call_command("migrate", verbosity=0, interactive=False, **option)
    assert limit_rows()


def test_between_migrations_nothing_is_limited_yet() -> None:
    """Tables and columns that rules name may be missing then."""
    execute(EARLIER)
    execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    call_command("migrate", "contenttypes", verbosity=0, interactive=False)
    assert limit_rows()


def test_missing_roles_are_an_error_that_says_what_to_do() -> None:
    execute(EARLIER)
    execute("CREATE ROLE rows_test_powerless; GRANT rows_test_powerless TO CURRENT_USER")
    execute("GRANT SELECT ON django_migrations TO rows_test_powerless")
    execute("SET LOCAL ROLE rows_test_powerless")
    with pytest.raises(CommandError, match=f"As an administrator, once: CREATE ROLE {READER_ROLE}"):
        call_command("migrate", verbosity=0, interactive=False)
