"""Stands where the agent's NVML child stands and speaks its protocol (`metering.agent.nvml`), for simulated cards.

`python -m forecourt.demo.nvml_child --plan FILE --node NAME`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from forecourt.demo.plan import read_plan

DRIVER: Final = "580.65.06"


def main(argv: list[str]) -> int:
    """Answer requests from standard input until it closes."""
    parser = argparse.ArgumentParser(prog="python -m forecourt.demo.nvml_child")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--node", required=True)
    options = parser.parse_args(argv)
    plan = read_plan(options.plan)
    cards = plan.cards(plan.node(options.node))
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps({"id": asked["id"], "ok": True, **_answer(asked, cards)}) + "\n")
        sys.stdout.flush()
    return 0


def _answer(asked: dict[str, Any], cards: list[Any]) -> dict[str, object]:
    if asked["op"] == "list":
        return {
            "driver_version": DRIVER,
            "accelerators": [
                {
                    "uuid": card.uuid,
                    "serial": card.serial,
                    "name": card.model,
                    "memory_mib": card.memory_mib,
                    "pci_bus_id": card.pci_bus_id,
                    "mig_mode": False,
                    "mig": [],
                    "driver_version": DRIVER,
                }
                for card in cards
            ],
            "outcomes": [],
        }
    at_ms = asked["at_ms"]
    return {
        "readings": [
            {
                "uuid": card.uuid,
                "energy_mj": card.energy_mj(at_ms),
                "utilisation_percent": card.utilisation_percent(at_ms),
                "memory_used_mib": card.memory_used_mib(at_ms),
                "power_mw": card.power_mw(at_ms),
            }
            for card in cards
        ],
        "outcomes": [],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
