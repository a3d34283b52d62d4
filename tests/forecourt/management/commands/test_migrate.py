"""`migrate` is Django's, and ends with whose the rows are."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.core.management.commands import migrate
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from forecourt.management.commands.migrate import LeanExecutor
from forecourt.rows.applying import limit_rows
from tenants.at_once import AtOnce
from tenants.limits.roles import READER_ROLE

pytestmark = pytest.mark.django_db
EARLIER = "COMMENT ON FUNCTION app_partners() IS 'an earlier version'"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_ours_is_the_one_that_is_called() -> None:
    assert get_commands()["migrate"] == "forecourt"


def sample_migration() -> migrations.Migration:
    """As another package brings one."""
    number: models.Field[object, object] = models.BigAutoField(primary_key=True)
    done = [
        migrations.CreateModel("Shelf", [("id", number)]),
        migrations.AddField("shelf", "width", models.IntegerField(default=1)),
        migrations.RunSQL("SELECT 1"),
    ]
    found: migrations.Migration = type("Made", (migrations.Migration,), {"operations": done})("0001", "sample")
    return found


def test_migrations_of_other_packages_too_are_done_with_few_looks_at_the_models() -> None:
    assert vars(migrate)["MigrationExecutor"] is LeanExecutor
    executor, migration = LeanExecutor(connection), sample_migration()
    executor.apply_migration(ProjectState(), migration)
    assert [type(one) for one in migration.operations] == [AtOnce, AtOnce, migrations.RunSQL]
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, "sample_shelf")
    assert [one.name for one in found] == ["id", "width"]
    assert ("sample", "0001") in executor.recorder.applied_migrations()


def test_one_that_was_perhaps_applied_by_other_means_is_compared_as_it_was_written() -> None:
    executor, migration = LeanExecutor(connection), sample_migration()
    written = list(migration.operations)
    executor.apply_migration(ProjectState(), migration, fake=True)
    assert migration.operations == written
    assert "sample_shelf" not in connection.introspection.table_names()


def test_what_builds_on_few_comes_first_and_nothing_is_left_out() -> None:
    executor = LeanExecutor(connection)
    graph = executor.loader.graph
    plan = [(one.app_label, one.name) for one, _ in executor.migration_plan(graph.leaf_nodes(), clean_start=True)]
    assert set(plan) == set(graph.nodes)
    for at, node in enumerate(plan):
        assert graph.node_map[node].parents <= {graph.node_map[one] for one in plan[:at]}
    last = {app: at for at, (app, _) in enumerate(plan)}
    large = min(last[app] for app in ("billing", "metering"))
    assert all(last[app] < large for app in ("account", "admin", "mfa", "sessions", "socialaccount", "usersessions"))


def test_one_target_is_planned_as_django_does_also_backwards() -> None:
    executor = LeanExecutor(connection)
    [(first, backwards)] = executor.migration_plan([("sessions", None)])
    assert (first.app_label, backwards) == ("sessions", True)


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
