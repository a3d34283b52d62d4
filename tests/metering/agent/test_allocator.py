"""Threads of an agent share one arena: each of its own would keep what its pages took."""

import platform
import subprocess
import sys

import pytest

ARENAS = """
import sys, threading
from metering.agent.allocator import keep_small
if "small" in sys.argv:
    print(keep_small())
begun, done = threading.Barrier(5), threading.Event()
def hold():
    blocks = [bytes(1_000) for _ in range(500)]
    begun.wait()
    done.wait()
threads = [threading.Thread(target=hold) for _ in range(4)]
for each in threads:
    each.start()
begun.wait()
# An arena of a thread is 64 MiB of addresses, of which most cannot be used yet.
sizes = []
for line in open("/proc/self/maps"):
    span, mode, *_, = line.split()
    first, _, last = span.partition("-")
    if mode == "---p" and int(last, 16) - int(first, 16) > 48 << 20:
        sizes.append(span)
print(len(sizes))
done.set()
"""


def run(*arguments: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", ARENAS, *arguments], capture_output=True, text=True, check=True
    ).stdout.split()


def test_threads_share_one_arena_where_the_c_library_knows_how() -> None:
    if platform.libc_ver()[0] != "glibc":
        assert run("small")[0] == "False"
        return
    told, arenas = run("small")
    assert (told, arenas) == ("True", "0")
    (before,) = run()
    if int(before) == 0:
        pytest.fail("threads without the setting share an arena too: this test can tell nothing")
