"""The `forecourt` command.

`forecourt agent` runs on GPU servers, where neither Django nor the server's packages are installed; so every command
imports what it needs when it is called.
"""

import argparse
import difflib
import importlib
import os
import signal
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from forecourt.embedded.folder import CannotStart
from forecourt.env import Environment, WrongSetting, read_environment
from forecourt.loading import short_lived

SUCCESS, FAILURE, USAGE = 0, 1, 2
DESCRIPTION = """\
Bills GPU compute: meters GPU time and tokens, prices leases and token revenue shares, invoices and settles them.

commands:
  up       the platform in one command: embedded PostgreSQL and broker, web, worker, beat
  demo     the platform with a sample fleet, contracts and a closed period
  seed     make a minimal world in an empty database and print its ids and keys
  setup    compile texts, build fonts, collect static files, migrate
  manage   Django's management commands, with the embedded database up if none is running
  verify   evidence files of invoices, recomputed without a database
  agent    the node agent, for a GPU server: enroll, run, doctor

`forecourt COMMAND --help` tells more. Settings come from the environment and from .env in the current folder;
.env.example names them all. With DATABASE_URL and BROKER_URL set nothing is embedded.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit status: 0 done, 1 failed, 2 wrong usage."""
    if argv is None:
        short_lived()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(f"usage: forecourt COMMAND …\n\n{DESCRIPTION}", end="")
        return SUCCESS if arguments else USAGE
    if arguments[0] in ("-V", "--version"):
        print(f"forecourt {_version()}")
        return SUCCESS
    name, *rest = arguments
    command = COMMANDS.get(name)
    if command is None:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean `forecourt {close[0]}`?" if close else f"There are: {', '.join(COMMANDS)}."
        print(f"forecourt: no command {name!r}. {hint}", file=sys.stderr)
        return USAGE
    try:
        return command(rest)
    except (WrongSetting, CannotStart) as error:
        print(f"forecourt {name}: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in OWN_PACKAGES:
            raise
        print(f"forecourt {name} needs {package}: in a clone, pip install '.[server]'", file=sys.stderr)
    return FAILURE


def _agent(argv: list[str]) -> int:
    return int(importlib.import_module("metering.agent.command").main(argv))


def _verify(argv: list[str]) -> int:
    return int(importlib.import_module("billing.verifying").main(argv))


def _demo(argv: list[str]) -> int:
    return int(importlib.import_module("forecourt.demo.command").main(argv))


def _up(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="forecourt up",
        description="Serve the platform until Ctrl-C. Data stays in FORECOURT_DATA_DIR (default: .forecourt).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8080, type=_port, help="port to listen on; 0 chooses a free one")
    parser.add_argument("--web", default=2, type=_count, metavar="N", help="number of web processes")
    parser.add_argument("--workers", default=2, type=_count, metavar="N", help="number of worker processes")
    options = parser.parse_args(argv)
    from forecourt.embedded.stack import Serving, serve

    serving = Serving(host=options.host, port=options.port, web_processes=options.web, worker_processes=options.workers)
    serve(read_environment(os.environ), os.environ, serving, say=_say)
    return SUCCESS


def _setup(argv: list[str]) -> int:
    argparse.ArgumentParser(
        prog="forecourt setup",
        description="Compile the texts, build the fonts, collect the static files and migrate the database.",
    ).parse_args(argv)
    with _database():
        from forecourt.embedded.prepare import prepare

        prepare()
    return SUCCESS


def _seed(argv: list[str]) -> int:
    # Django's checks load every page and form, for nothing here; the tests make them.
    with _database() as environment:
        if environment.database_embedded:
            _django(["migrate", "--no-input", "--verbosity", "0", "--skip-checks"])
        _django(["seed", *argv, "--skip-checks"])
    return SUCCESS


def _manage(argv: list[str]) -> int:
    with _database():
        from django.db import ProgrammingError
        from psycopg.errors import UndefinedTable

        try:
            _django(argv)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, UndefinedTable):
                raise
            raise CannotStart(
                f"{error.__cause__.diag.message_primary}. Are FORECOURT_DATA_DIR and DATABASE_URL those of an "
                "installation? `forecourt manage migrate` makes what a newer version needs."
            ) from error
    return SUCCESS


def _django(argv: list[str]) -> None:
    """Django's own command line: it prints errors and raises `SystemExit` itself."""
    from django.core.management import execute_from_command_line

    execute_from_command_line(["forecourt manage", *argv])


@contextmanager
def _database() -> Iterator[Environment]:
    """The environment, with the embedded parts up: those of a running `forecourt up`, else for this long."""
    environment = read_environment(os.environ)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "forecourt.settings")
    # An orderly end on SIGTERM too: the parts are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not (environment.database_embedded or environment.broker_embedded):
        yield environment
        return
    from forecourt.embedded.stack import parts
    from forecourt.embedded.supervisor import Supervisor

    with parts(environment, Supervisor(say=_say), join=True):
        yield environment


def _version() -> str:
    try:
        return version("forecourt")
    except PackageNotFoundError:
        # Run from a checkout: `make setup` puts it on the path without installing it.
        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 256:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: 1 to 256")


def _say(line: str) -> None:
    # Standard output belongs to what a command answers, such as `seed --json`.
    print(line, file=sys.stderr, flush=True)


COMMANDS = {
    "up": _up,
    "demo": _demo,
    "seed": _seed,
    "setup": _setup,
    "manage": _manage,
    "verify": _verify,
    "agent": _agent,
}
OWN_PACKAGES = ("forecourt", "billing", "metering", "clusters", "tenants", "portal")

if __name__ == "__main__":
    sys.exit(main())
