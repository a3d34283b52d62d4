"""Cards that are read from exporters' pages, at the exporters' own pace, beside those that a library gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from metering.agent.accelerators import AcceleratorMapping, load_accelerators
from metering.agent.card_pages import PageCard, observe_cards
from metering.agent.cards import GAUGES, KNOWN_GAUGES, Advance
from metering.agent.config import AcceleratorSetting, Config, ConfigError
from metering.agent.epochs import Markers
from metering.agent.exposition import parse_page
from metering.agent.machine import Machine
from metering.agent.observe import Part
from metering.agent.scrape import Failure, Page, Target
from metering.agent.spool import GaugeEntry
from metering.agent.tick import Start, Tick
from metering.wire import AcceleratorSeen, MeterKey, MigSeen

KEY: Final = "accelerators "
"""Before the URL of an exporter, so that its page is told from an engine's at the same address."""
ELSEWHERE_MS: Final = 600_000
"""A card that a library gave within this time is not read from a page: the two would be one card twice."""
FORGET_MS: Final = 3_600_000
"""A card that is not on its page for so long is no longer listed."""
FROZEN_MS: Final = 60_000
FROZEN_SAMPLES: Final = 3
STALE_INTERVALS: Final = 5
STALE_MS_MIN: Final = 60_000


@dataclass(slots=True)
class _Register:
    """An energy register as last seen to move."""

    value: int
    since_ms: int
    samples: int = 1


@dataclass(slots=True)
class _Exporter:
    """One exporter and what it showed last."""

    setting: AcceleratorSetting
    mapping: AcceleratorMapping
    read_at_ms: int | None = None
    cards: dict[str, tuple[AcceleratorSeen, int]] = field(default_factory=dict)
    sampled: dict[str, int] = field(default_factory=dict)
    registers: dict[str, _Register] = field(default_factory=dict)

    @property
    def interval_ms(self) -> int:
        """How far its samples are apart."""
        return (self.setting.interval_s or self.mapping.interval_s) * 1_000

    def is_due(self, at_ms: int) -> bool:
        """Whether another interval of the wall clock has begun; so it is at every full hour."""
        return self.read_at_ms is None or self.read_at_ms // self.interval_ms != at_ms // self.interval_ms


class ExporterCards:
    """Reads the exporters that the settings name. `node` is put into names that are unique on their machine only."""

    def __init__(self, machine: Machine, *, advance: Advance, node: str) -> None:
        self._exporters: dict[str, _Exporter] = {}
        self._machine = machine
        self._advance = advance
        self._node = node
        self._elsewhere: dict[str, int] = {}

    def watch(self, settings: Sequence[AcceleratorSetting], mappings: Mapping[str, AcceleratorMapping]) -> None:
        """Read these exporters from now on; one that is as before goes on where it is."""
        found = {}
        for setting in settings:
            key, fresh = f"{KEY}{setting.url}", _Exporter(setting, mappings[setting.exporter])
            before = self._exporters.get(key)
            same = before is not None and (before.setting, before.mapping) == (setting, fresh.mapping)
            found[key] = before if before is not None and same else fresh
        self._exporters = found

    @property
    def accelerators(self) -> list[AcceleratorSeen]:
        """The cards as last seen."""
        return [card for exporter in self._exporters.values() for card, _ in exporter.cards.values()]

    def targets(self, at_ms: int) -> list[Target]:
        """The pages that have a new sample by now."""
        return [
            Target(key, exporter.setting.url.rstrip("/") + (exporter.setting.page or exporter.mapping.page), "")
            for key, exporter in self._exporters.items()
            if exporter.is_due(at_ms)
        ]

    def owns(self, endpoint: str) -> bool:
        """Whether a result is one of these pages'."""
        return endpoint in self._exporters

    def note_taken(self, taken: set[str], at_ms: int) -> None:
        """Remember the cards that a library gave in this tick."""
        self._elsewhere |= dict.fromkeys(taken, at_ms)

    def take(self, tick: Tick, result: Page | Failure, taken: set[str]) -> None:
        """Add what a page tells of cards that no earlier source gave (`taken`), and add them to those."""
        exporter = self._exporters[result.endpoint]
        url = exporter.setting.url
        exporter.read_at_ms = tick.read_at_ms
        if isinstance(result, Failure):
            tick.fail("accelerator", url, result.reason, result.detail)
            return
        parsed = parse_page(result.body, exporter.mapping.series)
        seen = observe_cards(parsed, exporter.mapping, self._node)
        if seen.page_fault is not None:
            tick.fail("accelerator", url, seen.page_fault.reason, seen.page_fault.detail)
            return
        for uuid, fault in seen.faults:
            tick.fail("accelerator", uuid or url, fault.reason, fault.detail)
        if not seen.cards and not seen.faults and not exporter.mapping.absent_when_idle:
            tick.fail("accelerator", url, "no_known_series", f"no card of {exporter.mapping.accelerator} on the page")
        for card in seen.cards.values():
            if card.uuid not in taken and not self._is_elsewhere(card.uuid, tick.read_at_ms):
                taken.add(card.uuid)
                self._take_card(tick, exporter, card)
        self._note_absent(tick, exporter, seen.cards)

    def _is_elsewhere(self, uuid: str, at_ms: int) -> bool:
        last_ms = self._elsewhere.get(uuid)
        return last_ms is not None and 0 <= at_ms - last_ms < ELSEWHERE_MS

    def _take_card(self, tick: Tick, exporter: _Exporter, card: PageCard) -> None:
        exporter.cards[card.uuid] = (_describe(card), tick.read_at_ms)
        if not self._is_new(tick, exporter, card):
            return
        for quantity in GAUGES:
            tick.gauges.append(GaugeEntry(card.uuid, quantity, card.values.get(quantity), tick.read_at_ms))
        parts = [(card.uuid, card.values), *((part.name, part.values) for part in card.instances.values())]
        for name, values in parts:
            for quantity in KNOWN_GAUGES:
                if quantity in values:
                    tick.gauges.append(GaugeEntry(name, quantity, values[quantity], tick.read_at_ms))
        energy_mj = card.values.get("energy_mj")
        if energy_mj is not None and not self._is_frozen(tick, exporter, card, energy_mj):
            self._read_energy(tick, exporter, card, energy_mj)

    def _is_new(self, tick: Tick, exporter: _Exporter, card: PageCard) -> bool:
        """Whether a stamped sample is neither the one of before nor an old one."""
        sampled_ms = card.sampled_at_ms if exporter.mapping.stamped else None
        if sampled_ms is None:
            return True
        age_ms = tick.read_at_ms - sampled_ms
        if age_ms > max(STALE_INTERVALS * exporter.interval_ms, STALE_MS_MIN):
            tick.fail("accelerator", card.uuid, "stale_sample", f"the page's sample is {age_ms // 1_000} s old")
            return False
        before, exporter.sampled[card.uuid] = exporter.sampled.get(card.uuid), sampled_ms
        return before != sampled_ms

    def _is_frozen(self, tick: Tick, exporter: _Exporter, card: PageCard, energy_mj: int) -> bool:
        """Whether the register stands still while power flows: then its energy is unknown, not none."""
        known = exporter.registers.get(card.uuid)
        if known is None or known.value != energy_mj:
            exporter.registers[card.uuid] = _Register(energy_mj, tick.read_at_ms)
            return False
        known.samples += 1
        power_mw = card.values.get("power_mw")
        suspect = any(model in card.model for model in exporter.mapping.frozen_models)
        stood_ms = tick.read_at_ms - known.since_ms
        if power_mw == 0 or not (suspect or (known.samples > FROZEN_SAMPLES and stood_ms >= FROZEN_MS)):
            return False
        drawn = "" if power_mw is None else f" while the card draws {power_mw // 1_000} W"
        tick.fail("accelerator", card.uuid, "energy_frozen", f"the register stands at {energy_mj} mJ{drawn}")
        return True

    def _read_energy(self, tick: Tick, exporter: _Exporter, card: PageCard, energy_mj: int) -> None:
        mapping = exporter.mapping
        markers = Markers(self._machine.boot_id, f"exporter:{mapping.accelerator}", card.driver_version or "")
        booted = mapping.energy_began == "driver"
        start = Start(self._machine.booted_at_ms, "boot") if booted else Start(None, "none")
        key = MeterKey("accelerator", card.uuid, "", "", "energy_mj")
        self._advance(tick, key, {"energy_mj": Part(energy_mj, None)}, markers, start)

    def _note_absent(self, tick: Tick, exporter: _Exporter, shown: Mapping[str, PageCard]) -> None:
        """Cards that were on this page and are not: not read, which is not the same as doing nothing."""
        if exporter.mapping.absent_when_idle:
            return
        for uuid, (_, seen_ms) in list(exporter.cards.items()):
            if uuid in shown:
                if self._is_elsewhere(uuid, tick.read_at_ms):
                    del exporter.cards[uuid]
                continue
            if tick.read_at_ms - seen_ms >= FORGET_MS:
                del exporter.cards[uuid]
            else:
                tick.fail("accelerator", uuid, "card_not_on_page", f"not on {exporter.setting.url}")


def _describe(card: PageCard) -> AcceleratorSeen:
    return AcceleratorSeen(
        uuid=card.uuid,
        serial=card.serial,
        name=card.model,
        memory_mib=card.values.get("memory_mib"),
        pci_bus_id=card.pci_bus_id,
        # A page without instances may come from an exporter that does not show them.
        mig_mode=True if card.instances else None,
        mig=[
            MigSeen(part.name, part.profile, part.values.get("memory_mib", 0), int(key) if key.isdecimal() else None)
            for key, part in sorted(card.instances.items())
        ],
        driver_version=card.driver_version,
    )


def checked_accelerators(config: Config) -> dict[str, AcceleratorMapping]:
    """Every exporter, after a check that the settings name known ones. Raises MappingError, ConfigError."""
    mappings = load_accelerators(Path(config.accelerators_dir) if config.accelerators_dir else None)
    for index, setting in enumerate(config.accelerators):
        if setting.exporter not in mappings:
            expected = f"one of {', '.join(sorted(mappings))}"
            raise ConfigError(f"accelerators[{index}].exporter", repr(setting.exporter), expected)
    return mappings
