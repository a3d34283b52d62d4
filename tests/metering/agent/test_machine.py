"""Facts from /proc, on this machine and on made-up ones."""

import os
import re
import socket
from pathlib import Path

import pytest

from metering.agent.machine import LinuxMachine, local_port

CONTAINER = "a1" * 32


def made_up(proc: Path, *, pids: dict[int, int], port: int = 8000, inode: str = "999", container: str = "") -> Path:
    """A /proc where the processes (id → start ticks) hold one listening socket."""
    (proc / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (proc / "sys/kernel/random/boot_id").write_text("boot-of-the-file\n")
    (proc / "stat").write_text("cpu 1 2 3\nbtime 1795000000\nprocesses 5\n")
    (proc / "net").mkdir(exist_ok=True)
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = f"   0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 {inode} 1\n"
    other = f"   1: 0100007F:{port + 1:04X} 0100007F:1234 01 00000000:00000000 00:00000000 00000000  0  0 555 1\n"
    (proc / "net/tcp").write_text(head + row + other)
    for pid, ticks in pids.items():
        folder = proc / str(pid)
        (folder / "fd").mkdir(parents=True, exist_ok=True)
        for number, target in (("0", "/dev/null"), ("7", f"socket:[{inode}]")):
            if not (folder / "fd" / number).is_symlink():
                os.symlink(target, folder / "fd" / number)
        fields = " ".join(["S", "1", *["0"] * 17, str(ticks), "0"])
        (folder / "stat").write_text(f"{pid} (odd) name (x) {fields}\n")
        (folder / "cgroup").write_text(
            f"0::/system.slice/docker-{container}.scope\n" if container else "0::/user.slice\n"
        )
        (folder / "cmdline").write_bytes(b"/usr/bin/python3\0-m\0vllm.entrypoints.openai.api_server\0")
    return proc


def test_this_machine_has_a_boot_and_finds_this_process() -> None:
    machine = LinuxMachine()
    assert re.fullmatch(r"[0-9a-f-]{36}", machine.boot_id)
    assert machine.booted_at_ms > 1_500_000_000_000
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = machine.process_behind(f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert found is not None
    assert found.pid == os.getpid()
    assert found.started_at_ms > machine.booted_at_ms
    assert "python" in found.command_line or "pytest" in found.command_line


def test_the_listener_is_the_lowest_of_the_processes_that_share_the_socket(tmp_path: Path) -> None:
    machine = LinuxMachine(made_up(tmp_path, pids={301: 500, 300: 400}, container=CONTAINER))
    found = machine.process_behind("http://127.0.0.1:8000")
    assert found is not None
    assert (found.pid, found.start_ticks, found.container_id) == (300, 400, CONTAINER)
    assert found.started_at_ms == 1_795_000_000_000 + 400 * 1_000 // os.sysconf("SC_CLK_TCK")
    assert found.marker == f"{CONTAINER}:300:400"
    assert machine.boot_id == "boot-of-the-file"


def test_a_process_id_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    machine = LinuxMachine(made_up(tmp_path, pids={300: 400}))
    before = machine.process_behind("http://127.0.0.1:8000")
    made_up(tmp_path, pids={300: 900})
    after = machine.process_behind("http://127.0.0.1:8000")
    assert before is not None
    assert after is not None
    assert before.marker != after.marker


def test_a_known_process_is_confirmed_without_a_search_and_searched_again_in_time(tmp_path: Path) -> None:
    machine = LinuxMachine(made_up(tmp_path, pids={300: 400}))
    assert machine.process_behind("http://127.0.0.1:8000") is not None
    (tmp_path / "net/tcp").write_text("nobody listens\n")
    answers = [machine.process_behind("http://127.0.0.1:8000") for _ in range(32)]
    assert answers[0] is not None
    assert answers[-1] is None


def test_a_known_process_stays_for_as_long_as_it_listens_and_nothing_else_is_searched(tmp_path: Path) -> None:
    machine = LinuxMachine(made_up(tmp_path, pids={300: 400}))
    assert machine.process_behind("http://127.0.0.1:8000") is not None
    made_up(tmp_path, pids={200: 900, 300: 400})
    answers = [machine.process_behind("http://127.0.0.1:8000") for _ in range(64)]
    assert {one.pid for one in answers if one is not None} == {300}
    assert None not in answers
    # A search would have found the other one, as it does once the known one is gone.
    (tmp_path / "300/stat").unlink()
    found = machine.process_behind("http://127.0.0.1:8000")
    assert found is not None
    assert found.pid == 200


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3:8000", "http://engine.example.com:8000", "http://127.0.0.1:8001", "http://127.0.0.1:9"]
)
def test_what_cannot_be_known_is_none(tmp_path: Path, url: str) -> None:
    assert LinuxMachine(made_up(tmp_path, pids={300: 400})).process_behind(url) is None


def test_another_users_process_is_unknown_not_an_error(tmp_path: Path) -> None:
    proc = made_up(tmp_path, pids={300: 400})
    for link in (proc / "300/fd").iterdir():
        link.unlink()
    (proc / "300/fd").rmdir()
    assert LinuxMachine(proc).process_behind("http://127.0.0.1:8000") is None


def test_a_process_that_ends_during_the_look_is_none(tmp_path: Path) -> None:
    proc = made_up(tmp_path, pids={300: 400})
    (proc / "300/stat").unlink()
    assert LinuxMachine(proc).process_behind("http://127.0.0.1:8000") is None


def test_a_machine_without_proc_still_has_empty_facts(tmp_path: Path) -> None:
    machine = LinuxMachine(tmp_path)
    assert (machine.boot_id, machine.booted_at_ms) == ("", 0)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:8000", 8000),
        ("http://127.8.8.8", 80),
        ("https://localhost", 443),
        ("http://[::1]:9", 9),
        ("http://192.168.1.1:9", None),
        ("http://elsewhere:9", None),
    ],
)
def test_only_urls_of_this_machine_have_a_local_port(url: str, port: int | None) -> None:
    assert local_port(url) == port


def test_this_hosts_own_name_is_local() -> None:
    assert local_port(f"http://{socket.gethostname()}:81") == 81


TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 172.17.0.5
        /32 host LOCAL
     |-- 172.17.255.255
        /32 link BROADCAST
"""


def in_container(proc: Path) -> Path:
    """A /proc where process 700 listens on port 8000 in a network of its own, and process 300 on none."""
    made_up(proc, pids={300: 400, 700: 800})
    (proc / "net/tcp").rename(proc / "700/tcp")
    (proc / "700/net").mkdir()
    (proc / "700/tcp").rename(proc / "700/net/tcp")
    (proc / "700/net/fib_trie").write_text(TRIE)
    (proc / "net/tcp").write_text("")
    (proc / "300/fd/7").unlink()
    for name, network in (("self", "1"), ("300", "1"), ("700", "2")):
        (proc / name / "ns").mkdir(parents=True)
        os.symlink(f"net:[{network}]", proc / name / "ns/net")
    return proc


def test_listeners_of_containers_have_the_address_of_their_network(tmp_path: Path) -> None:
    machine = LinuxMachine(in_container(tmp_path))
    assert machine.listeners() == {}
    assert machine.container_listeners() == {("172.17.0.5", 8000): {700}}


def test_a_network_that_cannot_be_seen_has_no_listeners(tmp_path: Path) -> None:
    proc = in_container(tmp_path)
    (proc / "700/net/fib_trie").unlink()
    assert LinuxMachine(proc).container_listeners() == {}
    (proc / "self/ns/net").unlink()
    assert LinuxMachine(proc).container_listeners() == {}
