"""The agent's commands: `enroll`, `run`, `doctor`."""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from metering.agent import AGENT_VERSION, keys, state
from metering.agent.config import Config, ConfigError, load_config
from metering.agent.engines import MappingError
from metering.agent.spool import SpoolBroken

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
_TOKEN_VARIABLE: Final = "FORECOURT_AGENT_TOKEN"  # noqa: S105 - the variable's name, not a secret
_ENROL_TIMEOUT_S: Final = 30.0
_STANDARD_INPUT: Final = "-"

_DESCRIPTION: Final = """\
Meters this GPU server: reads the registers of inference engines and NVIDIA GPUs every 10 seconds, keeps them on
disk, signs them and ships them to the Forecourt server. Reads only."""

_EPILOG: Final = """\
Settings come from a TOML file (--config, FORECOURT_AGENT_CONFIG, /etc/forecourt/agent.toml) and, over it, from the
environment. For example:

  FORECOURT_AGENT_ENDPOINTS="vllm=http://127.0.0.1:8000,llamacpp=http://127.0.0.1:8080"
  FORECOURT_AGENT_STATE_DIR=/var/lib/forecourt-agent

Without endpoints, engines that listen on this node are found by themselves."""


def main(argv: list[str]) -> int:
    """Run one command; returns its exit status: 0 done, 1 failed, 2 wrong usage or setting."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except (ConfigError, MappingError) as refused:
        return _fail(str(refused), EXIT_USAGE)
    except (
        keys.KeyUnusable,
        state.AlreadyRunning,
        state.NotEnrolled,
        state.StateUnusable,
        SpoolBroken,
        OSError,
    ) as failed:
        return _fail(str(failed), EXIT_FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="forecourt agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"forecourt agent {AGENT_VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    enroll = commands.add_parser(
        "enroll",
        help="make this node known to a server, once",
        description="Makes the node's key and registers its public half. Safe to run again after a lost answer.",
    )
    enroll.add_argument("--server", required=True, metavar="URL", help="the server's address, https://…")
    enroll.add_argument(
        "--token",
        metavar="T",
        default=os.environ.get(_TOKEN_VARIABLE),
        help=f"the one-time token from the portal; '-' reads it from standard input; default: ${_TOKEN_VARIABLE}",
    )
    enroll.add_argument("--name", metavar="N", help="the node's name (default: this host's name)")
    enroll.set_defaults(command=_enroll)
    run = commands.add_parser(
        "run",
        help="meter this node until stopped",
        description="Meters until SIGTERM or SIGINT; then reads once more, ships what it can, keeps the rest on disk.",
    )
    run.set_defaults(command=_run)
    doctor = commands.add_parser(
        "doctor",
        help="say what the agent sees, what is missing and the fix",
        description="Looks at everything the agent needs; exit status 1 if something must be fixed.",
    )
    doctor.set_defaults(command=_doctor)
    for each in (enroll, run, doctor):
        each.add_argument("--state-dir", type=Path, metavar="D", help="where key, identity and spool live")
        each.add_argument("--config", type=Path, metavar="FILE", help="TOML file of settings")
    return parser


def _config(arguments: argparse.Namespace) -> Config:
    return load_config(arguments.config, os.environ, state_dir=arguments.state_dir)


def _enroll(arguments: argparse.Namespace) -> int:
    # Imported late, here and below: what a command does not need does not weigh on the one that runs for months.
    from metering.agent.enroll import AlreadyEnrolled, EnrolmentFailed, EnrolmentRefused, base_url, enroll
    from metering.agent.machine import LinuxMachine
    from metering.agent.scrape import http_client

    config = _config(arguments)
    token = arguments.token
    if token == _STANDARD_INPUT:
        token = sys.stdin.readline().strip()
    if not token:
        missing = f"--token: missing; expected the one-time token from the portal, or in ${_TOKEN_VARIABLE}"
        return _fail(missing, EXIT_USAGE)
    try:
        server = base_url(arguments.server)
        with http_client([server], config.ca_file, trust_env=True) as client:
            client.timeout = _ENROL_TIMEOUT_S
            identity = enroll(
                server=server,
                token=token,
                node_name=arguments.name,
                state_dir=config.state_path,
                boot_id=LinuxMachine().boot_id,
                client=client,
            )
    except (AlreadyEnrolled, EnrolmentFailed, EnrolmentRefused) as refused:
        return _fail(str(refused), EXIT_FAILED)
    sys.stdout.write(
        f"This is node {identity.node} of cluster {identity.cluster}.\n"
        f"Its key is {config.state_path / keys.KEY_FILE} and never leaves this machine.\n"
        "Next: forecourt agent doctor, then forecourt agent run\n"
    )
    return EXIT_OK


def _run(arguments: argparse.Namespace) -> int:
    with _lean_httpx():
        from metering.agent.clock import SystemClock
        from metering.agent.run import run

    config = _config(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # One line per request is the client library's habit; ours is to tell changes only.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(config, clock=SystemClock(), stop=stop)
    return EXIT_OK


@contextmanager
def _lean_httpx() -> Iterator[None]:
    """Let httpx be imported without its own command line, which drags in click, rich and pygments (6 MB) if installed.

    httpx does without them where they are missing; None in `sys.modules` makes one missing for the moment.
    """
    hidden = [name for name in ("click", "rich", "pygments") if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's own way to say "not there"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _doctor(arguments: argparse.Namespace) -> int:
    from metering.agent.clock import SystemClock
    from metering.agent.doctor import examine, report
    from metering.agent.machine import LinuxMachine
    from metering.agent.nvml import default_command

    # What the readers would log is in the report.
    logging.basicConfig(level=logging.CRITICAL)
    findings = examine(_config(arguments), machine=LinuxMachine(), clock=SystemClock(), nvml_command=default_command())
    sys.stdout.write(report(findings, socket.gethostname()))
    return EXIT_FAILED if any(finding.level == "FAIL" for finding in findings) else EXIT_OK


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"forecourt agent: {message}\n")
    return status
