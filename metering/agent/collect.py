"""One tick: read every page and card, and turn what came back into entries for the spool.

Nothing is remembered until the spool has it on disk: `read` proposes, `keep` adopts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from metering.agent.config import EndpointSetting
from metering.agent.engines import EngineMapping
from metering.agent.epochs import Markers, MeterState, Sighting, advance, vanish
from metering.agent.exposition import parse_page
from metering.agent.machine import EngineProcess, Machine
from metering.agent.nvml import Answer, CardReading, NvmlReader
from metering.agent.observe import MeterSeen, Observation, Part, Source, observe
from metering.agent.scrape import Failure, Page, Scraper, Target
from metering.agent.spool import GaugeEntry, RegisterEntry, key_text
from metering.wire import (
    AcceleratorSeen,
    EndpointSeen,
    EpochProof,
    GaugeQuantity,
    MeterKey,
    Outcome,
    OutcomeSubject,
)

SURVEY_MS: Final = 3_600_000
GAUGES: Final[tuple[GaugeQuantity, ...]] = ("utilisation_percent", "memory_used_mib", "power_mw")


class Memory(msgspec.Struct, frozen=True):
    """What the collector remembers across restarts, besides the meters' states.

    `pages` is when each endpoint's page was last read well, and a fingerprint of how: what another mapping did not
    find says nothing about a series. `driver_generation` rises when a loaded driver
    went away, last noticed at `driver_gone_ms`.
    """

    pages: dict[str, tuple[int, str]] = {}
    driver_generation: int = 0
    driver_gone_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """When a register's life began, and what proves it."""

    at_ms: int | None
    proof: EpochProof


@dataclass(slots=True)
class Tick:
    """What one tick gives to the spool, and what is to be remembered once it is there."""

    read_at_ms: int
    memory: Memory
    registers: list[RegisterEntry] = field(default_factory=list)
    gauges: list[GaugeEntry] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def fail(self, subject: OutcomeSubject, subject_id: str, reason: str, detail: str) -> None:
        """Count an outcome."""
        self.outcomes.append(Outcome(subject, subject_id, self.read_at_ms, reason, detail, 1))


class Collector:
    """Knows every meter's last state and asks every source once a tick."""

    def __init__(
        self,
        *,
        machine: Machine,
        mappings: dict[str, EngineMapping],
        scraper: Scraper,
        nvml: NvmlReader | None,
        states: dict[str, MeterState],
        memory: Memory,
    ) -> None:
        self.accelerators: list[AcceleratorSeen] = []
        self.endpoints: dict[str, EndpointSeen] = {}
        self._machine = machine
        self._mappings = mappings
        self._scraper = scraper
        self._nvml = nvml
        self._states = {text: (msgspec.json.decode(text, type=MeterKey), state) for text, state in states.items()}
        self._memory = memory
        self._settings: dict[str, EndpointSetting] = {}
        self._absence_told = False
        self._survey_at_ms: int | None = None

    def watch(self, settings: Sequence[EndpointSetting]) -> None:
        """Read these endpoints from now on."""
        self._settings = {setting.url: setting for setting in settings}
        self.endpoints = {
            setting.url: self.endpoints.get(setting.url)
            or EndpointSeen(setting.url, setting.engine, [setting.model] if setting.model else [], None)
            for setting in settings
        }

    def read(self, at_ms: int) -> Tick:
        """Read everything once; every reading of the tick is stamped `at_ms`."""
        tick = Tick(at_ms, self._memory)
        targets = [self._target(setting) for setting in self._settings.values()]
        processes = {target.endpoint: self._machine.process_behind(target.endpoint) for target in targets}
        pages = self._scraper.begin(targets)
        if self._nvml is not None:
            self._read_cards(self._nvml, tick)
        for result in self._scraper.finish(pages):
            if isinstance(result, Failure):
                tick.fail("endpoint", result.endpoint, result.reason, result.detail)
            else:
                self._take_page(tick, result, processes[result.endpoint])
        return tick

    def keep(self, tick: Tick) -> None:
        """Adopt a tick that is on disk."""
        self._memory = tick.memory
        for entry in tick.registers:
            self._states[key_text(entry.key)] = (entry.key, entry.state)

    def _target(self, setting: EndpointSetting) -> Target:
        mapping = self._mappings[setting.engine]
        return Target(setting.url, setting.url.rstrip("/") + (setting.page or mapping.page), mapping.epoch_header)

    def _take_page(self, tick: Tick, page: Page, process: EngineProcess | None) -> None:
        setting = self._settings[page.endpoint]
        mapping = self._mappings[setting.engine]
        if (after := self._machine.process_behind(page.endpoint)) != process and None not in {after, process}:
            # Whose page this was cannot be told; the next tick sees the new process alone.
            tick.fail("endpoint", page.endpoint, "engine_restarting", "the process changed during the read")
            return
        parsed = parse_page(page.body, mapping.register_names | mapping.hint_names)
        seen = observe(parsed, Source(setting.url, mapping, setting.model))
        for fault in (seen.page_fault, *seen.faults):
            if fault is not None:
                tick.fail("endpoint", page.endpoint, fault.reason, fault.detail)
        if seen.page_fault is not None:
            return
        if not seen.meters and not seen.faults:
            tick.fail("endpoint", page.endpoint, "no_known_series", f"no series of {mapping.engine} on the page")
        markers = Markers(
            boot_id=self._machine.boot_id,
            process=process.marker if process is not None else "",
            hint="|".join(filter(None, [seen.process_start, page.header])),
        )
        for meter in seen.meters:
            self._advance(tick, meter.key, meter.parts, markers, _start(meter, seen, mapping, process))
        self._vanish(tick, setting, seen)
        self._note_endpoint(setting, seen)
        if not seen.faults:
            tick.memory = msgspec.structs.replace(
                tick.memory,
                pages={**tick.memory.pages, page.endpoint: (tick.read_at_ms, self._fingerprint(setting))},
            )

    def _advance(
        self,
        tick: Tick,
        key: MeterKey,
        parts: dict[str, Part],
        markers: Markers,
        start: Start,
    ) -> None:
        _, state = self._states.get(key_text(key), (key, None))
        plausible = start if start.at_ms is not None and start.at_ms <= tick.read_at_ms else Start(None, "none")
        step = advance(
            state,
            Sighting(
                subject_id=key_text(key),
                parts=parts,
                read_at_ms=tick.read_at_ms,
                markers=markers,
                started_ms=plausible.at_ms,
                proof=plausible.proof,
                absent_at_ms=self._absent_at_ms(key),
            ),
        )
        tick.registers.append(RegisterEntry(key, step.state, step.value, tick.read_at_ms))
        if step.reason is not None:
            tick.fail(key.subject, key.subject_id, step.reason, f"{key.quantity} {key.model}".strip())

    def _absent_at_ms(self, key: MeterKey) -> int | None:
        """When the meter's page was last read in this very way: a meter never seen was not on it then."""
        setting = self._settings.get(key.subject_id)
        read_at_ms, fingerprint = self._memory.pages.get(key.subject_id, (None, ""))
        return read_at_ms if setting is not None and fingerprint == self._fingerprint(setting) else None

    def _fingerprint(self, setting: EndpointSetting) -> str:
        return _fingerprint(setting, self._mappings[setting.engine])

    def _vanish(self, tick: Tick, setting: EndpointSetting, seen: Observation) -> None:
        """Meters of this page that a well-read page no longer shows; a quantity with a fault is unknown instead."""
        shown = {key_text(meter.key) for meter in seen.meters}
        for text, (key, state) in self._states.items():
            if (
                key.subject_id == setting.url
                and key.engine == setting.engine
                and text not in shown
                and key.quantity not in seen.unread
                and not state.missing
            ):
                tick.registers.append(RegisterEntry(key, vanish(state), None, tick.read_at_ms))
                tick.fail("endpoint", setting.url, "series_vanished", f"{key.quantity} {key.model}".strip())

    def _note_endpoint(self, setting: EndpointSetting, seen: Observation) -> None:
        models = list(seen.models) or self.endpoints[setting.url].models
        self.endpoints[setting.url] = EndpointSeen(setting.url, setting.engine, models[:256], seen.version)

    def _read_cards(self, nvml: NvmlReader, tick: Tick) -> None:
        at_ms = tick.read_at_ms
        if self._survey_at_ms is None or not 0 <= at_ms - self._survey_at_ms < SURVEY_MS:
            survey = nvml.list_cards(at_ms)
            if not survey.ok:
                self._no_cards(tick, survey)
                return
            self._survey_at_ms = at_ms
            self.accelerators = survey.accelerators
            self._note_cards(tick, survey)
        answer = nvml.read_cards(at_ms)
        if not answer.ok:
            self._no_cards(tick, answer)
            return
        self._note_cards(tick, answer)
        for reading in answer.readings:
            self._take_card(tick, reading)

    def _no_cards(self, tick: Tick, answer: Answer) -> None:
        self._survey_at_ms = None
        if answer.reason == "driver_reloaded":
            tick.memory = msgspec.structs.replace(
                tick.memory,
                driver_generation=tick.memory.driver_generation + 1,
                driver_gone_ms=tick.read_at_ms,
            )
        if answer.reason == "nvml_absent":
            if self._absence_told:
                return
            self._absence_told = True
        tick.fail("nvml", "", answer.reason, answer.detail)

    def _note_cards(self, tick: Tick, answer: Answer) -> None:
        self._absence_told = False
        for outcome in answer.outcomes:
            if outcome.reason == "gpu_lost":
                # Which cards there are is to be looked at again.
                self._survey_at_ms = None
            known = any(outcome.uuid == card.uuid for card in self.accelerators)
            tick.fail("accelerator" if known else "nvml", outcome.uuid, outcome.reason, outcome.detail)

    def _take_card(self, tick: Tick, reading: CardReading) -> None:
        for quantity in GAUGES:
            tick.gauges.append(GaugeEntry(reading.uuid, quantity, getattr(reading, quantity), tick.read_at_ms))
        if reading.energy_mj is None:
            return
        memory = tick.memory
        driver = next((card.driver_version for card in self.accelerators if card.uuid == reading.uuid), None)
        markers = Markers(self._machine.boot_id, f"driver:{memory.driver_generation}", driver or "")
        start = Start(memory.driver_gone_ms, "driver")
        if start.at_ms is None or start.at_ms < self._machine.booted_at_ms:
            start = Start(self._machine.booted_at_ms, "boot")
        key = MeterKey("accelerator", reading.uuid, "", "", "energy_mj")
        parts = {"energy_mj": Part(reading.energy_mj, None)}
        self._advance(tick, key, parts, markers, start)


def _start(meter: MeterSeen, seen: Observation, mapping: EngineMapping, process: EngineProcess | None) -> Start:
    """The start of the register's life that the markers prove, the most trusted marker first."""
    created = [part.created_ms for part in meter.parts.values() if part.created_ms is not None]
    if created and len(created) == len(meter.parts):
        return Start(min(created), "created")
    if seen.process_start_ms is not None:
        return Start(seen.process_start_ms, "process")
    if mapping.process_proves_reset and process is not None:
        return Start(process.started_at_ms, "process")
    return Start(None, "none")


def _fingerprint(setting: EndpointSetting, mapping: EngineMapping) -> str:
    return hashlib.sha256(msgspec.json.encode([setting, mapping])).hexdigest()[:16]
