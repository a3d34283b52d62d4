"""Finding inference engines on this node by the processes that listen, without probing any port.

A process whose command line has a word that a mapping names, listening on the port that its command line
gives (or the engine's default), is an endpoint. Nothing is asked of it before that: some engines empty a
queue when a monitoring page is read.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from metering.agent.config import EndpointSetting
from metering.agent.engines import EngineMapping
from metering.agent.machine import EngineProcess, LinuxMachine


def discover(machine: LinuxMachine, mappings: Iterable[EngineMapping]) -> list[EndpointSetting]:
    """Every engine that listens on this node and that the agent may see, by port."""
    known = list(mappings)
    found = []
    for port, pids in sorted(machine.listeners().items()):
        process = machine.describe(min(pids))
        mapping = process and next((mapping for mapping in known if listens(process, port, mapping)), None)
        if mapping:
            found.append(EndpointSetting(url=f"http://127.0.0.1:{port}", engine=mapping.engine))
    return found


def listens(process: EngineProcess, port: int, mapping: EngineMapping) -> bool:
    """Whether that process is the mapping's engine and that port its own main port."""
    words = process.command_line.split()
    if not any(_is_word(word, wanted) for word in words for wanted in mapping.listener_words):
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
