"""A controller hears what matters: failures of every part, results, and what took long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.few_messages import LONG_S, telling_less


def told(name: str, **said: Any) -> bool:
    """Whether an event goes on as it is."""
    heard: list[tuple[str, dict[str, Any]]] = []
    telling_less(lambda name, **said: heard.append((name, said)))(name, **said)
    assert heard in ([], [(name, said)])
    return bool(heard)


def report(when: str, outcome: str, duration: float = 0.01) -> dict[str, Any]:
    return {"data": {"when": when, "outcome": outcome, "duration": duration}}


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_a_part_that_passed_soon_is_not_told_and_every_other_is(when: str) -> None:
    assert not told("testreport", **report(when, "passed"))
    assert told("testreport", **report(when, "passed", LONG_S))
    assert told("testreport", **report(when, "failed"))
    assert told("testreport", **report(when, "skipped"))


def test_every_result_and_every_end_is_told() -> None:
    assert all(told("testreport", **report("call", outcome)) for outcome in ("passed", "failed", "skipped"))
    assert all(told(name, nodeid="a") for name in ("logfinish", "runtest_protocol_complete", "workerready"))
    assert not told("logstart", nodeid="a")


def test_a_worker_of_this_run_tells_less(pytestconfig: pytest.Config) -> None:
    found = [one for one in pytestconfig.pluginmanager.get_plugins() if type(one).__name__ == "WorkerInteractor"]
    is_apart = "mainargv" in getattr(pytestconfig, "workerinput", {})  # a fork has none, and tells less by itself
    assert len(found) == is_apart
    assert all(one.sendevent.__qualname__.startswith("telling_less") for one in found)
