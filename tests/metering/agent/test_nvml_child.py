"""The child's own process: pipes, exits, and what it may import."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from metering.agent.nvml_child import Session
from tests.fakes.nvml import StubMachine, without_library
from tests.plugins.measured_processes import measured


def converse(command: list[str], *lines: str) -> tuple[list[Any], int]:
    done = subprocess.run(
        command,
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **measured(), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def test_it_answers_every_line_and_ends_with_its_input(gpu_machine: StubMachine) -> None:
    answers, status = converse(gpu_machine.command, '{"id": 1, "op": "list"}', '{"id": 2, "op": "read"}')
    assert [(answer["id"], answer["ok"]) for answer in answers] == [(1, True), (2, True)]
    assert status == 0


def test_a_read_without_a_list_before_lists_by_itself(gpu_machine: StubMachine) -> None:
    answers, _ = converse(gpu_machine.command, '{"id": 1, "op": "read"}')
    assert len(answers[0]["readings"]) == 8


def test_it_ends_after_the_driver_is_gone(gpu_machine: StubMachine) -> None:
    gpu_machine.play("fail nvmlDeviceGetCount_v2 1")
    answers, status = converse(gpu_machine.command, '{"id": 1, "op": "list"}', '{"id": 2, "op": "list"}')
    assert [(answer["ok"], answer["reason"]) for answer in answers] == [(False, "driver_reloaded")]
    assert status == 3


def test_no_library_is_said_and_ends_it() -> None:
    answers, status = converse(without_library(), '{"id": 1, "op": "read"}')
    assert [(answer["ok"], answer["reason"]) for answer in answers] == [(False, "nvml_absent")]
    assert status == 3


@pytest.mark.parametrize("line", ["not json", "{"])
def test_a_line_that_is_no_json_ends_it(gpu_machine: StubMachine, line: str) -> None:
    answers, status = converse(gpu_machine.command, line)
    assert (answers, status) == ([], 2)


def test_an_unknown_operation_is_refused_and_it_goes_on(gpu_machine: StubMachine) -> None:
    answers, status = converse(gpu_machine.command, '{"id": 1, "op": "reset"}', '{"id": 2, "op": "read"}')
    assert [(answer["ok"], answer.get("reason")) for answer in answers] == [(False, "bad_request"), (True, None)]
    assert status == 0


def test_it_imports_little(gpu_machine: StubMachine) -> None:
    """It lives on every node for months, beside the agent: its weight counts."""
    program = (
        "import sys, metering.agent.nvml_child as child; child.Session().answer({'op': 'read'});"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'httpx', 'msgspec', 'cryptography', 'django', 'pynvml'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **gpu_machine.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "['pynvml']"


def test_a_session_without_pynvml_says_that_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    answer, goes_on = Session().answer({"id": 1, "op": "read"})
    assert (answer["reason"], goes_on) == ("nvml_absent", False)
    assert "nvidia-ml-py is not installed" in answer["detail"]


LIST_AND_READ = ('{"id": 1, "op": "list"}', '{"id": 2, "op": "read"}')


def test_a_machine_of_every_kind_of_trouble_is_still_described(gpu_machine: StubMachine) -> None:
    """MIG, an old driver, a card that is lost, one that cannot be opened, one without permission."""
    gpu_machine.play(
        "mig 1",
        "fail nvmlDeviceGetMemoryInfo_v2 25",
        "fail nvmlDeviceGetTotalEnergyConsumption 15 2",
        "fail nvmlDeviceGetHandleByIndex_v2 28 3",
        "fail nvmlDeviceGetPowerUsage 4 4",
        "fail nvmlDeviceGetPciInfo_v3 3",
        "fail nvmlDeviceGetMigMode 3 5",
    )
    (listed, read), status = converse(gpu_machine.command, *LIST_AND_READ)
    assert status == 0
    cards = {card["uuid"][-1]: card for card in listed["accelerators"]}
    assert sorted(cards) == ["0", "1", "2", "4", "5", "6", "7"]
    assert [instance["profile"] for instance in cards["1"]["mig"]] == ["1g.10gb", "3g.40gb"]
    assert (cards["5"]["mig_mode"], cards["0"]["pci_bus_id"]) == (None, None)
    assert [(outcome["uuid"], outcome["reason"]) for outcome in listed["outcomes"]] == [("index 3", "gpu_lost")]
    readings = {reading["uuid"][-1]: reading for reading in read["readings"]}
    assert readings["0"]["memory_used_mib"] == 71_000
    assert readings["1"]["utilisation_percent"] is None
    assert set(readings["2"].values()) == {readings["2"]["uuid"], None}
    assert (readings["4"]["energy_mj"], readings["4"]["power_mw"]) == (5_000_000, None)
    assert [(outcome["uuid"][-1], outcome["reason"]) for outcome in read["outcomes"]] == [
        ("2", "gpu_lost"),
        ("4", "nvml_error"),
    ]


def test_a_mig_instance_without_a_name_or_size_is_listed_all_the_same(gpu_machine: StubMachine) -> None:
    gpu_machine.play("mig 0", "gpus 1", "fail nvmlDeviceGetName 3")
    (listed, _), _ = converse(gpu_machine.command, *LIST_AND_READ)
    (card,) = listed["accelerators"]
    assert card["name"] == ""
    assert [(each["profile"], each["memory_mib"]) for each in card["mig"]] == [("1g.10gb", 9_728), ("3g.40gb", 40_192)]
    gpu_machine.play(
        "mig 0", "gpus 1", "fail nvmlDeviceGetName 3", "fail nvmlDeviceGetAttributes_v2 3", "instances 0 1"
    )
    (listed, _), _ = converse(gpu_machine.command, *LIST_AND_READ)
    assert [(each["profile"], each["memory_mib"]) for each in listed["accelerators"][0]["mig"]] == [("", 9_728)]


@pytest.mark.parametrize(("code", "reason"), [(9, "nvml_absent"), (18, "driver_mismatch"), (999, "device_access_lost")])
def test_why_nvml_does_not_start_is_its_last_word(gpu_machine: StubMachine, code: int, reason: str) -> None:
    gpu_machine.play(f"fail nvmlInitWithFlags {code}")
    answers, status = converse(gpu_machine.command, *LIST_AND_READ)
    assert [(answer["ok"], answer["reason"]) for answer in answers] == [(False, reason)]
    assert status == 3
