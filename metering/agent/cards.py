"""The cards of one library's child (NVML, or another that speaks its protocol): lists, energy, gauges, health."""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from metering.agent.epochs import Markers
from metering.agent.machine import EngineProcess, Machine
from metering.agent.nvml import Answer, CardProcess, CardReading, HealthReading, InstanceReading, NvmlReader
from metering.agent.observe import Part
from metering.agent.spool import GaugeEntry
from metering.agent.tick import DriverMemory, Start, Tick
from metering.wire import (
    PROCESSES_PER_ACCELERATOR_MAX,
    AcceleratorSeen,
    CardHealth,
    GaugeQuantity,
    MeterKey,
    ProcessSeen,
)

SURVEY_MS: Final = 3_600_000
LOST_SURVEY_MS: Final = 60_000
"""How often a lost card is looked for again: that initializes the library anew."""
GAUGES: Final[tuple[GaugeQuantity, ...]] = ("utilisation_percent", "memory_used_mib", "power_mw")
KNOWN_GAUGES: Final[tuple[GaugeQuantity, ...]] = ("clock_events", "graphics_permille", "sm_permille", "tensor_permille")
"""Sent where they are known only: most cards have no such sensors, and a column of nulls says no more than none."""
ACTIVITY: Final[tuple[GaugeQuantity, ...]] = ("graphics_permille", "sm_permille", "tensor_permille")
STARTED_WITHIN_MS: Final = 1_000


class Advance(Protocol):
    """A function that adds a register's reading to the tick."""

    def __call__(self, tick: Tick, key: MeterKey, parts: dict[str, Part], markers: Markers, start: Start, /) -> None:
        """Add the reading."""


class ChildCards:
    """One child and the cards it lists. `source` names it in what is remembered."""

    def __init__(
        self,
        source: str,
        reader: NvmlReader,
        machine: Machine,
        *,
        advance: Advance,
        describe: Callable[[int], EngineProcess | None],
    ) -> None:
        self._source = source
        self._reader = reader
        self._machine = machine
        self._advance = advance
        self._describe = describe
        self._cards: list[AcceleratorSeen] = []
        self._health: dict[str, CardHealth] = {}
        self._processes: dict[str, list[ProcessSeen]] = {}
        self._lost: set[str] = set()
        self._survey_at_ms: int | None = None
        self._absence_told = False

    @property
    def accelerators(self) -> list[AcceleratorSeen]:
        """The cards as last listed, with what is known of their health and processes."""
        return [
            msgspec.structs.replace(card, health=self._health.get(card.uuid), processes=self._processes.get(card.uuid))
            for card in self._cards
        ]

    def read(self, tick: Tick, taken: set[str]) -> None:
        """Read every card that no earlier source gave (`taken`), and add it to those."""
        at_ms = tick.read_at_ms
        if self._is_survey_due(at_ms) and not self._survey(tick):
            return
        answer = self._reader.read_cards(at_ms)
        if not answer.ok:
            self._no_cards(tick, answer)
            return
        self._note_outcomes(tick, answer)
        if answer.relist:
            self._survey_at_ms = None
        mine = [reading for reading in answer.readings if reading.uuid not in taken]
        taken |= {reading.uuid for reading in mine}
        for reading in mine:
            self._take_card(tick, reading)
        if (known := tick.memory.driver(self._source)).load:
            tick.remember_driver(self._source, msgspec.structs.replace(known, seen_ms=at_ms))
        for health in answer.health:
            self._take_health(health, at_ms)

    def _is_survey_due(self, at_ms: int) -> bool:
        if self._survey_at_ms is None:
            return True
        return not 0 <= at_ms - self._survey_at_ms < (LOST_SURVEY_MS if self._lost else SURVEY_MS)

    def _survey(self, tick: Tick) -> bool:
        survey = self._reader.list_cards(tick.read_at_ms)
        if not survey.ok:
            self._no_cards(tick, survey)
            return False
        self._survey_at_ms = tick.read_at_ms
        self._cards = survey.accelerators
        present = {card.uuid for card in self._cards}
        self._lost -= present
        self._health = {uuid: health for uuid, health in self._health.items() if uuid in present}
        self._processes = {uuid: found for uuid, found in self._processes.items() if uuid in present}
        self._note_load(tick, survey.driver_load)
        self._note_outcomes(tick, survey)
        return True

    def _note_load(self, tick: Tick, load: str | None) -> None:
        """A driver that was loaded anew since it was last seen has all its energy registers begun at zero."""
        known = tick.memory.driver(self._source)
        if load is None:
            return
        if known.load and known.load != load:
            began_ms = tick.read_at_ms if known.seen_ms is None else min(known.seen_ms + 1, tick.read_at_ms)
            known = DriverMemory(known.generation + 1, began_ms)
        tick.remember_driver(self._source, DriverMemory(known.generation, known.gone_ms, load, tick.read_at_ms))

    def _no_cards(self, tick: Tick, answer: Answer) -> None:
        self._survey_at_ms = None
        known = tick.memory.driver(self._source)
        # Where loads can be told apart the next list says whether this was one.
        if answer.reason == "driver_reloaded" and not known.load:
            tick.remember_driver(self._source, DriverMemory(known.generation + 1, tick.read_at_ms))
        if answer.reason == "nvml_absent":
            if self._absence_told:
                return
            self._absence_told = True
        tick.fail("nvml", "", answer.reason, answer.detail)

    def _note_outcomes(self, tick: Tick, answer: Answer) -> None:
        self._absence_told = False
        for outcome in answer.outcomes:
            if outcome.reason == "gpu_lost" and outcome.uuid not in self._lost:
                # Which cards there are is to be looked at again.
                self._lost.add(outcome.uuid)
                self._survey_at_ms = None
            known = any(outcome.uuid == card.uuid for card in self._cards)
            tick.fail("accelerator" if known else "nvml", outcome.uuid, outcome.reason, outcome.detail)

    def _take_card(self, tick: Tick, reading: CardReading) -> None:
        for quantity in GAUGES:
            tick.gauges.append(GaugeEntry(reading.uuid, quantity, getattr(reading, quantity), tick.read_at_ms))
        _add_known(tick, reading.uuid, reading, KNOWN_GAUGES)
        for instance in reading.instances:
            _add_known(tick, instance.uuid, instance, ACTIVITY)
        if reading.energy_mj is None:
            return
        known = tick.memory.driver(self._source)
        driver = next((card.driver_version for card in self._cards if card.uuid == reading.uuid), None)
        markers = Markers(self._machine.boot_id, f"driver:{known.generation}", driver or "")
        start = Start(known.gone_ms, "driver")
        if start.at_ms is None or start.at_ms < self._machine.booted_at_ms:
            start = Start(self._machine.booted_at_ms, "boot")
        key = MeterKey("accelerator", reading.uuid, "", "", "energy_mj")
        self._advance(tick, key, {"energy_mj": Part(reading.energy_mj, None)}, markers, start)

    def _take_health(self, found: HealthReading, at_ms: int) -> None:
        fields = {name: getattr(found, name) for name in CardHealth.__struct_fields__}
        if any(value is not None for value in fields.values()):
            self._health[found.uuid] = CardHealth(**fields)
        if found.processes is None:
            self._processes.pop(found.uuid, None)
            return
        seen = self._describe_all(found.processes, at_ms)
        # Memory in use moves all the time and would send the whole list each minute.
        if _without_memory(seen) != _without_memory(self._processes.get(found.uuid, [])) or not seen:
            self._processes[found.uuid] = seen

    def _describe_all(self, processes: Iterable[CardProcess], at_ms: int) -> list[ProcessSeen]:
        """The processes with their containers. An id that was given to a younger process since is nobody's."""
        seen: dict[tuple[int, str], ProcessSeen] = {}
        for process in processes:
            found = self._describe(process.pid)
            if found is not None and found.started_at_ms > at_ms + STARTED_WITHIN_MS:
                found = None
            seen[process.pid, process.instance] = ProcessSeen(
                process.pid,
                None if found is None else found.container_id,
                None if found is None else found.started_at_ms,
                process.memory_mib,
                process.instance,
            )
        return [seen[key] for key in sorted(seen)][:PROCESSES_PER_ACCELERATOR_MAX]


def _add_known(
    tick: Tick, name: str, reading: CardReading | InstanceReading, quantities: Iterable[GaugeQuantity]
) -> None:
    for quantity in quantities:
        value = getattr(reading, quantity)
        if value is not None:
            tick.gauges.append(GaugeEntry(name, quantity, value, tick.read_at_ms))


def _without_memory(processes: list[ProcessSeen]) -> list[tuple[int, str | None, int | None, str]]:
    return [(each.pid, each.container_id, each.started_at_ms, each.instance) for each in processes]
