"""Reading instants from the database: what was read before is not worked out again.

A month of usage names the same few hundred hours tens of thousands of times; parsing each took an eighth of a close.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.datetime import TimestamptzLoader

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

KNOWN_MAX: Final = 20_000
"""Texts remembered at most, about 4 MB; then all are forgotten."""


def remember_instants(connection: psycopg.Connection[Any]) -> None:
    """Let a connection's instants be read from what is known, by the loader that it has now."""
    oid = connection.adapters.types["timestamptz"].oid
    loader = connection.adapters.get_loader(oid, Format.TEXT)
    if loader is not None and not getattr(loader, "remembers", False):
        connection.adapters.register_loader(oid, _remembering(loader))


@cache
def _remembering(loader: type[Loader]) -> type[Loader]:
    known: dict[bytes, datetime] = {}
    parent: Any = loader if issubclass(loader, TimestamptzLoader) else TimestamptzLoader

    class Remembering(parent):  # type: ignore[misc]  # Django's loader, which no stub knows
        """A text of an instant has its offset, so that one text is one instant."""

        remembers = True

        def load(self, data: Any) -> datetime:
            text = bytes(data)
            at = known.get(text)
            if at is None:
                if len(known) >= KNOWN_MAX:
                    known.clear()
                at = known[text] = super().load(data)
            return at

    return Remembering
