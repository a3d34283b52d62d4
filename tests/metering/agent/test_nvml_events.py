"""What the driver reports by itself: XID errors, ECC, changes of MIG."""

from collections.abc import Iterator

import pytest

from metering.agent.clock import SystemClock
from metering.agent.nvml import Answer, NvmlReader
from tests.fakes.nvml import StubMachine

XID, DOUBLE_BIT, MIG = 0x8, 0x2, 0x100


@pytest.fixture
def reader(gpu_machine: StubMachine) -> Iterator[NvmlReader]:
    gpu_machine.play("gpus 2")
    reader = NvmlReader(gpu_machine.command, SystemClock(), 10)
    assert reader.list_cards(0).ok
    yield reader
    reader.close()


def told(answer: Answer) -> list[tuple[str, str, str]]:
    return [(outcome.uuid[-1:], outcome.reason, outcome.detail) for outcome in answer.outcomes]


def test_an_xid_is_told_once_and_the_card_is_read_on(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 2", f"event 1 1 {XID} 13", f"event 2 0 {XID} 31", f"event 3 1 {XID} 13")
    answer = reader.read_cards(1)
    assert told(answer) == [("1", "xid_13", ""), ("0", "xid_31", ""), ("1", "xid_13", "")]
    assert (answer.relist, answer.readings[1].energy_mj) == (False, 2_000_000)
    assert told(reader.read_cards(2)) == []


@pytest.mark.parametrize("code", [79, 119, 120])
def test_the_xids_after_which_a_card_computes_nothing_are_a_loss(
    gpu_machine: StubMachine, reader: NvmlReader, code: int
) -> None:
    gpu_machine.play("gpus 2", f"event 1 1 {XID} {code}")
    answer = reader.read_cards(1)
    assert told(answer) == [("1", f"xid_{code}", ""), ("1", "gpu_lost", f"XID {code}")]
    assert answer.relist
    # Nothing is asked of a card that would hang the driver; the other one is read.
    assert [reading.energy_mj for reading in answer.readings] == [1_000_000, None]


def test_an_xid_on_an_instance_names_it(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 2", "mig 0", f"event 1 0 {XID} 43")
    assert told(reader.read_cards(1)) == [("0", "xid_43", "GPU instance 7")]


def test_other_events_have_their_names_and_a_change_of_mig_asks_for_a_list(
    gpu_machine: StubMachine, reader: NvmlReader
) -> None:
    gpu_machine.play("gpus 2", f"event 1 0 {DOUBLE_BIT} 0", f"event 2 0 {MIG} 0", "event 3 0 4 0")
    answer = reader.read_cards(1)
    assert (told(answer), answer.relist) == ([("0", "ecc_double_bit", "")], True)


def test_what_happened_just_before_a_new_list_is_told_with_it(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 2", f"event 1 0 {XID} 94")
    assert told(reader.list_cards(1)) == [("0", "xid_94", "")]


@pytest.mark.parametrize(
    "failing",
    ["nvmlEventSetCreate 3", "nvmlDeviceGetSupportedEventTypes 3", "nvmlDeviceRegisterEvents 3"],
)
def test_without_events_everything_else_is_read(gpu_machine: StubMachine, reader: NvmlReader, failing: str) -> None:
    gpu_machine.play("gpus 2", f"fail {failing}", f"event 1 0 {XID} 13")
    reader.list_cards(1)
    answer = reader.read_cards(2)
    assert (answer.outcomes, answer.readings[0].power_mw) == ([], 650_000)


@pytest.mark.parametrize(("code", "reasons"), [(10, []), (15, []), (3, []), (17, ["nvml_error"])])
def test_a_wait_that_fails_does_not_stop_the_reading(
    gpu_machine: StubMachine, reader: NvmlReader, code: int, reasons: list[str]
) -> None:
    gpu_machine.play("gpus 2", f"fail nvmlEventSetWait_v2 {code}")
    answer = reader.read_cards(1)
    assert [outcome.reason for outcome in answer.outcomes] == reasons
    assert answer.readings[0].power_mw == 650_000


def test_a_driver_that_goes_while_events_are_awaited_ends_the_child(
    gpu_machine: StubMachine, reader: NvmlReader
) -> None:
    gpu_machine.play("gpus 2", "fail nvmlEventSetWait_v2 1")
    assert reader.read_cards(1).reason == "driver_reloaded"


def test_a_card_that_reports_without_end_does_not_hold_the_others_up(
    gpu_machine: StubMachine, reader: NvmlReader
) -> None:
    gpu_machine.play("gpus 2", *[f"event {seq} 0 {XID} 13" for seq in range(1, 301)])
    assert len(reader.read_cards(1).outcomes) == 256
    assert len(reader.read_cards(2).outcomes) == 44
