"""Keeps the list of endpoints to read: configured ones as they are, found ones looked for again and again.

An endpoint whose page names no model is asked what it serves before its first reading, so that its tokens never begin
under one name and go on under another. Until it answers it is not read: registers are cumulative, nothing is lost.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx
import msgspec

from metering.agent.clock import Clock
from metering.agent.config import Config, EndpointSetting
from metering.agent.discover import discover, probed
from metering.agent.endpoints import source_of
from metering.agent.engines import EngineMapping
from metering.agent.machine import EngineProcess, LinuxMachine, Machine
from metering.agent.served import Served, ask_models

logger = logging.getLogger(__name__)

DISCOVER_MS: Final = 60_000
SLOW_RETRY_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Found:
    """What to read now, and the endpoints that wait until they say what they serve."""

    settings: list[EndpointSetting]
    unnamed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one life of an engine said; worth until an instant, or as long as that life where it is None."""

    life: str
    served: Served
    until_ms: int | None


class Finder:
    """Remembers what was found and what each life of an engine serves."""

    def __init__(
        self, config: Config, mappings: dict[str, EngineMapping], machine: Machine, client: httpx.Client, clock: Clock
    ) -> None:
        """`clock` is the real one, for timeouts."""
        self._config = config
        self._mappings = mappings
        self._machine = machine
        self._client = client
        self._clock = clock
        self._looked_ms: int | None = None
        self._settings: list[EndpointSetting] = list(config.endpoints)
        self._served: dict[str, _Asked] = {}
        self._probed: dict[tuple[str, str], EngineMapping | None] = {}

    def look(self, at_ms: int) -> Found:
        """The endpoints to read at this instant."""
        self._discover(at_ms)
        found = Found([])
        for setting in self._settings:
            if not needs_name(setting, self._mappings[setting.engine]):
                found.settings.append(setting)
                continue
            served = self._ask(setting.url, at_ms)
            if served.known:
                found.settings.append(msgspec.structs.replace(setting, model=served.only))
            else:
                found.unnamed.append(setting.url)
        return found

    def _discover(self, at_ms: int) -> None:
        """Search where none is configured. A simulated machine gives facts and has no processes to search."""
        if self._config.endpoints or not self._config.discover or not isinstance(self._machine, LinuxMachine):
            return
        if self._looked_ms is not None and 0 <= at_ms - self._looked_ms < DISCOVER_MS:
            return
        self._looked_ms = at_ms
        recognise = self._recognise if self._config.discover_probe else None
        found = discover(self._machine, self._mappings.values(), recognise)
        self._tell(found)
        self._settings = found

    def _recognise(self, process: EngineProcess, url: str) -> EngineMapping | None:
        """Read the page of an unknown process once in its life."""
        life = (url, process.marker)
        if life not in self._probed:
            self._probed = {key: one for key, one in self._probed.items() if key[0] != url}
            self._probed[life] = probed(self._client, process, url, self._mappings.values(), self._clock)
        return self._probed[life]

    def _tell(self, found: Sequence[EndpointSetting]) -> None:
        for setting in found:
            if setting not in self._settings:
                logger.info("found %s at %s", setting.engine, setting.url)
        for setting in self._settings:
            if setting not in found:
                logger.info("%s at %s does not listen any more", setting.engine, setting.url)

    def _ask(self, url: str, at_ms: int) -> Served:
        """Once in a life of the engine, since another process may serve another model; where the process cannot be
        seen, once a minute. One that hangs holds up the others' reading, and is asked again after a while only."""
        process = self._machine.process_behind(url)
        life = process.marker if process is not None else ""
        known = self._served.get(url)
        if known is not None and known.life == life and (known.until_ms is None or at_ms < known.until_ms):
            return known.served
        served = ask_models(self._client, url, self._clock)
        if not served.known:
            if known is not None and known.life == life and known.served.known:
                served = known.served
            self._served[url] = _Asked(life, served, at_ms + (SLOW_RETRY_MS if served.slow else 1))
            return served
        if served.models and (known is None or known.served != served):
            logger.info("%s serves %s", url, ", ".join(served.models[:8]))
        self._served[url] = _Asked(life, served, None if life else at_ms + DISCOVER_MS)
        return served


def needs_name(setting: EndpointSetting, mapping: EngineMapping) -> bool:
    """Whether neither the page, nor the setting, nor its URL says whose tokens are counted."""
    named = setting.model or mapping.model_labels or source_of(setting, mapping).model
    return mapping.readable and not named
