"""The long run of faults of money: `python -m tests.faults.money --seeds 1000`.

Each seed has a database of its own. A seed that differs is named and can be run again by itself:
`--first SEED --seeds 1`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.metering.__main__ import _database
from tests.faults.money.one_seed import make_base, run_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run the seeds; 0 when every one came to the bills of its plan."""
    options = _options(argv)
    began_s = time.monotonic()
    wrong: dict[int, list[str]] = {}
    ways: Counter[str] = Counter()
    died = done = 0
    with _database():
        os.environ["FAULTS_URL"] = os.environ["DATABASE_URL"]
        make_base()
        seeds = range(options.first, options.first + options.seeds)
        parts = [list(seeds[number :: options.processes]) for number in range(options.processes)]
        results: multiprocessing.SimpleQueue[tuple[int, list[str], int, list[str]] | None]
        context = multiprocessing.get_context("spawn")
        results = context.SimpleQueue()
        workers = [context.Process(target=run_seeds, args=(number, part, results)) for number, part in enumerate(parts)]
        for worker in workers:
            worker.start()
        left = len(workers)
        while left:
            one = results.get()
            if one is None:
                left -= 1
                continue
            seed, found, deaths, settled = one
            done, died = done + 1, died + deaths
            ways.update(settled)
            if found:
                wrong[seed] = found
                print(f"seed {seed}: {'; '.join(found)}", flush=True)
            if done % 25 == 0:
                print(f"{done} seeds, {len(wrong)} differ, {time.monotonic() - began_s:.0f} s", flush=True)
        for worker in workers:
            worker.join()
    print(f"{died} closes died; differences after restores: {dict(ways)}")
    print(f"{done - len(wrong)} of {options.seeds} seeds came to the bills of their plans")
    return 0 if done == options.seeds and not wrong else 1


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.money", description="Disturb money by seeds.")
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="how many seeds (default: 1000)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="at once (default: 2)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
