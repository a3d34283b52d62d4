"""Prepared statements read for whom any other statement would; a session keeps them only where that is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from psycopg.types.numeric import Int8

from tenants.limits.base import ORGANIZATION
from tenants.limits.prepared import PREPARE_AFTER, run_prepared
from tenants.limits.reader import limited, read_for, whole
from tenants.limits.roles import READER_ROLE
from tenants.models import Organization
from tests.factories import make_organization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.django_db
TOLD = f"SELECT current_role, current_setting('{ORGANIZATION}', true), $1::int8"
ID = uuid4()


@pytest.fixture(autouse=True)
def unprepared() -> Iterator[None]:
    """Leave no statement behind for the tests that use this session later."""
    yield
    connection.connection.prepare_threshold = None
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    connection.connection._prepared.clear()


def prepared() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["%current_role%"])
        return int(cursor.fetchone()[0])


def test_values_go_and_come_back_as_they_are() -> None:
    mine = make_organization("mine")
    rows = run_prepared(
        "SELECT id, slug FROM tenants_organization WHERE id = ANY($1) AND slug <> $2", [[mine.id, uuid4()], "other"]
    )
    assert rows == [(mine.id, "mine")]
    assert run_prepared("UPDATE tenants_organization SET name = $1 WHERE id = $2", ["New", mine.id]) == []
    assert Organization.objects.get(id=mine.id).name == "New"
    assert run_prepared("SELECT $1::uuid[]", [[]]) == [([],)]


def test_within_a_transaction_it_reads_as_the_transaction_does() -> None:
    with limited(changes=False):
        read_for(organization_id=ID)
        with transaction.atomic():
            assert run_prepared(TOLD, [Int8(1)]) == [(READER_ROLE, str(ID), 1)]
            with whole("to see the difference"):
                assert run_prepared(TOLD, [Int8(1)])[0][0] != READER_ROLE
            assert run_prepared(TOLD, [Int8(1)]) == [(READER_ROLE, str(ID), 1)]
    with limited(changes=True), transaction.atomic():
        assert run_prepared(TOLD, [Int8(1)])[0][0] != READER_ROLE


@pytest.mark.django_db(transaction=True)
def test_outside_of_one_it_is_told_in_a_transaction_of_its_own() -> None:
    make_organization("mine")
    with limited(changes=True):
        read_for(organization_id=ID)
        assert run_prepared(TOLD, [Int8(1)]) == [(READER_ROLE, str(ID), 1)]
        assert run_prepared("SELECT slug FROM tenants_organization WHERE slug = $1", ["mine"]) == []
        with whole("to see the difference"):
            assert run_prepared("SELECT slug FROM tenants_organization WHERE slug = $1", ["mine"]) == [("mine",)]
    assert run_prepared(TOLD, [Int8(1)])[0][0] != READER_ROLE


def test_a_refusal_of_the_database_is_djangos_error() -> None:
    make_organization("mine")
    taken = "UPDATE tenants_organization SET slug = $1 WHERE slug = $2"
    make_organization("other")
    with pytest.raises(IntegrityError), transaction.atomic():
        run_prepared(taken, ["mine", "other"])
    assert run_prepared(taken, ["free", "other"]) == []


@pytest.mark.parametrize("allowed", [True, False])
def test_a_session_keeps_plans_only_where_it_is_its_own(allowed: bool) -> None:
    with override_settings(PREPARED_STATEMENTS=allowed):
        for number in range(PREPARE_AFTER + 3):
            assert run_prepared(TOLD, [Int8(number)])[0][2] == number
    assert prepared() == int(allowed)


def test_it_is_among_the_statements_that_are_counted() -> None:
    with CaptureQueriesContext(connection) as captured:
        run_prepared(TOLD, [Int8(1)])
        run_prepared(TOLD, [Int8(2)])
    assert [one["sql"] for one in captured] == [TOLD, TOLD]


def test_whoever_watches_statements_meets_it_and_can_end_it() -> None:
    seen: list[str] = []

    def watch(run: Callable[..., object], statement: str, parameters: object, many: bool, context: object) -> object:
        seen.append(f"{statement} {parameters}")
        if len(seen) == 3:
            raise OperationalError
        return run(statement, parameters, many, context)

    with connection.execute_wrapper(watch), connection.execute_wrapper(watch):
        assert run_prepared("SELECT $1::text", ["a"]) == [("a",)]
        with pytest.raises(OperationalError):
            run_prepared("SELECT $1::text", ["b"])
    assert seen == ["SELECT $1::text ['a']"] * 2 + ["SELECT $1::text ['b']"]
