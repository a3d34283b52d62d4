"""Makes the database hold what is declared: after each migration, in one transaction, and only where it differs."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.db import OperationalError, ProgrammingError, connection, transaction
from psycopg import sql
from psycopg.errors import DeadlockDetected, InsufficientPrivilege, LockNotAvailable

from forecourt.rows.declared import DECLARED
from forecourt.rows.statements import all_statements, role_statements
from tenants.limits.roles import READER_ROLE, WEB_ROLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.utils import CursorWrapper

LOCK: Final = 7_206_501_843
LOCK_TIMEOUT: Final = "10s"
TRIES_MAX: Final = 5
"""It takes every table there is, one after the other, while a platform that is up takes some in another order."""
# The comment of a function that stands for all that is declared says which version of it.
SEAL: Final = "app_partners"
HELD: Final = """
    SELECT obj_description(oid, 'pg_proc') FROM pg_proc
    WHERE proname = %s AND pronamespace = current_schema()::regnamespace
"""


class RolesMissing(Exception):
    """The owner of the tables may not make roles: somebody who may must make them once."""

    def __init__(self, owner: str) -> None:
        super().__init__(
            "Row-level security needs two roles, which this database user may not make. As an administrator, once: "
            + " ".join(f"{statement};" for statement in by_hand(owner))
        )


def by_hand(owner: str) -> list[str]:
    """What an administrator runs where the owner of the tables may not make roles."""
    return [
        f"CREATE ROLE {READER_ROLE}",
        f"CREATE ROLE {WEB_ROLE}",
        f'GRANT {READER_ROLE} TO {WEB_ROLE}, "{owner}"',
        f'GRANT {WEB_ROLE} TO "{owner}"',
    ]


def limit_rows() -> bool:
    """Make roles, functions and policies as declared; says whether anything was to be done. Raises RolesMissing."""
    models = [one for one in apps.get_models(include_auto_created=True) if not one._meta.proxy]
    statements = all_statements(models, DECLARED)
    for _ in range(TRIES_MAX - 1):
        try:
            return _limit_rows(statements)
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected | LockNotAvailable):
                raise
    return _limit_rows(statements)


def _limit_rows(statements: Sequence[str]) -> bool:
    seal = sha256("\n".join(statements).encode()).hexdigest()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(HELD, [SEAL])
        if cursor.fetchone() == (seal,):
            return False
        _make_roles(cursor)
        cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        cursor.execute("; ".join(statements))
        cursor.execute(f"COMMENT ON FUNCTION {SEAL}() IS '{seal}'")
    return True


def _make_roles(cursor: CursorWrapper) -> None:
    cursor.execute("SELECT current_user")
    (owner,) = cursor.fetchone()
    try:
        with transaction.atomic():
            cursor.execute("; ".join(role_statements(owner)))
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        raise RolesMissing(owner) from error
