"""The agent's commands: `enroll`, `run`, `doctor`, `flush`, `rotate-key`, `rejoin`, `check-engine`."""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from metering.agent import AGENT_VERSION, keys, state
from metering.agent.config import Config, ConfigError, load_config
from metering.agent.engines import MappingError, Role
from metering.agent.spool import SpoolBroken

if TYPE_CHECKING:
    import httpx

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
_TOKEN_VARIABLE: Final = "FORECOURT_AGENT_TOKEN"  # noqa: S105 - the variable's name, not a secret
_ANSWER_TIMEOUT_S: Final = 30.0
_FLUSH_MARGIN_S: Final = 5
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
        state.IdentityCallFailed,
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
    _add_enroll(commands)
    for name, command, summary, description in _PLAIN_COMMANDS:
        added = commands.add_parser(name, help=summary, description=description)
        added.set_defaults(command=command)
        if command is _rejoin:
            added.add_argument("--reason", default="the spool was lost", metavar="R", help="kept with the gap")
    for each in commands.choices.values():
        each.add_argument("--state-dir", type=Path, metavar="D", help="where key, identity and spool live")
        each.add_argument("--config", type=Path, metavar="FILE", help="TOML file of settings")
    _add_check_engine(commands)
    return parser


def _add_enroll(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    enroll.add_argument(
        "--again", action="store_true", help="give this folder's node a new key, after the old one was revoked or lost"
    )
    enroll.set_defaults(command=_enroll)


def _add_check_engine(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser(
        "check-engine",
        help="check a file that says how to read an engine",
        description="Checks a mapping file; given a saved page, prints what the agent would read from it. Exit status "
        "2 if the file is wrong, 1 if the page does not give what the file promises.",
    )
    check.add_argument("engine", metavar="FILE", help="the mapping file, or the name of a built-in engine")
    check.add_argument("--page", type=Path, metavar="PAGEFILE", help="a page of counters, saved with curl")
    check.add_argument("--model", help="the served model, for a page that names none")
    check.add_argument("--role", choices=get_args(Role), help="the server's part in a disaggregated deployment")
    check.add_argument("--engine-version", metavar="V", help="the engine's version")
    check.add_argument("--keep-label", metavar="L", action="append", default=[], help="a label to meter apart")
    check.set_defaults(command=_check_engine)


def _check_engine(arguments: argparse.Namespace) -> int:
    from metering.agent.config import EndpointSetting
    from metering.agent.engine_check import EXAMPLE_URL, check

    setting = EndpointSetting(
        EXAMPLE_URL,
        arguments.engine,
        model=arguments.model,
        role=arguments.role,
        version=arguments.engine_version,
        keep_labels=arguments.keep_label,
    )
    checked = check(arguments.engine, arguments.page, setting)
    sys.stdout.write(checked.text)
    return EXIT_OK if checked.ok else EXIT_FAILED


def _config(arguments: argparse.Namespace) -> Config:
    return load_config(arguments.config, os.environ, state_dir=arguments.state_dir)


def _enroll(arguments: argparse.Namespace) -> int:
    # Imported late, here and below: what a command does not need does not weigh on the one that runs for months.
    from metering.agent.enroll import (
        AlreadyEnrolled,
        EnrolmentFailed,
        EnrolmentRefused,
        base_url,
        enroll,
        enroll_again,
    )
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
            client.timeout = _ANSWER_TIMEOUT_S
            identity, continued = (enroll_again if arguments.again else enroll)(
                server=server,
                token=token,
                node_name=arguments.name,
                state_dir=config.state_path,
                boot_id=LinuxMachine().boot_id,
                client=client,
            )
            if continued and not (config.state_path / state.SPOOL_FILE).exists():
                _go_on(config, client, "enrolled again without its spool")
    except (AlreadyEnrolled, EnrolmentFailed, EnrolmentRefused) as refused:
        return _fail(str(refused), EXIT_FAILED)
    sys.stdout.write(
        f"This is node {identity.node} of cluster {identity.cluster}{', as before' if continued else ''}.\n"
        f"Its key is {config.state_path / keys.KEY_FILE} and never leaves this machine.\n"
        "Next: forecourt agent doctor, then forecourt agent run\n"
    )
    return EXIT_OK


def _rotate_key(arguments: argparse.Namespace) -> int:
    from metering.agent.rekey import rotate

    config = _config(arguments)
    with _to_server(config) as client:
        version = rotate(config.state_path, client)
    sys.stdout.write(
        f"The node's key number {version} is in force; a running agent signs with it from its next batch on.\n"
        "What the old key signed stays verifiable.\n"
    )
    return EXIT_OK


def _rejoin(arguments: argparse.Namespace) -> int:
    config = _config(arguments)
    with state.StateLock(config.state_path), _to_server(config) as client:
        sys.stdout.write(_go_on(config, client, arguments.reason))
    return EXIT_OK


def _go_on(config: Config, client: "httpx.Client", reason: str) -> str:
    from metering.agent.clock import SystemClock, unix_ms
    from metering.agent.rekey import rejoin

    end, batches, readings = rejoin(config.state_path, client, reason, unix_ms(SystemClock().now()))
    return (
        f"The chain goes on with batch {end.next_seq}; the server keeps the break as a gap.\n"
        f"{batches} batches and {readings} readings that waited here are left out; registers are cumulative, so the "
        "next reading carries what they held.\n"
    )


@contextmanager
def _to_server(config: Config) -> "Iterator[httpx.Client]":
    from metering.agent.scrape import http_client

    server = state.load_identity(config.state_path).server
    with http_client([server], config.ca_file, trust_env=True) as client:
        client.timeout = _ANSWER_TIMEOUT_S
        yield client


def _flush(arguments: argparse.Namespace) -> int:
    import httpx

    config = _config(arguments)
    # All that a flush may take in the agent, and a little.
    timeout_s = config.scrape_timeout_s + config.nvml_timeout_s + config.flush_timeout_s + _FLUSH_MARGIN_S
    try:
        response = httpx.post(f"http://127.0.0.1:{config.status_port}/flush", timeout=timeout_s, trust_env=False)
    except httpx.ConnectError:
        return _flush_here(config)
    except httpx.HTTPError as broken:
        return _fail(f"the agent did not answer: {broken or type(broken).__name__}", EXIT_FAILED)
    sys.stdout.write(response.text)
    return EXIT_OK if response.status_code == httpx.codes.OK else EXIT_FAILED


def _flush_here(config: Config) -> int:
    """No agent answers: read and ship once in its place. Raises AlreadyRunning for one without a status page."""
    from metering.agent.clock import SystemClock
    from metering.agent.run import run

    stop = threading.Event()
    stop.set()
    once = msgspec.structs.replace(config, status_port=0)
    shipped = run(once, clock=SystemClock(), stop=stop)
    sys.stdout.write("read and shipped; no agent runs here\n" if shipped else "read; the rest waits on disk\n")
    return EXIT_OK


def _run(arguments: argparse.Namespace) -> int:
    with _lean_httpx():
        from metering.agent.allocator import keep_small
        from metering.agent.clock import SystemClock
        from metering.agent.run import run

    keep_small()
    config = _config(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # One line per request is the client library's habit; ours is to tell changes only.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop, changed = threading.Event(), threading.Event()

    def reload() -> Config | None:
        if not changed.is_set():
            return None
        changed.clear()
        return _config(arguments)

    with _setting(stop, on=(signal.SIGTERM, signal.SIGINT)), _setting(changed, on=(signal.SIGHUP,)):
        run(config, clock=SystemClock(), stop=stop, reload=reload)
    return EXIT_OK


@contextmanager
def _setting(told: threading.Event, *, on: Collection[int]) -> Iterator[None]:
    """Set an event at any of these signals while the block runs; after it they do what they did before."""
    before = {number: signal.signal(number, lambda *_: told.set()) for number in on}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


_PLAIN_COMMANDS: Final = (
    (
        "run",
        _run,
        "meter this node until stopped",
        "Meters until SIGTERM or SIGINT; then reads once more, ships what it can, keeps the rest on disk. SIGHUP reads "
        "the settings again.",
    ),
    (
        "doctor",
        _doctor,
        "say what the agent sees, what is missing and the fix",
        "Looks at everything the agent needs; exit status 1 if something must be fixed.",
    ),
    (
        "flush",
        _flush,
        "read and ship at once, for an engine's stop hook",
        "Reads every engine now, so that the last tokens before a stop are counted, and ships. Exit status 0 when the "
        "reading is on disk.",
    ),
    (
        "rotate-key",
        _rotate_key,
        "give this node a new key",
        "Makes a new key, has the server trust it, and drops the old one. Safe to run again after a lost answer, and "
        "beside a running agent.",
    ),
    (
        "rejoin",
        _rejoin,
        "go on after the spool was lost or an older state was restored",
        "Asks the server where this node's chain ends and goes on there, with the break on record. Stop the agent "
        "first.",
    ),
)


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"forecourt agent: {message}\n")
    return status
