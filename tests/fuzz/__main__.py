"""Millions of spoilt inputs through every decoder: `make fuzz`, or `python -m tests.fuzz --inputs 10000000`.

libFuzzer (by atheris) mutates well-formed inputs and keeps those that reach new code. An input that crashes a decoder,
takes longer than HANG_S, or drives the process past MEMORY_MIB ends its target, and its file is named.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

HANG_S: Final = 5
MEMORY_MIB: Final = 1_024
INPUT_BYTES_MAX: Final = 4_096


def main(argv: Sequence[str]) -> int:
    """Run every target; 0 when nothing crashed, hung or grew."""
    options = _options(argv)
    names = options.target or list(TARGETS)
    each = -(-options.inputs // len(names))
    folder = Path(tempfile.mkdtemp(prefix="forecourt-fuzz-"))
    with ThreadPoolExecutor(options.processes) as pool:
        found = list(pool.map(lambda name: fuzz(name, each, folder, options.seed), names))
    print(f"{sum(inputs for inputs, _ in found):,} inputs, {sum(not fine for _, fine in found)} targets in trouble")
    return 0 if all(fine for _, fine in found) else 1


def fuzz(name: str, inputs: int, folder: Path, seed: int) -> tuple[int, bool]:
    """Run one target; how many inputs it took, and whether it took them all."""
    began_s = time.monotonic()
    bounds = (f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MIB}", f"-max_len={INPUT_BYTES_MAX}")
    command = [sys.executable, "-m", "tests.fuzz.one_target", name, str(folder), f"-runs={inputs}", f"-seed={seed}"]
    done = subprocess.run([*command, *bounds], capture_output=True, text=True, check=False, errors="replace")
    said = done.stderr
    ran = max((int(number) for number in re.findall(r"^#(\d+)", said, re.MULTILINE)), default=0)
    fine = done.returncode == 0 and ran >= inputs
    print(f"{name}: {ran:,} inputs in {time.monotonic() - began_s:.0f} s{'' if fine else ', STOPPED'}", flush=True)
    if not fine:
        print(said[-3_000:], flush=True)
    return ran, fine


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz every decoder.")
    parser.add_argument("--inputs", type=int, default=10_000_000, help="over all targets (default: 10,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: 1)")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once (default: one a core)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
