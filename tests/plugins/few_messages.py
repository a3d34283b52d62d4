"""Lets a worker of pytest-xdist tell its controller what the run's end says, not each step of each test.

Of six messages a test, about its beginning, its three parts, its end and the next, three say nothing where it passes:
writing, sending and reading them took a tenth of the time of a small test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

LONG_S: Final = 0.5
"""What took longer is told: it may be among the slowest."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stand between a worker and its controller."""
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            plugin.sendevent = telling_less(plugin.sendevent)


def telling_less(send: Callable[..., None]) -> Callable[..., None]:
    """Return what sends an event, without those that change nothing in what is said of a run."""

    def send_what_matters(name: str, **said: Any) -> None:
        if name == "logstart" or (name == "testreport" and is_uneventful(said["data"])):
            return
        send(name, **said)

    return send_what_matters


def is_uneventful(report: dict[str, Any]) -> bool:
    """Whether a report says that setting up or clearing away went well, and soon."""
    went_well: bool = report["when"] != "call" and report["outcome"] == "passed"
    return went_well and report["duration"] < LONG_S
