"""The long run of kills: `python -m tests.faults --seeds 5`, or `make kills ARGS="--seeds 100"`.

For each seed the demo runs once undisturbed and once with a plan of kills that follows from the seed; both must come
to the same tokens, GPU-seconds, invoices and books. A seed that differs can be run again by itself:
`--first SEED --seeds 1`; its folder is kept.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.demo_run import demo
from tests.faults.kills import carry_out, make_kills
from tests.faults.outcome import differences

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_S = 1800


def main(argv: Sequence[str]) -> int:
    """Run the seeds; 0 when every one came out as if nothing had been killed."""
    options = _options(argv)
    folder = Path(tempfile.mkdtemp(prefix="forecourt-faults-"))
    failed = 0
    for seed in range(options.first, options.first + options.seeds):
        sample = ("--days", str(options.days), "--requests", str(options.requests), "--seed", str(seed))
        started_s = time.monotonic()
        undisturbed = _undisturbed(folder / f"{seed}-undisturbed", sample)
        wrong = _disturb(folder / str(seed), seed, options, undisturbed, sample)
        print(f"seed {seed}: {'; '.join(wrong) or 'the same'} ({time.monotonic() - started_s:.0f} s)", flush=True)
        if wrong:
            failed += 1
            print(f"  everything of this run is in {folder / str(seed)}", flush=True)
        else:
            shutil.rmtree(folder / str(seed))
        shutil.rmtree(folder / f"{seed}-undisturbed")
    if not failed:
        shutil.rmtree(folder)
    print(f"{options.seeds - failed} of {options.seeds} seeds came out as if nothing had been killed")
    return 1 if failed else 0


def _undisturbed(folder: Path, sample: Sequence[str]) -> dict[str, Any]:
    with demo(folder, *sample) as run:
        status = run.wait(RUN_S)
        if status != 0:
            raise SystemExit(f"the undisturbed run ended with status {status}:\n{run.said}")
        return run.report()


def _disturb(
    folder: Path, seed: int, options: argparse.Namespace, undisturbed: dict[str, Any], sample: Sequence[str]
) -> list[str]:
    kills = make_kills(seed=seed, metering=options.metering, closing=options.closing)
    with demo(folder, *sample) as run:
        done = carry_out(kills, run)
        status = run.wait(RUN_S)
        print(f"seed {seed}: killed {', '.join(one.kill.target for one in done)}", flush=True)
        if status != 0:
            return [f"status {status}: {run.said.strip().splitlines()[-1]}"]
        return differences(run.report(), undisturbed)


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Kill parts of the demo by seeds.")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="how many seeds (default: 5)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    parser.add_argument("--metering", type=int, default=14, metavar="N", help="kills while it meters (default: 14)")
    parser.add_argument("--closing", type=int, default=4, metavar="N", help="kills while it closes (default: 4)")
    parser.add_argument("--days", type=int, default=3, help="days of the sample month (default: 3)")
    parser.add_argument("--requests", type=int, default=3000, help="requests of the sample (default: 3000)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
