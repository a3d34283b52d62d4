"""Copies of a tenant by SQL: everything that hangs on its row, a thousand times, within minutes.

What use cases made once stays true in every copy: the copy of a row has the ids of its own copies in it. An id's copy
keeps the id's beginning, which is its time, so that newest-first stays newest-first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg import sql

LEFT_OUT = frozenset({"tenants_membership", "tenants_apikey", "tenants_auditentry", "tenants_invitation"})
"""People and what they did: nobody shall be in a thousand organizations."""
POSTING, CAUSE = "billing_ledgerposting", "cause_id"
PLAIN = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relispartition
"""
COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position
"""
FOREIGN = """
    SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    WHERE c.contype = 'f' AND cardinality(c.conkey) = 1
"""
UNIQUE = """
    SELECT i.indrelid::regclass::text, i.indisprimary,
        ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = ANY(i.indkey::int2[])
            ORDER BY array_position(i.indkey::int2[], attnum))
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace AND i.indexprs IS NULL
"""
COPIED = """
    CASE WHEN {column} IN (SELECT id FROM found)
    THEN (left({column}::text, 24) || right(md5({column}::text || n), 12))::uuid ELSE {column} END
"""


@dataclass
class Shape:
    """The tables of a database: columns with their types, references, keys."""

    columns: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    foreign: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    unique: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    primary: dict[str, str] = field(default_factory=dict)


def copy_rows(database_url: str, roots: Mapping[str, Sequence[UUID]], copies: int) -> dict[str, int]:
    """Copy rows and all that refers to them so many times; returns how many rows each table got.

    `database_url` is a superuser's: guards and references are not checked, for the rows were checked as they were made.
    """
    with psycopg.connect(database_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        shape = _shape(cursor)
        found = _found(cursor, shape, roots)
        return {table: _copy(cursor, shape, table, found, copies) for table in sorted(found)}


def _shape(cursor: psycopg.Cursor) -> Shape:
    shape = Shape()
    plain = {name for (name,) in cursor.execute(PLAIN)} - LEFT_OUT
    for table, column, kind in cursor.execute(COLUMNS).fetchall():
        if table in plain:
            shape.columns[table][column] = kind
    for table, column, other in cursor.execute(FOREIGN).fetchall():
        if table in plain and shape.columns[table].get(column) == "uuid":
            shape.foreign[table][column] = other
    for table, is_primary, columns in cursor.execute(UNIQUE).fetchall():
        if table in plain:
            shape.unique[table].append(columns)
            if is_primary and len(columns) == 1:
                shape.primary[table] = columns[0]
    return shape


def _found(cursor: psycopg.Cursor, shape: Shape, roots: Mapping[str, Sequence[UUID]]) -> set[str]:
    """Note every row that hangs on the roots in the table `found`, until nothing more does; returns their tables."""
    cursor.execute("CREATE TEMPORARY TABLE found (id uuid PRIMARY KEY)")
    tables = set(roots)
    for ids in roots.values():
        cursor.execute("INSERT INTO found SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING", [list(ids)])
    growing = True
    while growing:
        growing = False
        cursor.execute("ANALYZE found")
        for table in shape.columns:
            added = _more(cursor, shape, table, tables)
            growing = growing or added
    return tables


def _more(cursor: psycopg.Cursor, shape: Shape, table: str, tables: set[str]) -> bool:
    """Note a table's rows that refer to what was found; says whether there were new ones."""
    references = _references(shape, table, tables)
    if not references:
        return False
    condition = sql.SQL(" OR ").join(
        sql.SQL("{} IN (SELECT id FROM found)").format(each) for each in _names(references)
    )
    name, key = sql.Identifier(table), shape.primary.get(table, "")
    if shape.columns[table].get(key) != "uuid":
        found = cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(name, condition)).fetchone()
        is_new = found is not None and bool(found[0]) and table not in tables
    else:
        row = sql.SQL("INSERT INTO found SELECT {} FROM {} WHERE {} ON CONFLICT DO NOTHING")
        cursor.execute(row.format(sql.Identifier(key), name, condition))
        is_new = cursor.rowcount > 0
        rows = cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(name, condition)).fetchone()
        if rows is not None and rows[0]:
            tables.add(table)
    if is_new:
        tables.add(table)
    return is_new


def _references(shape: Shape, table: str, tables: set[str]) -> list[str]:
    columns = [column for column, other in shape.foreign[table].items() if other in tables]
    return [*columns, CAUSE] if table == POSTING else columns


def _copy(cursor: psycopg.Cursor, shape: Shape, table: str, tables: set[str], copies: int) -> int:
    key = shape.primary.get(table, "")
    by_id = shape.columns[table].get(key) == "uuid"
    references = _references(shape, table, tables)
    mapped = {*references, *([key] if by_id else [])}
    condition = sql.SQL(" OR ").join(
        sql.SQL("{} IN (SELECT id FROM found)").format(each) for each in _names([key] if by_id else references)
    )
    own = {column for column in mapped if _is_own(cursor, table, column, condition)}
    numbered = _numbered(shape, table, own)
    named = {column: kind for column, kind in shape.columns[table].items() if by_id or column != key}
    values = [_value(column, kind, column in mapped, column in numbered) for column, kind in named.items()]
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}, generate_series(1, {}) n WHERE {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(_names(named)),
            sql.SQL(", ").join(values),
            sql.Identifier(table),
            sql.Literal(copies),
            condition,
        )
    )
    return cursor.rowcount


def _is_own(cursor: psycopg.Cursor, table: str, column: str, condition: sql.Composable) -> bool:
    """Whether a column is of each copy alone: never empty, and never of somebody who is not copied."""
    question = "SELECT EXISTS (SELECT FROM {} WHERE ({}) AND ({column} IN (SELECT id FROM found)) IS NOT TRUE)"
    cursor.execute(sql.SQL(question).format(sql.Identifier(table), condition, column=sql.Identifier(column)))
    found = cursor.fetchone()
    return found is not None and not found[0]


def _numbered(shape: Shape, table: str, mapped: set[str]) -> set[str]:
    """The columns that must be told apart by number, since a key of the table has no id that is each copy's own."""
    found = set()
    for columns in shape.unique[table]:
        if not mapped & set(columns):
            kinds = shape.columns[table]
            found |= {name for name in columns if kinds.get(name) in {"character varying", "text", "bytea"}}
    return found


def _value(column: str, kind: str, is_mapped: bool, is_numbered: bool) -> sql.Composable:
    name = sql.Identifier(column)
    if is_mapped:
        return sql.SQL(COPIED).format(column=name)
    if is_numbered and kind == "bytea":
        return sql.SQL("sha256({} || n::text::bytea)").format(name)
    if is_numbered:
        return sql.SQL("{} || '-' || n").format(name)
    return name


def _names(columns: Iterable[str]) -> list[sql.Identifier]:
    return [sql.Identifier(column) for column in columns]
