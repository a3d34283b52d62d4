"""A Celery task that leaves a note of each run in a worker, so that a sweep which stopped does not go unnoticed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from celery import Task
from django.db import DatabaseError

from forecourt.clock import require_clock
from forecourt.frames import with_room
from forecourt.sweep_runs import note_run

logger = logging.getLogger(__name__)


class RecordedTask(Task[Any, Any]):
    """Notes when a run began, ended and failed. Called as a plain function it notes nothing."""

    abstract = True
    _began: dict[str, datetime] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, with room for its frames."""
        return with_room(super().__call__, *args, **kwargs)

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:  # noqa: ARG002  as Celery calls it
        """Remember when a run begins; raise `ClockOff` on a server by whose clock nothing may be stored."""
        if self._began is None:
            self._began = {}
        self._began[task_id] = datetime.now(UTC)  # noqa: TID251  an entry point
        require_clock(self._began[task_id])

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:  # noqa: ARG002, PLR0917  as Celery calls it
        """Keep how it ended; what cannot be kept is no reason to run it again."""
        now = datetime.now(UTC)  # noqa: TID251  an entry point
        began_at = (self._began or {}).pop(task_id, now)
        error = None if status == "SUCCESS" else f"{type(retval).__name__}: {retval}"
        try:
            note_run(name=self.name, began_at=began_at, ended_at=now, error=error)
        except DatabaseError:
            logger.warning("The run of %s could not be noted.", self.name, exc_info=True)
