"""What the machine tells about itself: its boot, and which process listens behind an endpoint's port.

Everything comes from `/proc` [kernel's proc(5)]; where the agent may not look, the answer is None, which
means unknown and never "changed".
"""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

_CONTAINER_ID: Final = re.compile(r"([0-9a-f]{64})")
_TRIE_LEAF: Final = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)")
_LISTEN: Final = "0A"
_RESCAN_READS: Final = 30
"""After this many cheap confirmations of a known process its sockets are looked at again."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """The process that listens: `start_ticks` tells it from a later process with the same id."""

    pid: int
    start_ticks: int
    started_at_ms: int
    container_id: str
    command_line: str

    @property
    def marker(self) -> str:
        """One string that differs for every life of the process."""
        return f"{self.container_id}:{self.pid}:{self.start_ticks}"


class Machine(Protocol):
    """Facts of the node; a simulation gives its own."""

    boot_id: str
    booted_at_ms: int

    def process_behind(self, url: str) -> EngineProcess | None:
        """The process that listens at the URL's host and port, None where that cannot be known."""


class LinuxMachine:
    """The facts from `/proc`. Host process ids need the host's process namespace."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self.boot_id = _text(proc / "sys/kernel/random/boot_id").strip()
        self.booted_at_ms = _boot_s(proc) * 1_000
        self._known: dict[int, tuple[EngineProcess, int]] = {}
        self._in_containers: dict[tuple[str, int], EngineProcess] = {}

    def process_behind(self, url: str) -> EngineProcess | None:
        """Confirm the known process cheaply, from time to time by its sockets; search all of them when it is gone.

        To search takes a look at every open file of the machine.
        """
        port = local_port(url)
        if port is None:
            return self._process_in_container(url)
        known, reads = self._known.get(port, (None, 0))
        if known is not None and self._start_ticks(known.pid) == known.start_ticks:
            if reads < _RESCAN_READS:
                self._known[port] = (known, reads + 1)
                return known
            if self._listens(known.pid, port):
                self._known[port] = (known, 0)
                return known
        pids = self.listeners({port}).get(port)
        if not pids:
            self._known.pop(port, None)
            return None
        # Children inherit the listening socket; the parent, with the lowest id, lives as long as the engine.
        found = self._describe(min(pids))
        if found is not None:
            self._known[port] = (found, 0)
        return found

    def listeners(self, ports: set[int] | None = None) -> dict[int, set[int]]:
        """Listening TCP port → ids of the processes that hold it, of those that the agent may see."""
        sockets = {inode: port for inode, port in self._listening_sockets().items() if ports is None or port in ports}
        found: dict[int, set[int]] = {}
        if not sockets:
            return found
        for pid in [int(name) for name in os.listdir(self._proc) if name.isdecimal()]:
            for inode in self._socket_inodes(pid) & sockets.keys():
                found.setdefault(sockets[inode], set()).add(pid)
        return found

    def container_listeners(self) -> dict[tuple[str, int], set[int]]:
        """(address, listening TCP port) of containers with a network of their own → ids of the processes that hold it.

        Only of those whose network the agent may see; the address is one that this node can reach.
        """
        own = _link(str(self._proc / "self/ns/net"))
        networks: dict[str, list[int]] = {}
        for pid in sorted(int(name) for name in os.listdir(self._proc) if name.isdecimal()):
            network = _link(str(self._proc / str(pid) / "ns/net"))
            if network and own and network != own:
                networks.setdefault(network, []).append(pid)
        found: dict[tuple[str, int], set[int]] = {}
        for pids in networks.values():
            folder = self._proc / str(pids[0])
            address = next(iter(sorted(_own_addresses(_text(folder / "net/fib_trie")))), "")
            sockets = self._listening_sockets(folder) if address else {}
            for pid in pids if sockets else []:
                for inode in self._socket_inodes(pid) & sockets.keys():
                    found.setdefault((address, sockets[inode]), set()).add(pid)
        described = {place: self._describe(min(pids)) for place, pids in found.items()}
        self._in_containers = {place: process for place, process in described.items() if process is not None}
        return found

    def _process_in_container(self, url: str) -> EngineProcess | None:
        """The process that the last search found there, if it still lives."""
        parts = urlsplit(url)
        process = self._in_containers.get((parts.hostname or "", parts.port or 80))
        if process is not None and self._start_ticks(process.pid) == process.start_ticks:
            return process
        return None

    def describe(self, pid: int) -> EngineProcess | None:
        """The process as it is now, None if it is gone."""
        return self._describe(pid)

    def _listening_sockets(self, folder: Path | None = None) -> dict[str, int]:
        found = {}
        for table in ("net/tcp", "net/tcp6"):
            for line in _text((folder or self._proc) / table).splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTEN:
                    found[fields[9]] = int(fields[1].rpartition(":")[2], 16)
        return found

    def _socket_inodes(self, pid: int) -> set[str]:
        try:
            with os.scandir(self._proc / str(pid) / "fd") as entries:
                targets = [_link(entry.path) for entry in entries]
        except OSError:
            # Another user's process, or one that just ended.
            return set()
        return {target[8:-1] for target in targets if target.startswith("socket:[")}

    def _listens(self, pid: int, port: int) -> bool:
        held = self._socket_inodes(pid)
        return any(own == port and inode in held for inode, own in self._listening_sockets().items())

    def _start_ticks(self, pid: int) -> int | None:
        # Field 22; the command in field 2 may hold spaces and brackets, so count from its last bracket.
        fields = _text(self._proc / str(pid) / "stat").rpartition(")")[2].split()
        return int(fields[19]) if len(fields) > 19 else None

    def _describe(self, pid: int) -> EngineProcess | None:
        ticks = self._start_ticks(pid)
        if ticks is None:
            return None
        container = _CONTAINER_ID.search(_text(self._proc / str(pid) / "cgroup"))
        return EngineProcess(
            pid=pid,
            start_ticks=ticks,
            started_at_ms=self.booted_at_ms + ticks * 1_000 // os.sysconf("SC_CLK_TCK"),
            container_id=container.group(1) if container else "",
            command_line=_text(self._proc / str(pid) / "cmdline").replace("\0", " ").strip(),
        )


def local_port(url: str) -> int | None:
    """The port of a URL that names this machine, None for another host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host not in {"localhost", socket.gethostname()}:
        try:
            if not ipaddress.ip_address(host).is_loopback:
                return None
        except ValueError:
            return None
    return parts.port or (443 if parts.scheme == "https" else 80)


def _own_addresses(trie: str) -> set[str]:
    """The network's own IPv4 addresses, without loopback: leaves of `fib_trie` that are a host of this machine."""
    found, address = set(), ""
    for line in trie.splitlines():
        leaf = _TRIE_LEAF.search(line)
        if leaf:
            address = leaf.group(1)
        elif address and line.strip() == "/32 host LOCAL" and not address.startswith("127."):
            found.add(address)
    return found


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        # Closed since the folder was listed.
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _boot_s(proc: Path) -> int:
    found = re.search(r"^btime (\d+)$", _text(proc / "stat"), re.MULTILINE)
    return int(found.group(1)) if found else 0
