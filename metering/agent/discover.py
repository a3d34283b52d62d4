"""Finding inference engines on this node, in containers too, by the processes that listen.

A process whose command line has a word that a mapping names, listening on the port that its command line
gives (or the engine's default), is an endpoint. Nothing is asked of it for that: some engines empty a
queue when a monitoring page is read. Only with `discover_probe` is the page of an unknown process read, once.
"""

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Final

import httpx

from metering.agent.clock import Clock
from metering.agent.config import EndpointSetting
from metering.agent.engines import EngineMapping
from metering.agent.exposition import parse_page
from metering.agent.machine import EngineProcess, LinuxMachine
from metering.agent.scrape import Failure, Target, fetch

PROBE_PATH: Final = "/metrics"
PROBE_TIMEOUT_S: Final = 2.0
NEVER_PROBED: Final = ("trtllm", "tensorrt", "tritonserver")
"""Reading `/metrics` of trtllm-serve takes its statistics away from whoever reads them next."""


Recognise = Callable[[EngineProcess, str], EngineMapping | None]
"""Tells an engine by its page where its command line does not: the process and its base URL."""


def discover(
    machine: LinuxMachine, mappings: Iterable[EngineMapping], recognise: Recognise | None = None
) -> list[EndpointSetting]:
    """Every engine that listens on this node and that the agent may see, by port; those of containers by address."""
    known = list(mappings)
    places = [("127.0.0.1", port, pids) for port, pids in sorted(machine.listeners().items())]
    places += [(address, port, pids) for (address, port), pids in sorted(machine.container_listeners().items())]
    found = []
    for address, port, pids in places:
        process = machine.describe(min(pids))
        if process is None:
            continue
        url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
        mapping = next((mapping for mapping in known if listens(process, port, mapping)), None)
        if mapping is None and recognise is not None:
            mapping = recognise(process, url)
        if mapping is not None:
            found.append(EndpointSetting(url, mapping.engine, role=mapping.role_of(process.command_line)))
    return found


def probed(
    client: httpx.Client, process: EngineProcess, url: str, mappings: Iterable[EngineMapping], clock: Clock
) -> EngineMapping | None:
    """The engine whose registers are on the page at that port, None where it has none. Never raises for an answer."""
    known = list(mappings)
    harmed = [word for one in known if PROBE_PATH in one.destructive_pages for word in one.listener_words]
    if any(word in process.command_line for word in (*NEVER_PROBED, *harmed)):
        return None
    page = fetch(client, Target(url, url + PROBE_PATH, ""), clock, PROBE_TIMEOUT_S)
    if isinstance(page, Failure):
        return None
    candidates = [mapping for mapping in known if mapping.page == PROBE_PATH and mapping.discovered]
    names = {name for mapping in candidates for name in mapping.register_names}
    there = parse_page(page.body, frozenset(names)).samples.keys()
    best = max(candidates, key=lambda mapping: len(mapping.register_names & there), default=None)
    return best if best is not None and best.register_names & there else None


def listens(process: EngineProcess, port: int, mapping: EngineMapping) -> bool:
    """Whether that process is the mapping's engine and that port its own main port."""
    words = process.command_line.split()
    if not mapping.discovered or not any(_is_word(word, wanted) for word in words for wanted in mapping.listener_words):
        return False
    return port == (_port_option(words) or mapping.default_port)


def _is_word(word: str, wanted: str) -> bool:
    return PurePosixPath(word).name == wanted or word.startswith(f"{wanted}.")


def _port_option(words: list[str]) -> int | None:
    for index, word in enumerate(words):
        option, _, value = word.partition("=")
        if option in {"--port", "-p", "--server-port", "--server_port"}:
            text = value or (words[index + 1] if index + 1 < len(words) else "")
            return int(text) if text.isdecimal() else None
    return None
