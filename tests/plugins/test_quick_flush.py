"""The quick flush empties what was written, guards and references or not, and leaves both in force."""

import os

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.utils import timezone

from billing.models import LedgerPosting
from tenants.ids import new_id
from tenants.models import Organization
from tests.billing.world import make_world
from tests.factories import make_cast
from tests.plugins.embedded_postgres import OWN_SERVER
from tests.plugins.quick_flush import TRUNCATE_EVERY, deleting

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_written_is_gone_and_the_guards_hold_again() -> None:
    for _again in range(2):
        make_world(tokens={})
        make_cast()
        call_command("flush", verbosity=0, interactive=False)
        assert not Organization.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('session_replication_role')")
        assert cursor.fetchone() == ("origin",)
    with pytest.raises(DatabaseError, match="fewer than two entries"):
        LedgerPosting.objects.create(key="a", cause="payment", cause_id=new_id(), memo="", at=timezone.now())


def test_a_server_of_the_runs_own_is_emptied_so() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        (may_put_guards_aside,) = cursor.fetchone()
    assert may_put_guards_aside or OWN_SERVER not in os.environ
    another = connections.create_connection(DEFAULT_DB_ALIAS)
    flushes = [another.ops.sql_flush(no_style(), ["tenants_organization"]) for _ in range(2)]
    assert any("DELETE FROM" in one for (one,) in flushes) == may_put_guards_aside


def test_parts_of_a_table_are_emptied_with_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE whole (number int) PARTITION BY RANGE (number)")
        cursor.execute("CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (9)")
        cursor.execute("INSERT INTO whole VALUES (1)")
        (statement,) = deleting(lambda *_args, **_options: [])(no_style(), ["whole", "tenants_organization"])
        cursor.execute(statement)
        cursor.execute("SELECT count(*) FROM whole")
        assert cursor.fetchone() == (0,)
        cursor.execute("DROP TABLE whole")


@pytest.mark.django_db(transaction=False)
@pytest.mark.parametrize("_again", range(3))
def test_a_content_type_that_was_rolled_back_is_not_remembered(_again: int) -> None:
    remembered = ContentType.objects.get_for_model(Organization)
    assert ContentType.objects.filter(pk=remembered.pk).exists()
    ContentType.objects.all().delete()
    ContentType.objects.clear_cache()
    ContentType.objects.get_for_model(Organization)


def test_now_and_then_everything_is_truncated() -> None:
    flush = deleting(lambda _style, tables, **_options: [f"TRUNCATE {', '.join(tables)}"])
    given = [flush(None, ["a", "b"]) for _ in range(2 * TRUNCATE_EVERY)]
    assert [index + 1 for index, (one,) in enumerate(given) if one == "TRUNCATE a, b"] == [
        TRUNCATE_EVERY,
        2 * TRUNCATE_EVERY,
    ]
    assert "ARRAY['a', 'b']" in given[0][0]
