"""Letters that wait to be sent: claimed by one sweep at a time, each noted as sent once, tried again if it cannot be.

A letter is a row of any table with `due_at`, `attempts`, `sent_at` and `last_error`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db.models import F, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

Letter = TypeVar("Letter", bound=Model)

LEASE: Final = timedelta(minutes=10)
"""How long a letter is its claimer's: after that a worker that died is taken not to have sent it."""
RETRY: Final = timedelta(minutes=2)
ATTEMPTS_MAX: Final = 10
ERROR_CHARACTERS_MAX: Final = 300


def claim_unsent(
    letters: QuerySet[Letter], *, now: datetime, limit: int, lease: timedelta = LEASE, attempts_max: int = ATTEMPTS_MAX
) -> list[Letter]:
    """Return `letters` that are due, each put off by `lease`: whoever else looks meanwhile leaves them alone."""
    due = letters.filter(sent_at__isnull=True, due_at__lte=now, attempts__lt=attempts_max)
    claimed = []
    for letter in due.order_by("due_at", "pk")[:limit]:
        told: Any = letter
        if _unsent(letter).filter(due_at=told.due_at).update(due_at=now + lease, attempts=F("attempts") + 1):
            claimed.append(letter)
    return claimed


def send_each(
    letters: Iterable[Letter], send: Callable[[Letter], list[str] | None], *, clock: Callable[[], datetime]
) -> None:
    """Send letters that were claimed, and note of each that it is out or why not: one that fails stops no other.

    `send` returns to whom, where the row keeps that, and raises what the server of letters answers.
    """
    for letter in letters:
        try:
            addresses = send(letter)
        except Exception as error:
            logger.exception("letter %s", letter.pk)
            note_failed(letter, error=f"{type(error).__name__}: {error}", now=clock())
        else:
            note_sent(letter, now=clock(), **({} if addresses is None else {"sent_to": addresses}))


def note_sent(letter: Model, *, now: datetime, **also: object) -> None:
    """Note that a letter is out, and what else is known of it, as `sent_to`."""
    _unsent(letter).update(sent_at=now, last_error="", **also)


def note_failed(letter: Model, *, error: str, now: datetime) -> None:
    """Note why a letter could not be sent; it is tried again later, each time twice as late."""
    told: Any = letter
    _unsent(letter).update(last_error=error[:ERROR_CHARACTERS_MAX], due_at=now + RETRY * 2**told.attempts)


def _unsent(letter: Model) -> QuerySet[Any]:
    return type(letter)._default_manager.filter(pk=letter.pk, sent_at__isnull=True)
