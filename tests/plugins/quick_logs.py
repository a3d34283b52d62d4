"""Lets pytest catch a test's log without looking at every logger of the process six times.

It attaches two handlers in each of a test's three parts to the root and to all loggers that hand nothing on, which it
looks for among the hundreds there are: a third of a millisecond a test, five seconds in all. Which those are changes
when a logger is made. Beside that, and as pytest itself leaves it, nobody here lets one hand on less than before.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.logging import catching_logs

if TYPE_CHECKING:
    from collections.abc import Callable


def pytest_configure(config: pytest.Config) -> None:
    """Put the quick way in the place of pytest's until the run's end."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setattr(catching_logs, "__enter__", attaching(Apart()))


class Apart:
    """The root logger, and those whose records do not come to it."""

    def __init__(self) -> None:
        self.known = -1
        self.found: list[logging.Logger] = []

    def loggers(self) -> list[logging.Logger]:
        """Return them; looked for again once there are more loggers."""
        everyone = logging.getLogger().manager.loggerDict
        if len(everyone) != self.known:
            silent = [one for one in everyone.values() if isinstance(one, logging.Logger) and not one.propagate]
            self.known, self.found = len(everyone), [logging.getLogger(), *silent]
        return self.found


def attaching(apart: Apart) -> Callable[[Any], logging.Handler]:
    """What attaches a handler as pytest does, to the loggers that are known to need it."""

    def attach(catching: Any) -> logging.Handler:
        handler: logging.Handler = catching.handler
        root = logging.getLogger()
        if catching.level is not None:
            handler.setLevel(catching.level)
        for logger in apart.loggers():
            logger.addHandler(handler)
            catching.attached_loggers.append(logger)
        if catching.level is not None:
            catching.orig_level = root.level
            root.setLevel(min(root.level, catching.level))
        return handler

    return attach
