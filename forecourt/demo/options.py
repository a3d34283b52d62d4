"""What `forecourt demo` can be told on the command line; whatever is wrong is said before anything starts."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from forecourt.demo.plan import MONTH_DAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED: Final = 7
REQUESTS: Final = 9_000
REQUESTS_MAX: Final = 1_000_000
PORT_MAX: Final = 65_535
PROCESSES_MAX: Final = 256


def read_options(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ends the process with status 2 and a line about what is wrong with it."""
    parser = argparse.ArgumentParser(
        prog="forecourt demo",
        description="Run the whole platform on a sample world: real agents read simulated servers, a month is "
        "metered, closed, invoiced and paid through a stand-in for Stripe.",
    )
    parser.add_argument(
        "--once", action="store_true", help="check everything, then stop; the status says whether all held"
    )
    parser.add_argument("--json", type=_new_file, metavar="OUT", help="write the report to this file")
    parser.add_argument(
        "--trace", type=Path, metavar="DIR", help="replay the Azure LLM inference traces 2023 from a folder"
    )
    parser.add_argument("--jobs", type=Path, metavar="DIR", help="replay the openb pod list 2023 from a folder")
    parser.add_argument("--port", type=_port, default=8080, help="port of the portal; 0 chooses a free one")
    parser.add_argument("--web", type=_processes, default=2, metavar="N", help="number of web processes")
    parser.add_argument("--workers", type=_processes, default=2, metavar="N", help="number of worker processes")
    parser.add_argument("--data", type=_folder, metavar="DIR", help="data folder (default: demo in FORECOURT_DATA_DIR)")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, another sample")
    parser.add_argument(
        "--days",
        type=_days,
        default=MONTH_DAYS,
        metavar="N",
        help="meter only the last N days of the month: a shorter run",
    )
    parser.add_argument("--requests", type=_requests, default=REQUESTS, help="requests of the sample month")
    return parser.parse_args(argv)


def _number(text: str, least: int, most: int, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a {what} from {least} to {most}")
    return int(text)


def _days(text: str) -> int:
    return _number(text, 1, MONTH_DAYS, "number of days")


def _port(text: str) -> int:
    return _number(text, 0, PORT_MAX, "port")


def _processes(text: str) -> int:
    return _number(text, 1, PROCESSES_MAX, "number of processes")


def _requests(text: str) -> int:
    return _number(text, 1, REQUESTS_MAX, "number of requests")


def _folder(text: str) -> Path:
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return Path(text)


def _new_file(text: str) -> Path:
    """A file that can be written when the run is over."""
    path = Path(text)
    if path.is_dir() or not path.resolve().parent.is_dir() or not os.access(path.resolve().parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written: expected a file in a folder that exists")
    return path
