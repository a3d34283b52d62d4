"""Django's PostgreSQL, told with each transaction for whom it reads (see `tenants.limits.reader`).

Settings and role are set for the transaction alone, so that nothing of a request is left behind in a session, be it
kept open here or shared by a pooler. The telling goes before a statement in the same message, without a round trip
more: within a transaction where it is another than before, outside of one before each statement, which is one itself.
"""

from __future__ import annotations

import select
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.db.backends.postgresql import base
from psycopg import sql
from psycopg.pq import TransactionStatus

from tenants.limits.instants import remember_instants
from tenants.limits.reader import Reader, reader_now
from tenants.limits.roles import READER_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    # The stubs of Django say nothing of what its cursors are: psycopg's.
    PlainCursor = psycopg.ClientCursor[Any]
    PlainServerCursor = psycopg.ServerCursor[Any]
else:
    PlainCursor = base.Cursor
    PlainServerCursor = base.ServerSideCursor

ORGANIZATION: Final = "app.org_id"
PERSON: Final = "app.person_id"
_UNSURE: Final = object()
"""After a part of a transaction was undone: it may have been told within that part."""


@lru_cache(maxsize=256)
def telling(reader: Reader | None) -> str:
    """Return the statement that limits the transaction to a reader's rows, or lifts the limit (None)."""
    if reader is None:
        return "SELECT set_config('role', 'none', true)"
    organization, person = (value or "" for value in (reader.organization_id, reader.person_id))
    return (
        f"SELECT set_config('role', '{READER_ROLE}', true), set_config('{ORGANIZATION}', '{organization}', true),"
        f" set_config('{PERSON}', '{person}', true)"
    )


class TellingCursor(PlainCursor):
    """A cursor that begins each statement with who reads, where that is set."""

    told = ""
    teller: DatabaseWrapper | None = None
    """Within a transaction: who knows what it was told."""
    reader: Reader | None = None

    def execute(self, query: Any, params: Any = None, **options: Any) -> TellingCursor:
        """Run a statement together with the telling; outside a transaction both are one."""
        told = self.told if self.teller is None else self.teller.owed(self.reader)
        if not told:
            super().execute(query, params, **options)
            return self
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        if isinstance(text, bytes):
            text = text.decode()
        # Without parameters psycopg leaves percent signs as they are; the telling has none.
        super().execute(f"{told}; {text}", params, **options)
        self.nextset()
        if self.teller is not None:
            self.teller.was_told(self.reader)
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """Run a statement several times in one transaction."""
        if self.teller is not None:
            self.teller.tell(self.reader)
        if not self.told:
            super().executemany(query, params_seq, **options)
            return
        with self.connection.transaction():
            self.connection.execute(self.told)
            super().executemany(query, params_seq, **options)

    def copy(self, *args: Any, **options: Any) -> Any:
        """Copy rows, which is no statement that another could go before."""
        if self.teller is not None:
            self.teller.tell(self.reader)
        return super().copy(*args, **options)


class TellingServerCursor(PlainServerCursor):
    """The same for a cursor that the server holds; its rows are decided when it is opened."""

    told = ""

    def execute(self, query: Any, params: Any = None, **options: Any) -> TellingServerCursor:
        """Open the cursor."""
        if not self.told:
            super().execute(query, params, **options)
            return self
        with self.connection.transaction():
            self.connection.execute(self.told)
            super().execute(query, params, **options)
        return self


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that tells the database for whom it reads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told: object = None
        self._quiet = False

    def get_connection_params(self) -> dict[str, Any]:
        """Django's, with our cursors."""
        return {**super().get_connection_params(), "cursor_factory": TellingCursor}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Nothing is told to a new session yet."""
        self._told = None
        connection = super().get_new_connection(conn_params)
        remember_instants(connection)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor for the reader of now."""
        reader = reader_now(len(self.atomic_blocks))
        if self._is_in_transaction():
            if name:
                self.tell(reader)
                return super().create_cursor(name)
            cursor = super().create_cursor(name)
            cursor.teller, cursor.reader = self, reader
            return cursor
        cursor = super().create_cursor(name)
        if reader is None:
            return cursor
        if name:
            cursor.close()
            opened: Any = TellingServerCursor
            cursor = opened(self.connection, name=name, scrollable=False, withhold=self.connection.autocommit)
        cursor.told = telling(reader)
        return cursor

    def is_usable(self) -> bool:
        """Return whether the session goes on, as far as can be known before it is used.

        Where it ended, or the server said something unasked, its socket can be read from, and the database is asked as
        Django asks it. A silent one is as good as an answer of a moment ago, without the round trip at every request.
        """
        return self._is_silent() or super().is_usable()

    def _is_silent(self) -> bool:
        if self.connection is None or self.connection.closed or not hasattr(select, "poll"):
            return False
        if self.connection.info.transaction_status == TransactionStatus.INERROR:
            return False  # an answer there was, and after it nothing but the transaction's end is possible
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return not waiting.poll(0)

    def owed(self, reader: Reader | None) -> str:
        """Return what a transaction must be told for a reader now: nothing where it was told so."""
        if self._quiet or reader == self._told:
            return ""
        if self.connection.info.transaction_status == TransactionStatus.INERROR:
            return ""  # nothing but its end is possible
        return telling(reader)

    def was_told(self, reader: Reader | None) -> None:
        """Know for whom the transaction reads from now on, if it is one that goes on."""
        if self._is_in_transaction():
            self._told = reader

    def tell(self, reader: Reader | None) -> None:
        """Tell who reads by a statement of its own, where that has changed."""
        if told := self.owed(reader):
            self.connection.execute(told)
            self.was_told(reader)

    def _is_in_transaction(self) -> bool:
        return bool(self.in_atomic_block or not self.connection.autocommit)

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._told = None

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._told = None

    def _savepoint_rollback(self, sid: str) -> None:
        with self._silence():
            super()._savepoint_rollback(sid)  # type: ignore[misc]
        self._told = _UNSURE

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
