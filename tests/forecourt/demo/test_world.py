"""The world's process: its clock, its engines' pages, its finished requests, and the way to real time."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from forecourt.demo.programs import ask
from forecourt.demo.world import Control, World
from tests.forecourt.demo.worlds import pass_time, running_world, small_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_finished_follows_the_clock() -> None:
    plan = small_plan()
    world = World(plan)
    assert world.finished(0) == {"requests": [], "next": 0, "all": len(plan.workload())}
    world.clock.now_ms = plan.end_ms
    found = world.finished(0)
    done = sorted(plan.workload(), key=lambda one: (one.done_ms, one.id))
    assert [one["id"] for one in found["requests"]] == [one.id for one in done]  # type: ignore[attr-defined]  # rows
    assert world.finished(len(done)) == {"requests": [], "next": len(done), "all": len(done)}


def test_nothing_is_finished_before_its_time() -> None:
    plan = small_plan()
    world = World(plan)
    middle_ms = (plan.from_ms + plan.end_ms) // 2
    world.clock.now_ms = middle_ms
    rows = world.finished(0)["requests"]
    assert isinstance(rows, list)
    assert all(row["done_ms"] <= middle_ms for row in rows)
    assert len(rows) == sum(one.done_ms <= middle_ms for one in plan.workload())


def test_the_engines_pages_sum_to_the_workload() -> None:
    plan = small_plan()
    world = World(plan)
    world.clock.now_ms = plan.end_ms
    shown = 0
    for node in plan.nodes:
        for endpoint in node.endpoints:
            if endpoint.engine == "vllm":
                page = world.page(endpoint.port).splitlines()
                shown += sum(int(float(line.rpartition(" ")[2])) for line in page if "prompt_tokens_total{" in line)
    assert shown == sum(one.input for one in plan.workload() if one.stream == "chat")


def test_an_address_that_is_none() -> None:
    with pytest.raises(KeyError):
        Control(World(small_plan())).answer("/nowhere", "", {})


def test_the_process_serves_clock_pages_and_requests_and_ends_when_told(tmp_path: Path) -> None:
    plan = small_plan(requests=60)
    port = plan.nodes[0].endpoints[0].port
    with running_world(plan, tmp_path) as process:
        assert ask(f"{plan.world_url}/state") == {
            "now_ms": plan.from_ms,
            "from_ms": plan.from_ms,
            "end_ms": plan.end_ms,
        }
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert b"vllm:" in page.read()
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/other")
        assert missing.value.code == 404
        missing.value.close()
        pass_time(plan, plan.end_ms)
        found = ask(f"{plan.world_url}/finished?after=0")
        assert found["next"] == found["all"] == len(plan.workload())
        ask(f"{plan.world_url}/live", {})
        assert ask(f"{plan.world_url}/state")["now_ms"] > plan.end_ms
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
