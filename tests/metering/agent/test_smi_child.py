"""amdsmi and pyhlml by stand-ins with their names and shapes; the real ones need their vendors' drivers."""

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from metering.agent.clock import SystemClock
from metering.agent.nvml import NvmlReader
from metering.agent.smi_child import Session


class SmiError(Exception):
    """What either library raises."""


class Amd:
    """amdsmi 7 with two cards."""

    AmdSmiException = SmiError

    def __init__(self) -> None:
        self.energy: dict[str, Any] = {"energy_accumulator": 1_000_000, "counter_resolution": 15.3, "timestamp": 1}
        self.power: dict[str, Any] = {"current_socket_power": 748, "average_socket_power": "N/A"}
        self.lost = False

    def amdsmi_init(self) -> None:
        return

    def amdsmi_get_processor_handles(self) -> list[str]:
        return ["a", "b"]

    def amdsmi_get_gpu_device_uuid(self, handle: str) -> str:
        if self.lost and handle == "b":
            raise SmiError("AMDSMI_STATUS_DRIVER_NOT_LOADED")
        return f"ccff74a1-{handle}"

    def amdsmi_get_gpu_asic_info(self, handle: str) -> dict[str, str]:
        return {"market_name": "AMD Instinct MI300X", "asic_serial": f"0x{handle}" if handle == "a" else "N/A"}

    def amdsmi_get_gpu_device_bdf(self, _handle: str) -> str:
        return "0000:05:00.0"

    def amdsmi_get_gpu_vram_usage(self, _handle: str) -> dict[str, int]:
        return {"vram_total": 196_288, "vram_used": 283}

    def amdsmi_get_gpu_activity(self, handle: str) -> dict[str, Any]:
        return {"gfx_activity": 97 if handle == "a" else "N/A", "umc_activity": 3}

    def amdsmi_get_energy_count(self, handle: str) -> dict[str, Any]:
        if handle == "b":
            raise SmiError("AMDSMI_STATUS_NOT_SUPPORTED")
        return self.energy

    def amdsmi_get_power_info(self, _handle: str) -> dict[str, Any]:
        return self.power


def hlml() -> SimpleNamespace:
    """pyhlml 1.9 with one card; names are bytes."""
    return SimpleNamespace(
        HLMLError=SmiError,
        hlmlInit=lambda: None,
        hlmlDeviceGetCount=lambda: 1,
        hlmlDeviceGetHandleByIndex=lambda index: index,
        hlmlDeviceGetUUID=lambda _handle: b"01P0-HL2080A0-15",
        hlmlDeviceGetSerial=lambda _handle: b"AN44012300",
        hlmlDeviceGetName=lambda _handle: b"HL-325L",
        hlmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(total=96 << 30, used=75 << 30),
        hlmlDeviceGetTotalEnergyConsumption=lambda _handle: 987_654_321,
        hlmlDeviceGetPowerUsage=lambda _handle: 312_000,
        hlmlDeviceGetUtilizationRates=lambda _handle: 64,
    )


@pytest.fixture
def amd() -> Amd:
    return Amd()


def ask(session: Session, operation: str) -> dict[str, Any]:
    answer, goes_on = session.answer({"id": 1, "op": operation, "at_ms": 1})
    assert answer["ok"]
    assert goes_on
    return answer


def test_amd_cards_are_listed_and_read(amd: Amd) -> None:
    session = Session("amdsmi", lambda _name: amd)
    first, second = ask(session, "list")["accelerators"]
    assert (first["uuid"], first["serial"], first["name"]) == ("AMD-ccff74a1-a", "0xa", "AMD Instinct MI300X")
    assert (first["memory_mib"], first["pci_bus_id"], second["serial"]) == (196_288, "0000:05:00.0", None)
    answer = ask(session, "read")
    assert answer["readings"][0] == {
        "uuid": "AMD-ccff74a1-a",
        # A million ticks of 15.3 microjoules.
        "energy_mj": 15_300,
        "power_mw": 748_000,
        "utilisation_percent": 97,
        "memory_used_mib": 283,
    }
    # "N/A" and what is not supported are unknown.
    assert (answer["readings"][1]["utilisation_percent"], answer["readings"][1]["energy_mj"]) == (None, None)
    assert [(each["uuid"], each["reason"]) for each in answer["outcomes"]] == [("AMD-ccff74a1-b", "nvml_error")]


@pytest.mark.parametrize(
    ("energy", "energy_mj"),
    [
        ({"power": 1_000_000, "counter_resolution": 15.3}, 15_300),
        ({"energy_accumulator": "N/A", "counter_resolution": 15.3}, None),
        ({"energy_accumulator": 5}, None),
    ],
)
def test_the_accumulator_has_two_names_and_may_be_none(amd: Amd, energy: dict[str, Any], energy_mj: int | None) -> None:
    amd.energy = energy
    assert ask(Session("amdsmi", lambda _name: amd), "read")["readings"][0]["energy_mj"] == energy_mj


@pytest.mark.parametrize(
    ("power", "power_mw"),
    [
        ({"current_socket_power": "N/A", "average_socket_power": 120}, 120_000),
        ({"current_socket_power": 0, "average_socket_power": "N/A"}, None),
        ({}, None),
    ],
)
def test_power_is_the_first_that_is_a_figure(amd: Amd, power: dict[str, Any], power_mw: int | None) -> None:
    amd.power = power
    assert ask(Session("amdsmi", lambda _name: amd), "read")["readings"][0]["power_mw"] == power_mw


def test_a_card_that_does_not_name_itself_is_lost_and_the_other_is_read(amd: Amd) -> None:
    amd.lost = True
    session = Session("amdsmi", lambda _name: amd)
    answer = ask(session, "list")
    assert [each["uuid"] for each in answer["accelerators"]] == ["AMD-ccff74a1-a"]
    assert [(each["uuid"], each["reason"]) for each in answer["outcomes"]] == [("index 1", "gpu_lost")]
    assert len(ask(session, "read")["readings"]) == 1


def test_gaudi_cards_are_listed_and_read() -> None:
    session = Session("hlml", lambda _name: hlml())
    (card,) = ask(session, "list")["accelerators"]
    assert (card["uuid"], card["serial"], card["name"]) == ("HL-01P0-HL2080A0-15", "AN44012300", "HL-325L")
    assert ask(session, "read")["readings"] == [
        {
            "uuid": "HL-01P0-HL2080A0-15",
            "energy_mj": 987_654_321,
            "power_mw": 312_000,
            "utilisation_percent": 64,
            "memory_used_mib": 76_800,
        }
    ]


def test_a_library_that_cannot_start_or_list_says_so(amd: Amd) -> None:
    def refuse() -> None:
        raise SmiError("AMDSMI_STATUS_INIT_ERROR")

    amd.amdsmi_init = refuse  # type: ignore[method-assign]  # a stand-in's own
    answer, goes_on = Session("amdsmi", lambda _name: amd).answer({"id": 1, "op": "read"})
    assert (answer["reason"], goes_on, "INIT_ERROR" in answer["detail"]) == ("nvml_error", False, True)
    broken = hlml()
    broken.hlmlDeviceGetCount = refuse
    assert [each["reason"] for each in ask(Session("hlml", lambda _name: broken), "list")["outcomes"]] == ["nvml_error"]
    answer, goes_on = Session("hlml", lambda _name: hlml()).answer({"id": 1, "op": "reset"})
    assert (answer["reason"], goes_on) == ("bad_request", True)


@pytest.mark.parametrize("library", ["amdsmi", "hlml"])
def test_where_a_library_is_not_installed_the_child_says_so_and_ends(library: str) -> None:
    reader = NvmlReader([sys.executable, "-m", "metering.agent.smi_child", library], SystemClock(), 20)
    answer = reader.read_cards(1)
    assert (answer.reason, library in answer.detail, reader.pid) == ("nvml_absent", True, None)
    reader.close()


def test_it_imports_little() -> None:
    program = (
        "import json, sys, metering.agent.smi_child;"
        "print(json.dumps(sorted({'httpx', 'msgspec', 'cryptography', 'django', 'pynvml'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
