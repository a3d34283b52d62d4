"""For whom the database is asked, so that it answers with their rows alone.

A request is *limited*: what it reads are the rows of its organization and its person, and of nobody while they are not
known. What changes rows opens a transaction, as every use case does; what it looks at (other tenants' cards, both
parties' books) is no one organization's, so within a transaction of a request that may change something the limit is
put aside. `whole` puts it aside for a reading that must see more, and says why.

Jobs and commands are not limited. A web process is even where nobody said anything: it reads as nobody.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Reader:
    """An organization and a person; both None is nobody, who has no rows."""

    organization_id: UUID | None = None
    person_id: UUID | None = None


@dataclass(slots=True)
class Limit:
    """What a request may read; told more as it becomes known who asks."""

    reader: Reader
    changes: bool
    """Whether transactions within are use cases, which see all rows."""
    outer_transactions: int = 0
    """How many transactions and savepoints were open before."""
    lifted: bool = False


NOBODY = Reader()
_limit: ContextVar[Limit | None] = ContextVar("limit", default=None)


@contextmanager
def limited(*, changes: bool) -> Iterator[Limit]:
    """Read as nobody until `read_for` says who asks; `changes` says whether transactions within are use cases."""
    limit = Limit(NOBODY, changes, len(connection.atomic_blocks))
    token = _limit.set(limit)
    try:
        yield limit
    finally:
        _limit.reset(token)


def read_for(*, organization_id: UUID | None = None, person_id: UUID | None = None) -> None:
    """Say who asks; nothing where nothing is limited."""
    limit = _limit.get()
    if limit is not None:
        limit.reader = Reader(
            organization_id or limit.reader.organization_id,
            person_id or limit.reader.person_id,
        )


def lift() -> None:
    """Let the rest of a limited request see all rows: the operator's people and programs."""
    limit = _limit.get()
    if limit is not None:
        limit.lifted = True


@contextmanager
def whole(why: str) -> Iterator[None]:
    """See all rows for as long as it lasts; `why` is for whoever reads the code."""
    assert why
    token = _limit.set(Limit(NOBODY, changes=False, lifted=True))
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def within_own(organization_id: UUID, why: str) -> Iterator[None]:
    """See all rows for as long as it lasts, where they are asked for by what is the reader's own; `why` as in `whole`.

    For sums over very many rows below something that names its owner: to ask of each row whose it is costs more than to
    add them up. Where another organization's are asked for than the one that reads, the limit stays.
    """
    with within_own_of({organization_id}, why):
        yield


@contextmanager
def within_own_of(owners: Collection[UUID], why: str) -> Iterator[None]:
    """Do the same where what is asked for is several organizations' own, each of which may read it by itself."""
    limit = _limit.get()
    if limit is not None and limit.reader.organization_id in owners:
        with whole(why):
            yield
    else:
        yield


def lasting(limit: Limit, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Read what an answer is streamed from as the request that it answers: each piece is made after the request."""
    pieces = iter(chunks)
    while True:
        token = _limit.set(limit)
        try:
            piece = next(pieces)
        except StopIteration:
            return
        finally:
            _limit.reset(token)
        yield piece


def reader_now(transactions: int) -> Reader | None:
    """Whose rows are read now, with so many transactions and savepoints open; None: all rows."""
    limit = _limit.get()
    if limit is None:
        return NOBODY if settings.READS_FOR_SOMEBODY else None
    if limit.lifted or (limit.changes and transactions > limit.outer_transactions):
        return None
    return limit.reader
