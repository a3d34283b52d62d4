"""One tick: read every page and card, and turn what came back into entries for the spool.

Nothing is remembered until the spool has it on disk: `read` proposes, `keep` adopts.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from metering.agent.accelerators import AcceleratorMapping
from metering.agent.card_exporters import ExporterCards
from metering.agent.cards import ChildCards
from metering.agent.config import AcceleratorSetting, EndpointSetting
from metering.agent.endpoints import source_of, target_of
from metering.agent.engines import EngineMapping
from metering.agent.epochs import Markers, MeterState, Sighting, advance, is_other_process, vanish
from metering.agent.exposition import parse_page
from metering.agent.machine import EngineProcess, LinuxMachine, Machine
from metering.agent.nvml import NvmlReader
from metering.agent.observe import MeterSeen, Observation, Part, observe
from metering.agent.scrape import Failure, Page, Scraper
from metering.agent.spool import RegisterEntry, key_text
from metering.agent.tick import Memory, Start, Tick
from metering.wire import AcceleratorSeen, EndpointSeen, MeterKey


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
        node: str = "",
        libraries: Mapping[str, NvmlReader] | None = None,
    ) -> None:
        self.endpoints: dict[str, EndpointSeen] = {}
        self._machine = machine
        self._mappings = mappings
        self._scraper = scraper
        self._exporters = ExporterCards(machine, advance=self._advance, node=node)
        readers = {**({} if nvml is None else {"nvml": nvml}), **(libraries or {})}
        self._children = [self._child(source, reader) for source, reader in readers.items()]
        self._states = {text: (msgspec.json.decode(text, type=MeterKey), state) for text, state in states.items()}
        self._memory = memory
        self._settings: dict[str, EndpointSetting] = {}
        self._fingerprints: dict[str, str] = {}

    def _child(self, source: str, reader: NvmlReader) -> ChildCards:
        # A simulated machine gives facts and has no processes to describe.
        describe = self._machine.describe if isinstance(self._machine, LinuxMachine) else _nobody
        return ChildCards(source, reader, self._machine, advance=self._advance, describe=describe)

    def watch_exporters(
        self, settings: Sequence[AcceleratorSetting], mappings: Mapping[str, AcceleratorMapping]
    ) -> None:
        """Read these exporters of accelerators from now on."""
        self._exporters.watch(settings, mappings)

    @property
    def accelerators(self) -> list[AcceleratorSeen]:
        """Every card of the node, each once: what an earlier source lists a later one does not list again."""
        found: dict[str, AcceleratorSeen] = {}
        lists = [*(child.accelerators for child in self._children), self._exporters.accelerators]
        for card in (card for cards in lists for card in cards):
            found.setdefault(card.uuid, card)
        return list(found.values())

    def reconfigure(self, mappings: dict[str, EngineMapping], scraper: Scraper) -> None:
        """Read by these mappings and with this scraper from now on."""
        self._mappings, self._scraper = mappings, scraper

    def watch(self, settings: Sequence[EndpointSetting]) -> None:
        """Read these endpoints from now on."""
        self._settings = {setting.url: setting for setting in settings}
        self._fingerprints = {each.url: _fingerprint(each, self._mappings[each.engine]) for each in settings}
        self.endpoints = {
            setting.url: self.endpoints.get(setting.url)
            or EndpointSeen(setting.url, setting.engine, [setting.model] if setting.model else [], None)
            for setting in settings
        }

    def read(self, at_ms: int) -> Tick:
        """Read everything once; every reading of the tick is stamped `at_ms`."""
        tick = Tick(at_ms, self._memory)
        # An engine without counters is watched by its gateway; nothing is asked of it.
        readable = [each for each in self._settings.values() if self._mappings[each.engine].readable]
        targets = [target_of(setting, self._mappings[setting.engine]) for setting in readable]
        processes = {target.endpoint: self._machine.process_behind(target.endpoint) for target in targets}
        pages = self._scraper.begin([*targets, *self._exporters.targets(at_ms)])
        taken: set[str] = set()
        for child in self._children:
            child.read(tick, taken)
        self._exporters.note_taken(taken, at_ms)
        for result in self._scraper.finish(pages):
            if self._exporters.owns(result.endpoint):
                self._exporters.take(tick, result, taken)
            elif isinstance(result, Failure):
                tick.fail("endpoint", result.endpoint, result.reason, result.detail)
            else:
                self._take_page(tick, result, processes[result.endpoint])
        return tick

    def keep(self, tick: Tick) -> None:
        """Adopt a tick that is on disk."""
        self._memory = tick.memory
        for entry in tick.registers:
            self._states[key_text(entry.key)] = (entry.key, entry.state)

    def _take_page(self, tick: Tick, page: Page, process: EngineProcess | None) -> None:
        setting = self._settings[page.endpoint]
        mapping = self._mappings[setting.engine]
        if (after := self._machine.process_behind(page.endpoint)) != process and None not in {after, process}:
            # Whose page this was cannot be told; the next tick sees the new process alone.
            tick.fail("endpoint", page.endpoint, "engine_restarting", "the process changed during the read")
            return
        parsed = parse_page(page.body, mapping.register_names | mapping.hint_names)
        seen = observe(parsed, source_of(setting, mapping))
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
        fingerprint = f"{self._fingerprints[setting.url]}{markers.hint}"
        before_ms, before = self._memory.pages.get(setting.url, (None, ""))
        # Read in this very way: a meter that is new or back was not on the page then.
        absent_at_ms = before_ms if before == fingerprint else None
        for meter in seen.meters:
            sighting = _sighting(tick, meter.key, meter.parts, markers, _start(meter, seen, mapping, process))
            self._step(
                tick,
                meter.key,
                replace(
                    sighting,
                    absent_at_ms=absent_at_ms,
                    page_started_ms=seen.process_start_ms,
                    hold_falls=mapping.falls == "held",
                    returns_at_zero=mapping.vanished_begin_at_zero,
                ),
            )
        self._vanish(tick, setting, seen, markers)
        self._note_endpoint(setting, seen)
        if not seen.faults:
            tick.memory = msgspec.structs.replace(
                tick.memory, pages={**tick.memory.pages, page.endpoint: (tick.read_at_ms, fingerprint)}
            )

    def _advance(self, tick: Tick, key: MeterKey, parts: dict[str, Part], markers: Markers, start: Start) -> None:
        self._step(tick, key, _sighting(tick, key, parts, markers, start))

    def _step(self, tick: Tick, key: MeterKey, sighting: Sighting) -> None:
        _, state = self._states.get(key_text(key), (key, None))
        step = advance(state, sighting)
        tick.registers.append(RegisterEntry(key, step.state, step.value, tick.read_at_ms))
        subject = f"{key.quantity} {key.model}".strip()
        if step.reason is not None:
            tick.fail(key.subject, key.subject_id, step.reason, subject)
        if step.state.step > (state.step if state is not None else 1):
            within = f"{subject}: the page shows it to within {step.state.step}, the least is counted"
            tick.fail(key.subject, key.subject_id, "coarse_register", within)

    def _vanish(self, tick: Tick, setting: EndpointSetting, seen: Observation, markers: Markers) -> None:
        """Meters of this page that a well-read page no longer shows; a quantity with a fault is unknown instead."""
        shown = {key_text(meter.key) for meter in seen.meters}
        for text, (key, state) in self._states.items():
            if (
                key.subject_id == setting.url
                and key.engine == setting.engine
                and text not in shown
                and key.quantity not in seen.unread
                and not state.missing
                and not is_other_process(state, markers, seen.process_start_ms)
            ):
                tick.registers.append(RegisterEntry(key, vanish(state), None, tick.read_at_ms))
                tick.fail("endpoint", setting.url, "series_vanished", f"{key.quantity} {key.model}".strip())

    def _note_endpoint(self, setting: EndpointSetting, seen: Observation) -> None:
        models = list(seen.models) or self.endpoints[setting.url].models
        self.endpoints[setting.url] = EndpointSeen(setting.url, setting.engine, models[:256], seen.version)


def _nobody(_pid: int) -> None:
    return None


def _sighting(tick: Tick, key: MeterKey, parts: dict[str, Part], markers: Markers, start: Start) -> Sighting:
    """One meter as this tick sees it; a start in the future is a wrong clock's and proves nothing."""
    plausible = start if start.at_ms is not None and start.at_ms <= tick.read_at_ms else Start(None, "none")
    return Sighting(
        subject_id=key_text(key),
        parts=parts,
        read_at_ms=tick.read_at_ms,
        markers=markers,
        started_ms=plausible.at_ms,
        proof=plausible.proof,
    )


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
