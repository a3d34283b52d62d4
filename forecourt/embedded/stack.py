"""The whole platform in processes of one supervisor: database, broker, web, worker and beat."""

import http.client
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

from forecourt.embedded.broker import broker_program
from forecourt.embedded.folder import CannotStart, folder_is_held, held_folder, service_account
from forecourt.embedded.leftovers import MARK, stop_leftovers
from forecourt.embedded.places import Places, places_of
from forecourt.embedded.postgres import postgres_answers, start_postgres
from forecourt.embedded.served import tell_address
from forecourt.embedded.supervisor import Program, Supervisor
from forecourt.env import PUBLIC_URL, Environment

# Each thread of a web process holds a database connection of its own; further requests wait for one.
WEB_THREADS = 16
PROBE_TIMEOUT_S = 2.0
JOIN_TIMEOUT_S = 60.0
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what they are reached by, not a bind


@dataclass(frozen=True, slots=True)
class Serving:
    """Where and with how many processes the platform serves."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: a free one is chosen."""
    web_processes: int = 2
    worker_processes: int = 2
    wsgi: str = "forecourt.wsgi:application"
    celery: str = "forecourt.celery:app"
    beat: str = "forecourt.beat:app"


@contextmanager
def stopping_on_signals(supervisor: Supervisor) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask the supervisor for an orderly stop. For the main thread."""

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
        supervisor.request_stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def parts(environment: Environment, supervisor: Supervisor, *, join: bool = False) -> Iterator[Places]:
    """Hold the data folder and have those parts up that the environment leaves to be embedded.

    Whatever an earlier, killed supervisor left running is stopped first. At the end everything that the
    supervisor started is stopped, in reverse order. With `join`, parts that another supervisor runs already are
    used as they are. Raises `CannotStart`.
    """
    places = places_of(environment.data_dir)
    if join and folder_is_held(places):
        if environment.database_embedded:
            _wait_for_database(places)
        yield places
        return
    account = service_account()
    with held_folder(places, account):
        try:
            stop_leftovers(places)
            places.served_at.unlink(missing_ok=True)
            if environment.database_embedded:
                start_postgres(supervisor, places, account)
            if environment.broker_embedded:
                supervisor.start(broker_program(places, account))
            yield places
        finally:
            supervisor.stop()


def child_environ(environment: Environment, environ: Mapping[str, str], *, public_url: str) -> dict[str, str]:
    """The environment of the platform's own processes: the caller's, made independent of where they start."""
    code = str(Path(__file__).resolve().parents[2])
    path = environ.get("PYTHONPATH", "")
    return {
        **environ,
        MARK: str(environment.data_dir),
        "FORECOURT_DATA_DIR": str(environment.data_dir),
        "FORECOURT_PUBLIC_URL": public_url,
        "PYTHONPATH": os.pathsep.join([code, path] if path else [code]),
        "PYTHONUNBUFFERED": "1",
    }


def web_program(places: Places, environ: Mapping[str, str], serving: Serving) -> Program:
    """Granian with `serving.web_processes` processes; one that dies is replaced by granian."""
    return Program(
        name="web",
        argv=[
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
            *("--host", serving.host, "--port", str(serving.port)),
            *("--workers", str(serving.web_processes), "--respawn-failed-workers", "--respawn-interval", "0.5"),
            *("--blocking-threads", str(WEB_THREADS)),
            *("--workers-kill-timeout", "10", "--log-level", "warning"),
            serving.wsgi,
        ],
        log=places.logs / "web.log",
        environ=environ,
        ready=partial(web_answers, serving.host, serving.port),
    )


def worker_program(places: Places, environ: Mapping[str, str], serving: Serving) -> Program:
    """A Celery worker; gossip and mingle serve clusters of workers and only delay the start of one."""
    return Program(
        name="worker",
        argv=[
            *(sys.executable, "-m", "celery", "--app", serving.celery, "worker"),
            *("--concurrency", str(serving.worker_processes), "--without-gossip", "--without-mingle"),
            *("--loglevel", "WARNING"),
        ],
        log=places.logs / "worker.log",
        environ=environ,
        ready=lambda: True,
    )


def beat_program(places: Places, environ: Mapping[str, str], serving: Serving) -> Program:
    """The clock of the sweeps."""
    return Program(
        name="beat",
        argv=[
            *(sys.executable, "-m", "celery", "--app", serving.beat, "beat"),
            *("--schedule", str(places.beat_schedule), "--pidfile=", "--loglevel", "WARNING"),
        ],
        log=places.logs / "beat.log",
        environ=environ,
        ready=lambda: True,
    )


def serve(
    environment: Environment,
    environ: Mapping[str, str],
    serving: Serving,
    *,
    say: Callable[[str], None],
    prepare: tuple[str, ...] = (sys.executable, "-m", "forecourt.embedded.prepare"),
) -> None:
    """Bring the platform up and keep it up until SIGINT or SIGTERM. Raises `CannotStart`.

    1. Parts, 2. `prepare` (static files, migrations), 3. web, worker, beat, 4. watch, 5. all down in reverse.
    """
    # First of all: whoever forgot that it is up already need not wait for a database to be told so.
    serving = with_free_port(serving)
    supervisor = Supervisor(say=say)
    try:
        with stopping_on_signals(supervisor), parts(environment, supervisor) as places:
            address = address_of(environment, serving)
            children = child_environ(environment, environ, public_url=address)
            say(whose_parts(environment))
            supervisor.run("preparation", prepare, environ=children, log=places.logs / "prepare.log")
            supervisor.start(web_program(places, children, serving))
            tell_address(places, address)
            supervisor.start(worker_program(places, children, serving))
            supervisor.start(beat_program(places, children, serving))
            say(f"Forecourt serves at {address} (logs in {places.logs}; Ctrl-C stops it)")
            supervisor.watch()
            say("Stopping")
    except CannotStart:
        # An interrupted start is a stop that was asked for, not a failure.
        if not supervisor.stop_was_asked:
            raise
    say("Stopped")


def whose_parts(environment: Environment) -> str:
    """Which parts run here and where their data lies, and which are somebody else's servers."""
    kept = places_of(environment.data_dir).data
    if environment.database_embedded and environment.broker_embedded:
        return f"Database and broker are up; data in {kept}"
    if environment.database_embedded:
        return f"The database is up, data in {kept}; the broker is that of BROKER_URL"
    if environment.broker_embedded:
        return f"The database is that of DATABASE_URL; the broker is up, data in {kept}"
    return "Database and broker are those of DATABASE_URL and BROKER_URL"


def address_of(environment: Environment, serving: Serving) -> str:
    """Where people reach it: FORECOURT_PUBLIC_URL, or the address that is served, while that is the default."""
    if environment.public_url != PUBLIC_URL:
        return environment.public_url
    host = EVERY_ADDRESS.get(serving.host, serving.host)
    return f"http://[{host}]:{serving.port}" if ":" in host else f"http://{host}:{serving.port}"


def with_free_port(serving: Serving) -> Serving:
    """`serving` with a port that can be bound now; raises `CannotStart` where the wanted one is taken."""
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((serving.host, serving.port))
        except OSError as error:
            raise CannotStart(
                f"Port {serving.port} of {serving.host} cannot be used ({error.strerror}). "
                "Choose another one: --port N, or --port 0 for any free one."
            ) from error
        return replace(serving, port=probe.getsockname()[1])


def web_answers(host: str, port: int) -> bool:
    """Whether the web server answers its health page; a refusal of the host name is an answer too."""
    connection = http.client.HTTPConnection(EVERY_ADDRESS.get(host, host), port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait_for_database(places: Places) -> None:
    deadline_s = monotonic() + JOIN_TIMEOUT_S
    while not postgres_answers(places):
        if monotonic() > deadline_s:
            raise CannotStart(f"Another process holds {places.data}, but its database does not answer.")
        sleep(0.1)
