"""Parts in the database: a filled table is cut where it stands, parts are made ahead, the rest is emptied."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction

from metering.partition_plans import BATCHES
from metering.partition_tables import cut_table, drop_part, make_parts, parts_of, rest_rows
from metering.partitions import PartitionPlan, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.django_db
FACTS = PartitionPlan(
    table="sample_fact",
    column="received_at",
    unit="month",
    ahead=2,
    keep_months=13,
    unique=(("owner", "number"), ("id",)),
    order_by=("owner", "number"),
)
NOW = datetime(2026, 3, 10, tzinfo=UTC)


def execute(statement: str, parameters: Sequence[int | str | datetime] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def add(number: int, received_at: datetime, owner: int = 1) -> None:
    execute("INSERT INTO sample_fact VALUES (%s, %s, %s, %s)", [100 * owner + number, owner, number, received_at])


def numbers(table: str = "sample_fact") -> list[int]:
    return [int(number) for (number,) in execute(f"SELECT number FROM {table} ORDER BY owner, number")]


def names() -> list[str]:
    return [part.name for part in parts_of(FACTS)]


@pytest.fixture
def uncut() -> None:
    """An ordinary append-only table with keys and a foreign key, as migrations made them before."""
    execute("CREATE TABLE sample_owner (id bigint PRIMARY KEY)")
    execute("INSERT INTO sample_owner VALUES (1), (2)")
    execute(
        "CREATE TABLE sample_fact (id bigint PRIMARY KEY, owner bigint NOT NULL REFERENCES sample_owner, "
        "number bigint NOT NULL CHECK (number > 0), received_at timestamptz NOT NULL, UNIQUE (owner, number))"
    )
    execute(
        "CREATE TRIGGER sample_fact_append_only BEFORE UPDATE OR DELETE ON sample_fact "
        "FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()"
    )
    execute(
        "CREATE TRIGGER sample_fact_no_truncate BEFORE TRUNCATE ON sample_fact "
        "FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()"
    )


@pytest.fixture
def facts(uncut: None) -> None:
    cut_table(plan=FACTS, database=connection, now=NOW)


def test_an_empty_table_is_cut_into_the_present_two_ahead_and_the_rest(facts: None) -> None:
    assert names() == ["sample_fact_2026_03", "sample_fact_2026_04", "sample_fact_2026_05", "sample_fact_rest"]


def test_what_a_filled_table_holds_becomes_its_first_part(uncut: None) -> None:
    for number, received_at in enumerate([datetime(2025, 11, 5, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)], 1):
        add(number, received_at)
    cut_table(plan=FACTS, database=connection, now=NOW)
    assert numbers() == numbers("sample_fact_before") == [1, 2]
    assert parts_of(FACTS)[0].span == Span(None, datetime(2026, 4, 1, tzinfo=UTC))
    assert names() == ["sample_fact_before", "sample_fact_2026_04", "sample_fact_2026_05", "sample_fact_rest"]
    add(3, NOW)
    assert numbers("sample_fact_before") == [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sample_fact SET number = 9",
        "DELETE FROM sample_fact",
        "DELETE FROM sample_fact_2026_03",
        "DELETE FROM sample_fact_rest",
        "TRUNCATE sample_fact",
        "TRUNCATE sample_fact_2026_03",
        "TRUNCATE sample_fact_rest",
        "INSERT INTO sample_fact VALUES (900, 1, 1, '2026-03-11T00:00Z')",
        "INSERT INTO sample_fact VALUES (101, 1, 7, '2026-03-11T00:00Z')",
        "INSERT INTO sample_fact VALUES (900, 1, 0, '2026-03-11T00:00Z')",
    ],
)
def test_guards_keys_and_checks_hold_in_every_part(facts: None, change: str) -> None:
    add(1, NOW)
    add(2, datetime(2031, 1, 1, tzinfo=UTC))
    with pytest.raises(DatabaseError), transaction.atomic():
        execute(change)
    assert numbers() == [1, 2]


def test_parts_are_made_once_and_as_time_goes_on(facts: None) -> None:
    assert make_parts(plan=FACTS, now=NOW) == []
    assert make_parts(plan=FACTS, now=datetime(2026, 4, 1, tzinfo=UTC)) == ["sample_fact_2026_06"]
    assert make_parts(plan=FACTS, now=datetime(2027, 1, 1, tzinfo=UTC)) == [
        "sample_fact_2027_01",
        "sample_fact_2027_02",
        "sample_fact_2027_03",
    ]


def test_rows_of_a_time_without_part_are_taken_and_moved_into_one(facts: None) -> None:
    for number, received_at in enumerate(
        [datetime(2024, 2, 29, tzinfo=UTC), NOW, datetime(2026, 6, 1, tzinfo=UTC), datetime(2029, 12, 31, tzinfo=UTC)],
        1,
    ):
        add(number, received_at)
    assert rest_rows(plan=FACTS, limit=10) == 3
    made = make_parts(plan=FACTS, now=NOW)
    assert made == ["sample_fact_2024_02", "sample_fact_2026_06", "sample_fact_2029_12"]
    assert rest_rows(plan=FACTS, limit=10) == 0
    assert numbers() == [1, 2, 3, 4]
    assert numbers("sample_fact_2024_02") == [1]
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute("DELETE FROM sample_fact_2024_02")
    add(5, datetime(2031, 1, 1, tzinfo=UTC))
    assert make_parts(plan=FACTS, now=NOW) == ["sample_fact_2031_01"]


def test_a_dropped_part_takes_its_rows_with_it_and_no_others(facts: None) -> None:
    add(1, NOW)
    add(2, datetime(2026, 4, 2, tzinfo=UTC))
    drop_part(plan=FACTS, part=parts_of(FACTS)[0])
    assert numbers() == [2]
    assert "sample_fact_2026_03" not in names()


def test_batches_are_cut_and_the_database_alone_keeps_a_number_from_coming_twice() -> None:
    parts = parts_of(BATCHES)
    assert len(parts) >= BATCHES.ahead + 2
    for part in parts:
        keys = {
            text.rpartition("(")[2]
            for (text,) in execute(
                "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE 'CREATE UNIQUE%%'", [part.name]
            )
        }
        assert {"node_id, seq)", "id)"} <= keys
