"""A call that was refused is one line in the log: what it broke is nobody's fault here, so there is no traceback."""

from __future__ import annotations

import logging
from typing import Final

FAILED_FROM: Final = 500


class Refusals(logging.Filter):
    """Takes the traceback off what was answered with a status below 500; lets everything through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record of a refusal; say that it is to be written."""
        if getattr(record, "status_code", FAILED_FROM) < FAILED_FROM:
            record.exc_info = record.exc_text = None
        return True
