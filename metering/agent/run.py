"""The agent's loop: wait for the instant, read, put on disk, seal, let the shipper send.

Two clocks are arguments. `clock` stamps and paces everything that is metered; a simulation gives one whose
`sleep_until` jumps. `ship_clock` is the real one: timeouts, backoff, the `Forecourt-Sent-At` header.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from metering.agent import figures, keys, state
from metering.agent.card_exporters import checked_accelerators
from metering.agent.clock import STEP_S_MIN, Clock, SystemClock, from_unix_ms, next_tick_ms, unix_ms
from metering.agent.collect import Collector
from metering.agent.config import Config, ConfigError, EndpointSetting, checked_mappings
from metering.agent.engines import EngineMapping, MappingError
from metering.agent.figures import Progress
from metering.agent.finder import Finder
from metering.agent.machine import LinuxMachine, Machine
from metering.agent.nvml import NvmlReader, default_command, smi_command
from metering.agent.scrape import Scraper, http_client
from metering.agent.seal import SealContext, seal
from metering.agent.ship import Shipper
from metering.agent.spool import Limits, Spool, SpoolBroken
from metering.agent.status import StatusPage
from metering.agent.tick import Memory, Tick
from metering.wire import BatchRefused, Outcome

logger = logging.getLogger(__name__)

SHIP_WAIT_S: Final = 5.0
MIB: Final = 1 << 20


class Agent:
    """Everything that runs on one node, wired together. Use `run`."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        ship_clock: Clock,
        nvml_command: Sequence[str] | None,
        machine: Machine | None,
        reload: Callable[[], Config | None] = lambda: None,
    ) -> None:
        folder = config.state_path
        self._config = config
        self._clock = clock
        self._ship_clock = ship_clock
        self._reload = reload
        self._mappings = checked_mappings(config)
        self._identity = state.load_identity(folder)
        key_ring = keys.KeyRing(folder)
        self._machine = machine if machine is not None else LinuxMachine()
        self._spool = Spool(folder / state.SPOOL_FILE, limits_of(config))
        self._spool.forget_old_epochs()
        self._tick_lock = threading.Lock()
        self._reports: deque[tuple[str, str]] = deque(maxlen=1_000)
        self._unsaved: list[Outcome] = []
        self._last_tick_ms = -1
        self._clock_offset_ms: int | None = None
        self._sealed_ms: int | None = None
        self.progress = Progress(ship_clock.monotonic_s())
        self._scrape_client = http_client(config.page_urls, config.ca_file, trust_env=False)
        self._ship_client = http_client([self._identity.server], config.ca_file, trust_env=True)
        self._ship_client.timeout = config.ship_timeout_s
        self._nvml = (
            NvmlReader(nvml_command or default_command(), ship_clock, config.nvml_timeout_s) if config.nvml else None
        )
        self._libraries = _library_readers(config, ship_clock)
        memory = self._spool.get_meta("memory")
        self._collector = Collector(
            machine=self._machine,
            mappings=self._mappings,
            scraper=Scraper(self._scrape_client, ship_clock, config.scrape_timeout_s),
            nvml=self._nvml,
            libraries=self._libraries,
            states=self._spool.load_states(),
            memory=msgspec.json.decode(memory, type=Memory) if memory else Memory(),
            node=self._identity.node,
        )
        self._collector.watch_exporters(config.accelerators, checked_accelerators(config))
        self._finder = self._make_finder()
        self._watched: list[EndpointSetting] | None = None
        self._shipper = Shipper(
            self._spool,
            self._ship_client,
            identity=self._identity,
            key_ring=key_ring,
            clock=ship_clock,
            report=lambda reason, detail: self._reports.append((reason, detail)),
            drain_batches_per_s=config.ship_batches_per_s,
        )

    def run(self, stop: threading.Event) -> bool:
        """Read until `stop` is set, then read once more and flush. True if all is shipped."""
        page = None
        try:
            page = self._status_page()
            self._shipper.start()
            self._shipper.kick()
            self._log_start()
            # An early baseline: what an engine counts before its first reading cannot be metered.
            self._step()
            while not stop.is_set():
                self._take_new_settings()
                tick_ms = next_tick_ms(self._now_ms(), self._config.interval_s)
                self._clock.sleep_until(from_unix_ms(tick_ms), stop)
                # Returning early means a stop, or a clock that was set: then the next instant is another one.
                if self._now_ms() >= tick_ms and not stop.is_set():
                    self._step()
            return self._finish()
        finally:
            self._close(page)

    def _make_finder(self) -> Finder:
        return Finder(self._config, self._mappings, self._machine, self._scrape_client, self._ship_clock)

    def _log_start(self) -> None:
        fill, count = self._spool.fill(), len(self._config.endpoints)
        engines = f"{count} configured endpoints" if count else "engines found by themselves"
        logger.info(
            "node %s reads %s%s every %d s and ships to %s; %d batches wait from before",
            self._identity.node,
            engines,
            " and NVML" if self._nvml is not None else "",
            self._config.interval_s,
            self._identity.server,
            fill.batches,
        )

    def _now_ms(self) -> int:
        return unix_ms(self._clock.now())

    def _step(self) -> None:
        self.read_once()
        self._seal_if_due()
        next_ms = next_tick_ms(self._now_ms(), self._config.interval_s)
        # With a clock that jumps the loop would run away from the shipper; with the real one it would sleep anyway.
        self._shipper.wait_idle(min(SHIP_WAIT_S, (next_ms - self._now_ms()) / 1_000 * 0.8))

    def read_once(self) -> bool:
        """One tick; True if it is on disk. Safe from any thread."""
        with self._tick_lock:
            at_ms = self._now_ms()
            if at_ms == self._last_tick_ms:
                return True
            found = self._finder.look(at_ms)
            if found.settings != self._watched:
                self._watched = found.settings
                self._collector.watch(found.settings)
            tick = self._collector.read(at_ms)
            for url in found.unnamed:
                tick.fail("endpoint", url, "model_unknown", "the engine does not say yet which model it serves")
            fresh = [*tick.outcomes, *self._own_outcomes(at_ms)]
            self._note(tick, fresh)
            outcomes = [*self._unsaved, *fresh]
            try:
                stored = self._spool.store(
                    registers=tick.registers,
                    gauges=tick.gauges,
                    outcomes=outcomes,
                    read_at_ms=at_ms,
                    memory=msgspec.json.encode(tick.memory).decode(),
                )
            except SpoolBroken as broken:
                self._unsaved = merge([*outcomes, Outcome("spool", "", at_ms, "spool_broken", str(broken)[:200], 1)])
                self._log_refused(f"cannot write the spool: {broken}")
                return False
            self._unsaved = []
            self._last_tick_ms = at_ms
            self._after_store(stored, sum(entry.value is not None for entry in tick.registers))
            if stored:
                self._collector.keep(tick)
            return stored

    def _after_store(self, stored: bool, readings: int) -> None:
        self.progress.at_s = self._ship_clock.monotonic_s()
        self.progress.ticks += 1
        if not stored:
            self._log_refused("the spool is full: the oldest evidence is kept, new readings are refused")
            return
        if self.progress.refused_ticks:
            logger.warning("readings are stored again")
        self.progress.refused_ticks = 0
        self.progress.readings += readings

    def _log_refused(self, message: str) -> None:
        if self.progress.refused_ticks == 0:
            logger.error(message)
        self.progress.refused_ticks += 1

    def _own_outcomes(self, at_ms: int) -> list[Outcome]:
        outcomes = []
        while self._reports:
            reason, detail = self._reports.popleft()
            outcomes.append(Outcome("spool", "", at_ms, reason, detail, 1))
        offset_ms = at_ms - int(self._clock.monotonic_s() * 1_000)
        before_ms, self._clock_offset_ms = self._clock_offset_ms, offset_ms
        if before_ms is not None and abs(offset_ms - before_ms) >= STEP_S_MIN * 1_000:
            detail = f"{(offset_ms - before_ms) / 1_000:+.1f} s, to {from_unix_ms(at_ms).isoformat()}"
            logger.warning("the wall clock jumped %s; readings go on at the new time", detail)
            self.progress.clock_jumps += 1
            outcomes.append(Outcome("spool", "", at_ms, "clock_jump", detail, 1))
        return outcomes

    def _note(self, tick: Tick, outcomes: Sequence[Outcome]) -> None:
        """Keep for the status page what this tick saw; the log tells each endpoint's change once."""
        self.progress.count(outcomes)
        failed = {one.subject_id: f"{one.reason}: {one.detail}" for one in tick.outcomes if one.subject == "endpoint"}
        # An outcome may also tell of one series of a page that was read; a page read well is remembered.
        up = {
            (seen.url, seen.engine): tick.memory.pages.get(url, (-1, ""))[0] == tick.read_at_ms
            for url, seen in self._collector.endpoints.items()
            if self._mappings[seen.engine].readable
        }
        for (url, engine), is_up in up.items():
            if is_up != self.progress.endpoints_up.get((url, engine), True):
                words = "is read again" if is_up else f"cannot be read: {failed.get(url, 'unknown')}"
                logger.log(logging.INFO if is_up else logging.WARNING, "%s at %s %s", engine, url, words)
        self.progress.endpoints_up = up

    def _take_new_settings(self) -> None:
        """Use changed settings from now on; wrong ones change nothing, and that is told until right ones come."""
        try:
            config = self._reload()
            if config is None:
                return
            later = [name for name in sorted(Config.AT_START) if getattr(config, name) != getattr(self._config, name)]
            config = msgspec.structs.replace(config, **{name: getattr(self._config, name) for name in later})
            mappings, exporters = checked_mappings(config), checked_accelerators(config)
        except (ConfigError, MappingError) as refused:
            logger.error("the new settings are not used, the old ones stay: %s", refused)  # noqa: TRY400 - all is said
            self.progress.reload_error = str(refused)
            return
        with self._tick_lock:
            self._apply(config, mappings)
            self._collector.watch_exporters(config.accelerators, exporters)
        self.progress.reloads += 1
        self.progress.reload_error = ""
        told = f"; {', '.join(later)} at the next start" if later else ""
        logger.info("new settings are used from now on%s", told)

    def _apply(self, config: Config, mappings: dict[str, EngineMapping]) -> None:
        self._config, self._mappings = config, mappings
        before = self._scrape_client
        self._scrape_client = http_client(config.page_urls, config.ca_file, trust_env=False)
        before.close()
        self._collector.reconfigure(mappings, Scraper(self._scrape_client, self._ship_clock, config.scrape_timeout_s))
        self._finder, self._watched = self._make_finder(), None
        self._spool.limits = limits_of(config)
        self._ship_client.timeout = config.ship_timeout_s
        self._shipper.drain_batches_per_s = config.ship_batches_per_s

    def _seal_if_due(self) -> None:
        """Seal by time, unless an earlier batch still waits: then by count, so that an outage makes larger batches."""
        now_ms = self._now_ms()
        try:
            fill = self._spool.fill()
            self.progress.fill = fill
            # Ticks come some milliseconds early or late; half an interval decides which one is meant.
            since_ms = None if self._sealed_ms is None else now_ms - self._sealed_ms
            early_ms = self._config.ship_interval_s * 1_000 - self._config.interval_s * 500
            by_time = since_ms is None or since_ms < 0 or since_ms >= early_ms
            if fill.pending_readings >= self._config.ship_readings or (by_time and not fill.batches):
                self._sealed_ms = now_ms
                self._seal_all()
        except (SpoolBroken, BatchRefused) as broken:
            self._log_refused(f"cannot seal: {broken}")

    def _seal_all(self) -> None:
        context = SealContext(
            node=self._identity.node,
            boot_id=self._machine.boot_id,
            now_ms=self._now_ms(),
            monotonic_ms=int(self._clock.monotonic_s() * 1_000),
            accelerators=self._collector.accelerators,
            endpoints=[self._collector.endpoints[url] for url in sorted(self._collector.endpoints)],
        )
        while seal(self._spool, context):
            continue
        self._shipper.kick()

    def _finish(self) -> bool:
        """Once more everything, so that the tail is not lost; then out with it, within the flush time."""
        self.read_once()
        try:
            self._seal_all()
            done = self._shipper.flush(self._config.flush_timeout_s)
            fill = self._spool.fill()
        except (SpoolBroken, BatchRefused) as broken:
            logger.error("stopped with a broken spool: %s", broken)  # noqa: TRY400 - the cause is the whole story
            return False
        if done:
            logger.info("stopped; everything is shipped")
        else:
            logger.warning("stopped; %d batches wait on disk for the next start", fill.batches)
        return done

    def _close(self, page: StatusPage | None) -> None:
        if page is not None:
            page.close()
        self._shipper.close()
        for reader in (self._nvml, *self._libraries.values()):
            if reader is not None:
                reader.close()
        self._scrape_client.close()
        self._ship_client.close()
        self._spool.close()

    def flush(self) -> str:
        """Read, seal and ship at once, within the flush time; what became of it, "" if the reading is not on disk."""
        if not self.read_once():
            return ""
        try:
            self._seal_all()
            if self._shipper.flush(self._config.flush_timeout_s):
                return "read and shipped"
            return f"read; {self._spool.fill().batches} batches wait on disk for the server"
        except (SpoolBroken, BatchRefused) as broken:
            logger.error("cannot flush: %s", broken)  # noqa: TRY400 - the cause is the whole story
            return ""

    def _status_page(self) -> StatusPage | None:
        if not self._config.status_port:
            return None
        port = self._config.status_port
        try:
            page = StatusPage(port, health=self.health, metrics=self.metrics, read_now=self.read_once, flush=self.flush)
        except OSError as taken:
            expected = "a free port of this machine, or 0 for no status page"
            raise ConfigError("status_port", f"{port}: {taken.strerror}", expected) from taken
        page.start()
        return page

    def health(self) -> dict[str, object]:
        """Whether the agent does its work."""
        now_s = self._ship_clock.monotonic_s()
        return figures.health(self._identity.node, self._config, self.progress, self._shipper.status, now_s)

    def metrics(self) -> str:
        """The agent's own figures as a Prometheus page."""
        return figures.metrics(self._config, self.progress, self._shipper.status, self._now_ms())


def merge(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same outcomes counted together, the last detail kept, so that waiting for a disk needs no more memory."""
    merged: dict[tuple[str, str, str], Outcome] = {}
    for outcome in outcomes:
        known = merged.get((outcome.subject, outcome.subject_id, outcome.reason))
        count = outcome.count + (known.count if known is not None else 0)
        merged[outcome.subject, outcome.subject_id, outcome.reason] = msgspec.structs.replace(outcome, count=count)
    return list(merged.values())


def limits_of(config: Config) -> Limits:
    """The spool's bounds as set."""
    return Limits(config.spool_mib_max * MIB, config.spool_hours_max * 3_600_000)


def _library_readers(config: Config, clock: Clock) -> dict[str, NvmlReader]:
    """A reader for every other vendor's library that the settings name."""
    return {name: NvmlReader(smi_command(name), clock, config.nvml_timeout_s) for name in config.accelerator_libraries}


def run(
    config: Config,
    *,
    clock: Clock,
    stop: threading.Event,
    nvml_command: Sequence[str] | None = None,
    ship_clock: Clock | None = None,
    machine: Machine | None = None,
    reload: Callable[[], Config | None] = lambda: None,
) -> bool:
    """Run the agent until `stop` is set; True if everything read is shipped when it ends.

    `nvml_command` starts another child that speaks the protocol of `metering.agent.nvml`; `machine` gives boot and
    process facts; `ship_clock` is real time; `reload` is asked after every read for changed settings, None for none,
    and may raise ConfigError. Raises NotEnrolled, AlreadyRunning, StateUnusable, KeyUnusable,
    MappingError, ConfigError, SpoolBroken, all at start.
    """
    state.prepare(config.state_path)
    with state.StateLock(config.state_path):
        agent = Agent(
            config,
            clock=clock,
            ship_clock=ship_clock or SystemClock(),
            nvml_command=nvml_command,
            machine=machine,
            reload=reload,
        )
        return agent.run(stop)
