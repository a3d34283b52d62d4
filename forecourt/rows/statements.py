"""The SQL that makes a database hold what is declared; the same however often it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from forecourt.rows.rules import (
    FUNCTIONS,
    OLDEST_RUNNING,
    TOUCHES,
    Declared,
    Open,
    Rule,
    View,
    Work,
    in_words,
    own,
    via,
)
from tenants.limits.roles import READER_ROLE, WEB_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import Model

ORGANIZATION: Final = "tenants.organization"
READER_POLICY: Final = "own_rows"
WEB_POLICY: Final = "all_rows"
MAKE_ROLE: Final = """
    DO $role$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role}; END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database's migration was first
    END $role$"""
GRANT_ROLE: Final = """
    DO $role$ BEGIN
        -- From PostgreSQL 16 on a role's maker is its member without the right to act as it.
        IF NOT pg_has_role('{member}', '{role}',
            CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
        THEN EXECUTE format('GRANT {role} TO %I', '{member}'); END IF;
    END $role$"""
# Only what is to be seen there at all may be executed; what the functions answer follows from what was told.
FUNCTION: Final = """
    CREATE OR REPLACE FUNCTION {name}({given}) RETURNS {returns} LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path FROM CURRENT AS $answer${query}
    $answer$"""

OWNERS_LOOK: Final = """
    CREATE OR REPLACE FUNCTION {name}() RETURNS timestamptz LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path FROM CURRENT AS $answer${query}
    $answer$"""


def role_statements(owner: str) -> list[str]:
    """Make the roles, let the owner and the web's sign-in read as a reader, and the owner see the web's sessions."""
    return [
        *(MAKE_ROLE.format(role=role) for role in (READER_ROLE, WEB_ROLE)),
        *(GRANT_ROLE.format(role=READER_ROLE, member=member) for member in (WEB_ROLE, owner)),
        GRANT_ROLE.format(role=WEB_ROLE, member=owner),
    ]


def function_statements() -> list[str]:
    """Make what rules ask."""
    name, query = TOUCHES
    oldest, running = OLDEST_RUNNING
    return [
        *(
            FUNCTION.format(name=each, given="", returns="SETOF uuid", query=in_words(answer))
            for each, answer in FUNCTIONS.items()
        ),
        FUNCTION.format(name=name, given="uuid", returns="boolean", query=in_words(query)),
        OWNERS_LOOK.format(name=oldest, query=running),
    ]


def table_statements(model: type[Model], declared: Declared | None) -> list[str]:
    """Grant a table to the roles and limit its rows; one without a rule is closed to readers."""
    table = model._meta.db_table
    if isinstance(declared, View):
        return [
            f"ALTER VIEW {table} SET (security_invoker = true)",
            f"GRANT SELECT ON {table} TO {READER_ROLE}, {WEB_ROLE}",
        ]
    statements = [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {WEB_ROLE}",
        f"REVOKE ALL ON {table} FROM {READER_ROLE}",
        f"DROP POLICY IF EXISTS {READER_POLICY} ON {table}",
        f"DROP POLICY IF EXISTS {WEB_POLICY} ON {table}",
    ]
    if isinstance(declared, Open):
        return [
            *statements,
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {READER_ROLE}",
        ]
    statements += [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY {WEB_POLICY} ON {table} TO {WEB_ROLE} USING (true)",
    ]
    if declared is not None:
        statements.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {READER_ROLE}")
    if isinstance(declared, Rule):
        seen = condition(model, declared)
        statements.append(f"CREATE POLICY {READER_POLICY} ON {table} TO {READER_ROLE} USING ({seen})")
    assert isinstance(declared, Rule | Work | None)
    return statements


def guessed(model: type[Model]) -> Rule | None:
    """Return a narrow rule for a table that is not declared yet: its organization columns, else its first parent.

    None, which shows no row, where it has neither.
    """
    keys = [one for one in model._meta.concrete_fields if one.is_relation and one.related_model is not None]
    mine = [one.name for one in keys if one.related_model and one.related_model._meta.label_lower == ORGANIZATION]
    parents = [one.name for one in keys if not one.null]
    if mine:
        return own(*mine)
    return via(parents[0]) if parents else None


def condition(model: type[Model], rule: Rule) -> str:
    """Return a rule as one condition on a row of the model's table."""
    return " OR ".join([*map(in_words, rule.conditions), *(_seen_by(model, parent) for parent in rule.parents)])


def _seen_by(model: type[Model], parent: str) -> str:
    table, key = model._meta.db_table, model._meta.get_field(parent)
    above = key.related_model
    assert above is not None, f"{parent} of {table} is no foreign key"
    assert not isinstance(above, str)
    column, pk = key.column, above._meta.pk.column  # type: ignore[union-attr]  # a foreign key has both
    return f"EXISTS (SELECT FROM {above._meta.db_table} above WHERE above.{pk} = {table}.{column})"


def all_statements(models: Iterable[type[Model]], declared: Mapping[str, Declared]) -> list[str]:
    """Return what limits every table; models that share a table are named once."""
    found = [
        *function_statements(),
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {WEB_ROLE}, {READER_ROLE}",
        f"GRANT SELECT ON django_migrations TO {WEB_ROLE}, {READER_ROLE}",
    ]
    for model in models:
        found += table_statements(model, declared.get(model._meta.label_lower) or guessed(model))
    return found
