"""What the database is told: with each transaction anew, also after errors, and never for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from psycopg import sql

from tenants.limits.base import ORGANIZATION, PERSON, PlainCursor, telling
from tenants.limits.reader import NOBODY, Reader, limited, read_for, whole
from tenants.limits.roles import READER_ROLE
from tenants.models import Organization
from tests.factories import make_organization
from tests.kept import kept

if TYPE_CHECKING:
    from uuid import UUID

TOLD = f"SELECT current_role, current_setting('{ORGANIZATION}', true), current_setting('{PERSON}', true)"
ID = uuid4()


def told() -> tuple[str, str | None, str | None]:
    """What the database was told for a statement sent now."""
    with connection.cursor() as cursor:
        cursor.execute(TOLD)
        role, organization, person = cursor.fetchone()
    return role, organization, person


def reads_for(organization_id: UUID) -> tuple[str, str, str]:
    return READER_ROLE, str(organization_id), ""


@kept
def owner() -> str:
    return told()[0]


def test_what_is_told_has_nothing_in_it_that_a_caller_wrote() -> None:
    assert telling(None) == "SELECT set_config('role', 'none', true)"
    assert str(ID) in telling(Reader(ID, None))
    assert telling(NOBODY).count("''") == 2


@pytest.mark.django_db
def test_within_a_transaction_each_change_is_told(owner: str) -> None:
    assert owner != READER_ROLE
    with limited(changes=True):
        assert told() == (READER_ROLE, "", "")
        read_for(organization_id=ID)
        assert told() == reads_for(ID)
        with transaction.atomic():
            assert told()[0] == owner
            with transaction.atomic():
                assert told()[0] == owner
        assert told() == reads_for(ID)
        with whole("a test"):
            assert told()[0] == owner
    assert told()[0] == owner


@pytest.mark.django_db
def test_a_use_case_that_fails_leaves_the_limit_as_it_was(owner: str) -> None:
    make_organization("taken")
    with limited(changes=True):
        read_for(organization_id=ID)
        with pytest.raises(IntegrityError), transaction.atomic():
            make_organization("taken")
        assert told() == reads_for(ID)
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert told() == reads_for(ID)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_every_statement_tells_and_nothing_stays() -> None:
    owner, mine = told()[0], make_organization("mine")
    make_organization("theirs")
    with limited(changes=True):
        read_for(organization_id=mine.id)
        assert told() == reads_for(mine.id)
        assert [one.slug for one in Organization.objects.all()] == ["mine"]
        assert [one.slug for one in Organization.objects.iterator(chunk_size=1)] == ["mine"]
        assert Organization.objects.update(country="FR") == 1
        with transaction.atomic():
            assert told()[0] == owner
            assert Organization.objects.count() == 2
        assert_nothing_stays(owner)
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE tenants_organization SET country = %s", [("GB",), ("ES",)])
            cursor.execute(sql.SQL("SELECT slug FROM tenants_organization WHERE country LIKE {}").format("%S"))
            assert cursor.fetchall() == [("mine",)]
            cursor.execute("SELECT slug FROM tenants_organization WHERE country LIKE 'E%'")
            assert (cursor.fetchall(), cursor.rowcount) == ([("mine",)], 1)
            cursor.execute(b"SELECT count(*) FROM tenants_organization")  # type: ignore[arg-type]  # psycopg takes it
            assert cursor.fetchone() == (1,)
        with pytest.raises(DatabaseError):
            Organization.objects.filter(slug="x" * 64).update(slug="y" * 300, country="DEU")
        assert_nothing_stays(owner)
    assert told()[0] == owner
    assert set(Organization.objects.values_list("country", flat=True)) == {"ES", "DE"}


def assert_nothing_stays(owner: str) -> None:
    """The session itself is nobody's: asked past our cursors it is as it was when it was opened."""
    raw: Any = connection.connection
    role, *settings = raw.execute(TOLD).fetchone()
    assert role == owner
    assert not any(settings)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_undone_has_told_nothing() -> None:
    owner = told()[0]
    with limited(changes=False):
        read_for(organization_id=ID)
        with transaction.atomic():
            assert told() == reads_for(ID)
            transaction.set_rollback(True)
        with transaction.atomic():
            assert told() == reads_for(ID)
    with transaction.atomic():
        assert told()[0] == owner
    assert_nothing_stays(owner)


def statements_sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent to the database from now on, message by message."""
    sent: list[str] = []
    plain = PlainCursor.execute

    def noted(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(query)
        return plain(cursor, query, *arguments, **options)

    monkeypatch.setattr(PlainCursor, "execute", noted)
    return sent


@pytest.mark.django_db
def test_who_reads_is_told_in_the_message_of_the_next_statement_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = statements_sent(monkeypatch)
    with limited(changes=False):
        read_for(organization_id=ID)
        reader = Reader(ID)
        for _ in range(2):
            assert told() == reads_for(ID)
    assert sent == [f"{telling(reader)}; {TOLD}", TOLD]
    told()
    assert sent[-1] == f"{telling(None)}; {TOLD}"


@pytest.mark.django_db
def test_a_cursor_reads_for_whom_it_was_opened_whoever_read_in_between(owner: str) -> None:
    with limited(changes=False), connection.cursor() as before:
        read_for(organization_id=ID)
        assert told() == reads_for(ID)
        before.execute(TOLD)
        assert before.fetchone() == (READER_ROLE, "", "")
        assert told() == reads_for(ID)
        with whole("a test"), connection.cursor() as unused:
            assert unused.connection is not None
        assert told() == reads_for(ID)
        before.execute(TOLD)
        assert before.fetchone() == (READER_ROLE, "", "")
    assert told()[0] == owner


@pytest.mark.django_db
def test_what_is_told_before_a_savepoint_outlasts_it_and_what_is_told_within_does_not(owner: str) -> None:
    with limited(changes=False):
        read_for(organization_id=ID)
        with transaction.atomic():
            assert told() == reads_for(ID)
            with whole("a test"):
                assert told()[0] == owner
            transaction.set_rollback(True)
        assert told() == reads_for(ID)
        with whole("a test"), transaction.atomic():
            with connection.cursor() as cursor, pytest.raises(DatabaseError):
                cursor.execute("SELECT 1 / 0")
            with connection.cursor() as cursor, pytest.raises(DatabaseError, match="aborted"):
                cursor.execute(TOLD)
            transaction.set_rollback(True)
        assert told() == reads_for(ID)


@pytest.mark.django_db
def test_many_rows_at_once_and_copies_are_told_before() -> None:
    mine, _ = make_organization("mine"), make_organization("theirs")
    with limited(changes=False):
        read_for(organization_id=mine.id)
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE tenants_organization SET country = %s", [("GB",), ("ES",)])
    assert dict(Organization.objects.values_list("slug", "country")) == {"mine": "ES", "theirs": "DE"}
    with limited(changes=False):
        read_for(organization_id=mine.id)
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY (SELECT slug FROM tenants_organization) TO STDOUT") as rows,
        ):
            assert [bytes(row) for row in rows] == [b"mine\n"]
    with connection.cursor() as cursor, cursor.copy("COPY (SELECT slug FROM tenants_organization) TO STDOUT") as rows:
        assert {bytes(row) for row in rows} == {b"mine\n", b"theirs\n"}


@pytest.mark.django_db(transaction=True)
def test_a_cursor_that_outlives_its_transaction_tells_for_its_statement_alone() -> None:
    owner, mine = told()[0], make_organization("mine")
    make_organization("theirs")
    with limited(changes=False):
        read_for(organization_id=mine.id)
        with transaction.atomic():
            late = connection.cursor()
        with late:
            late.execute("SELECT slug FROM tenants_organization")
            assert late.fetchall() == [("mine",)]
        assert_nothing_stays(owner)
        with transaction.atomic():
            assert told() == reads_for(mine.id)
    assert told()[0] == owner


@pytest.mark.django_db(transaction=True)
def test_a_silent_session_is_not_asked_whether_it_goes_on_and_a_lost_one_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.ensure_connection()
    asked: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(connection.connection, "execute", asked.append)
        assert connection.is_usable()
    assert asked == []
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
        assert cursor.fetchone() == (True,)
    other.close()
    assert not connection.is_usable()
    connection.close()
    assert not connection.is_usable()
    assert told()[0] != READER_ROLE


@pytest.mark.django_db(transaction=True)
def test_a_session_in_which_something_was_said_unasked_is_asked_and_goes_on() -> None:
    with connection.cursor() as cursor:
        cursor.execute("LISTEN something")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("NOTIFY something")
    other.close()
    assert connection.is_usable()
    assert told()[0] != READER_ROLE
    with connection.cursor() as cursor:
        cursor.execute("UNLISTEN *")


@pytest.mark.django_db
def test_a_transaction_that_failed_cannot_be_used_and_one_that_was_taken_back_can() -> None:
    assert connection.is_usable()
    with transaction.atomic():
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert not connection.is_usable()
        transaction.set_rollback(True)
    assert connection.is_usable()
