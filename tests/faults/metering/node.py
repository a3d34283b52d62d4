"""The node of a fault run: the agent's own reading, spool, sealing and sending, stepped by hand so that it can be
killed between any two of them."""

from __future__ import annotations

import queue
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from forecourt.demo.engines import Engine
from metering.agent.clock import unix_ms
from metering.agent.collect import Collector
from metering.agent.config import EndpointSetting
from metering.agent.delivery import Delivered, Refused, deliver
from metering.agent.engines import load_mappings
from metering.agent.machine import EngineProcess
from metering.agent.mend import take_back, write_older
from metering.agent.scrape import Failure, Page, Reading, Scraper
from metering.agent.seal import WIRE_META, SealContext, seal
from metering.agent.spool import Limits, Spool
from metering.agent.tick import Memory
from tests.faults.metering.workload import KINDS, TICK_MS, Workload
from tests.metering.agent.simulated import FixedMachine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from metering.agent.delivery import Unreachable
    from metering.agent.engines import EngineMapping
    from metering.agent.scrape import Target
    from metering.agent.spool import SealedBatch
    from metering.agent.state import Identity
    from tests.faults.metering.plan import KillFault, Plan

MAPPINGS: Final[dict[str, EngineMapping]] = load_mappings()
ROOMY: Final = Limits(1 << 30, 48 * 3_600_000)
FULL: Final = Limits(0, 48 * 3_600_000)
MODEL: Final = "sample-model"
CLOCK_AHEAD_MS: Final = 10 * 3_600_000
CLOCK_BEHIND_MS: Final = 40 * 60_000


def url_of(kind: str) -> str:
    """Where a server listens."""
    return f"http://127.0.0.1:{8100 + KINDS.index(kind)}"


class Killed(Exception):
    """The agent was killed at this place; what is on disk stays."""


class Servers:
    """The three servers, whose pages follow the workload; stands in for the reading of pages over HTTP."""

    def __init__(self, workload: Workload, machine: FixedMachine) -> None:
        self._workload = workload
        self._machine = machine
        self._engines: dict[str, Engine] = {}
        self._faults: dict[str, str] = {}
        self._now_ms = workload.start_ms
        for kind in KINDS:
            self._begin(kind, 0, -60_000, 100)

    def turn(self, tick: int, plan: Plan) -> None:
        """Go on to a tick: what was to happen until then has happened."""
        self._now_ms = self._workload.at_ms(tick)
        for kind, lives in self._workload.lives.items():
            for number, life in enumerate(lives):
                if life.after == tick - 1 and number:
                    ran = self._engines[kind].started_ms - self._workload.start_ms
                    self._begin(kind, life.after, ran if life.reset else life.after * TICK_MS + 500, 100 + number)
            self._engines[kind].requests = [
                *self._engines[kind].requests,
                *self._workload.requests[kind][tick],
            ]
        self._faults = {url_of(one.kind): one.fault for one in plan.windows if one.kind and one.holds(tick, one.kind)}

    def _begin(self, kind: str, tick: int, started_ms: int, pid: int) -> None:
        at_ms = self._workload.start_ms + started_ms
        reset = kind in self._engines and at_ms == self._engines[kind].started_ms
        self._engines[kind] = Engine(kind, MODEL, [], at_ms)
        if not reset:
            self._machine.processes[url_of(kind)] = EngineProcess(pid, 5_000 + tick, at_ms, "", f"{kind} serve")

    def begin(self, targets: Sequence[Target]) -> Reading:
        """Stands in for `Scraper.begin`."""
        return Reading(targets, queue.SimpleQueue(), {}, 0.0)

    def finish(self, reading: Reading) -> list[Page | Failure]:
        """Stands in for `Scraper.finish`."""
        return [self._page(target) for target in reading.targets]

    def _page(self, target: Target) -> Page | Failure:
        kind = next(kind for kind in KINDS if url_of(kind) == target.endpoint)
        text = self._engines[kind].page(self._now_ms)
        header = str(self._engines[kind].started_ms) if kind == "llamacpp" else ""
        match self._faults.get(target.endpoint):
            case "page_refused":
                return Failure(target.endpoint, "refused", "Connection refused")
            case "page_malformed":
                text = _with_values(text, "{{{")
            case "page_truncated":
                text = text[: len(text) * 2 // 3].rstrip()
            case "page_repeats_series":
                text = text + "\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n"
            case "page_says_nan":
                text = _with_values(text, "NaN")
        return Page(target.endpoint, text.encode(), header)


def _with_values(page: str, value: str) -> str:
    """The page with another value in every sample."""
    return "".join(
        f"{line if line.startswith('#') else line.rpartition(' ')[0] + ' ' + value}\n" for line in page.splitlines()
    )


class NodeAgent:
    """The agent of one node over its state on disk; `start` after every kill."""

    def __init__(self, folder: Path, identity: Identity, key: Ed25519PrivateKey, workload: Workload) -> None:
        self.machine = FixedMachine(booted_at_ms=workload.start_ms - 3_600_000)
        self.servers = Servers(workload, self.machine)
        self._folder = folder
        self._identity = identity
        self._key = key
        self._limits = ROOMY
        self._ticks = 0
        self.start()

    def start(self) -> None:
        """Begin from what is on disk."""
        self.spool = Spool(self._folder / "spool.sqlite3", self._limits)
        self.spool.forget_old_epochs()
        memory = self.spool.get_meta("memory")
        scraper: Scraper = self.servers  # type: ignore[assignment]  # it has the two methods that are called
        self.collector = Collector(
            machine=self.machine,
            mappings=MAPPINGS,
            scraper=scraper,
            nvml=None,
            states=self.spool.load_states(),
            memory=msgspec.json.decode(memory, type=Memory) if memory else Memory(),
        )
        self.collector.watch([EndpointSetting(url_of(kind), kind, model=MODEL) for kind in KINDS])

    def restart(self, limits: Limits = ROOMY) -> None:
        """End and begin anew."""
        self.spool.close()
        self._limits = limits
        self.start()

    def keep_room(self, full: bool) -> None:
        """Fill or empty the disk."""
        wanted = FULL if full else ROOMY
        if wanted is not self._limits:
            self.restart(wanted)

    def read(self, at_ms: int, kill: KillFault | None) -> None:
        """One tick: read, store, keep. Raises Killed."""
        self._ticks += 1
        tick = self.collector.read(at_ms)
        if kill == "before_store":
            raise Killed
        stored = self.spool.store(
            registers=tick.registers,
            gauges=tick.gauges,
            outcomes=tick.outcomes,
            read_at_ms=at_ms,
            memory=msgspec.json.encode(tick.memory).decode(),
        )
        if kill == "after_store":
            raise Killed
        if stored:
            self.collector.keep(tick)

    def seal(self, at_ms: int) -> None:
        """Seal what is pending."""
        context = SealContext(
            node=self._identity.node,
            boot_id=self.machine.boot_id,
            now_ms=at_ms,
            monotonic_ms=self._ticks * TICK_MS,
            accelerators=(),
            endpoints=[self.collector.endpoints[url] for url in sorted(self.collector.endpoints)],
        )
        while seal(self.spool, context):
            continue

    def send(self, client: httpx.Client, batch: SealedBatch) -> Delivered | Unreachable | Refused:
        """Send one batch once, and do what the shipper does where the server knows other versions of the wire."""
        now = datetime.now(UTC)
        result = deliver(client, batch, identity=self._identity, key=self._key, now=now)
        if isinstance(result, Delivered):
            self.spool.set_meta(WIRE_META, str(result.answer.wire_version))
        elif isinstance(result, Refused) and result.where == "$.version":
            write_older(self.spool, batch.seq, unix_ms(now))
        elif isinstance(result, Refused) and result.code == "batch_conflict":
            take_back(self.spool, batch.seq, unix_ms(now))
        return result
