"""Activity between two reads by GPM, of whole cards and of MIG instances."""

from collections.abc import Iterator
from types import SimpleNamespace

import pynvml
import pytest

from metering.agent.clock import SystemClock
from metering.agent.nvml import NvmlReader
from metering.agent.nvml_activity import Activity
from metering.agent.nvml_calls import Calls
from tests.fakes.nvml import StubMachine


@pytest.fixture
def reader(gpu_machine: StubMachine) -> Iterator[NvmlReader]:
    reader = NvmlReader(gpu_machine.command, SystemClock(), 10)
    yield reader
    reader.close()


def test_activity_is_a_mean_between_two_reads(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 2", "gpm 0 61")
    first, second = reader.read_cards(0).readings[0], reader.read_cards(10_000).readings[0]
    assert (first.graphics_permille, first.sm_permille) == (None, None)
    # The stub's library has no figure for tensor cores: that one alone is unknown.
    assert (second.graphics_permille, second.sm_permille, second.tensor_permille) == (610, 305, None)


def test_a_card_before_hopper_has_no_activity(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1")
    for at_ms in (0, 10_000):
        reading = reader.read_cards(at_ms).readings[0]
        assert (reading.graphics_permille, reading.instances) == (None, [])


def test_each_instance_has_its_own_activity_where_the_card_has_none(
    gpu_machine: StubMachine, reader: NvmlReader
) -> None:
    gpu_machine.play("gpus 1", "mig 0", "gpm 0 50")
    assert reader.read_cards(0).readings[0].instances == []
    card = reader.read_cards(10_000).readings[0]
    assert (card.utilisation_percent, card.graphics_permille) == (None, None)
    assert {each.uuid[-17:-13]: each.graphics_permille for each in card.instances} == {"0000": 700, "0002": 200}


def test_a_sample_that_fails_is_unknown_and_the_next_pair_counts(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1", "gpm 0 40")
    reader.read_cards(0)
    gpu_machine.play("gpus 1", "gpm 0 40", "fail nvmlGpmSampleGet 21")
    assert reader.read_cards(10_000).readings[0].graphics_permille is None
    gpu_machine.play("gpus 1", "gpm 0 40", "fail nvmlGpmMetricsGet 21")
    assert reader.read_cards(20_000).readings[0].graphics_permille is None
    gpu_machine.play("gpus 1", "gpm 0 40")
    assert reader.read_cards(30_000).readings[0].graphics_permille == 400


class OddFigures:
    """A library whose percentages are none."""

    NVMLError = pynvml.NVMLError
    NVMLLibraryMismatchError = pynvml.NVMLLibraryMismatchError
    c_nvmlGpmMetricsGet_t = pynvml.c_nvmlGpmMetricsGet_t  # noqa: N815 - NVML's name

    def __init__(self, percent: float) -> None:
        self.percent = percent

    def nvmlGpmQueryDeviceSupport(self, _handle: object) -> SimpleNamespace:  # noqa: N802 - NVML's name
        return SimpleNamespace(isSupportedDevice=1)

    def nvmlGpmSampleAlloc(self) -> object:  # noqa: N802 - NVML's name
        return pynvml.c_nvmlGpmSample_t()

    def nvmlGpmSampleGet(self, _handle: object, sample: object) -> object:  # noqa: N802 - NVML's name
        return sample

    def nvmlGpmSampleFree(self, _sample: object) -> None:  # noqa: N802 - NVML's name
        return

    def nvmlGpmMetricsGet(self, asked: pynvml.c_nvmlGpmMetricsGet_t) -> object:  # noqa: N802 - NVML's name
        asked.metrics[0].value = self.percent
        return asked


@pytest.mark.parametrize(
    ("percent", "permille"), [(float("nan"), None), (float("inf"), None), (-1.0, None), (100.2, 1_000), (0.04, 0)]
)
def test_what_is_no_percentage_is_unknown(percent: float, permille: int | None) -> None:
    activity = Activity(Calls(OddFigures(percent)))
    activity.of_card("GPU-1", None)
    assert activity.of_card("GPU-1", None)["graphics_permille"] == permille
