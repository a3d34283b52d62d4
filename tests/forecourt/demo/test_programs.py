"""The processes of the sample world: what is run, with which files, and when they count as ready."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forecourt.demo import programs
from tests.forecourt.demo.worlds import EventSink, running_world, small_plan
from tests.servers.packaged import free_port

if TYPE_CHECKING:
    from forecourt.embedded.supervisor import Program

FOLDER = Path("/sample")


def made() -> dict[str, Program]:
    plan = small_plan()
    found = [
        programs.stripe_double(FOLDER, 9, {"A": "b"}),
        programs.world(plan, FOLDER, {"A": "b"}),
        programs.node("north", FOLDER, {"A": "b"}, live=False),
        programs.gateway(FOLDER, "http://127.0.0.1:1", {"A": "b"}, live=False),
    ]
    return {one.name: one for one in found}


def test_every_program_is_this_python_with_its_own_log() -> None:
    found = made()
    assert set(found) == {"stripe-double", "world", "agent-north", "gateway"}
    assert len({one.log for one in found.values()}) == len(found)
    for one in found.values():
        assert one.argv[:2] == [sys.executable, "-m"]
        assert one.log.parent == FOLDER / "log"
        assert one.environ == {"A": "b"}


@pytest.mark.parametrize("module", ["forecourt.demo.world", "forecourt.demo.node", "forecourt.demo.gateway"])
def test_what_is_run_exists(module: str) -> None:
    assert module in {one.argv[2] for one in made().values()}
    assert (programs.ROOT / module.replace(".", "/")).with_suffix(".py").exists()


def test_only_a_live_part_follows_the_real_clock() -> None:
    assert not any("--live" in one.argv for one in made().values())
    assert "--live" in programs.node("north", FOLDER, {}, live=True).argv
    assert "--live" in programs.gateway(FOLDER, "http://127.0.0.1:1", {}, live=True).argv


def test_the_world_is_ready_when_it_answers(tmp_path: Path) -> None:
    plan = small_plan(requests=10)
    program = programs.world(plan, tmp_path, {})
    assert program.ready() is False
    with running_world(plan, tmp_path):
        assert program.ready() is True


def test_what_does_not_answer_does_not() -> None:
    assert programs.answers(f"http://127.0.0.1:{free_port()}/state") is False


def test_asking_posts_a_body() -> None:
    sink = EventSink()
    with sink.serving() as server, pytest.raises(OSError, match=r".*"):
        programs.ask(server)
    assert sink.received == []
