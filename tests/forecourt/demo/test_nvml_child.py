"""The simulated cards speak the protocol of the agent's NVML child."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from forecourt.demo.nvml_child import DRIVER
from forecourt.demo.plan import CARDS_PER_NODE, H100, write_plan
from tests.forecourt.demo.worlds import ROOT, small_plan

if TYPE_CHECKING:
    from pathlib import Path

HOUR_MS = 3_600_000


def asked(tmp_path: Path, *questions: dict[str, Any]) -> list[dict[str, Any]]:
    plan = small_plan()
    write_plan(plan, tmp_path / "plan.json")
    node = plan.nodes[0].name
    done = subprocess.run(
        [sys.executable, "-m", "forecourt.demo.nvml_child", "--plan", str(tmp_path / "plan.json"), "--node", node],
        cwd=ROOT,
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_lists_the_cards_of_its_node(tmp_path: Path) -> None:
    (said,) = asked(tmp_path, {"id": 1, "op": "list"})
    assert (said["id"], said["ok"], said["driver_version"], said["outcomes"]) == (1, True, DRIVER, [])
    plan = small_plan()
    expected = plan.cards(plan.nodes[0])
    assert [card["uuid"] for card in said["accelerators"]] == [card.uuid for card in expected]
    assert len(expected) == CARDS_PER_NODE
    assert {card["name"] for card in said["accelerators"]} == {H100}
    assert all(card["mig_mode"] is False and card["mig"] == [] for card in said["accelerators"])


def test_energy_only_rises(tmp_path: Path) -> None:
    from_ms = small_plan().from_ms
    questions = [{"id": hour, "op": "read", "at_ms": from_ms + hour * HOUR_MS} for hour in range(4)]
    said = asked(tmp_path, *questions)
    assert [one["id"] for one in said] == [0, 1, 2, 3]
    for card in range(CARDS_PER_NODE):
        energy = [one["readings"][card]["energy_mj"] for one in said]
        assert energy == sorted(energy)
        assert energy[0] == 0
        assert energy[-1] > 0
    for reading in said[1]["readings"]:
        assert 0 <= reading["utilisation_percent"] <= 100
        assert reading["memory_used_mib"] > 0
        assert reading["power_mw"] > 0
