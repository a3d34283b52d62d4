"""The long run of faults between a counter and a usage hour: `python -m tests.faults.metering --seeds 1000`.

Several processes share one throw-away database, as several workers would. A seed that differs is named and can be run
again by itself: `--first SEED --seeds 1`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.metering.one_seed import run_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(argv: Sequence[str]) -> int:
    """Run the seeds; 0 when every one came to the tokens that were made."""
    options = _options(argv)
    seeds = range(options.first, options.first + options.seeds)
    began_s = time.monotonic()
    wrong = 0
    with _database():
        _migrate()
        with multiprocessing.get_context("spawn").Pool(options.processes, maxtasksperchild=50) as pool:
            for done, (seed, found) in enumerate(pool.imap_unordered(run_seed, seeds), 1):
                if found:
                    wrong += 1
                    print(f"seed {seed}: {'; '.join(found)}", flush=True)
                if done % 50 == 0:
                    print(f"{done} seeds, {wrong} differ, {time.monotonic() - began_s:.0f} s", flush=True)
    print(f"{len(seeds) - wrong} of {len(seeds)} seeds came to the tokens that were made")
    return 1 if wrong else 0


@contextmanager
def _database() -> Iterator[None]:
    command = [sys.executable, "-m", "tests.plugins.database_process"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    os.environ["DATABASE_URL"] = server.stdout.readline().strip()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["FORECOURT_SECRET_KEY"] = "only-for-faults-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG"
    try:
        yield
    finally:
        server.communicate()


def _migrate() -> None:
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    connection.close()


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.metering", description="Disturb metering by seeds.")
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="how many seeds (default: 1000)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="at once (default: one a core)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
