"""The agent's own page, on loopback: `/healthz`, `/metrics`, and `POST /read` for one read at once.

`POST /read` is for a stop hook of an engine (systemd `ExecStop=`, Kubernetes `preStop`): it answers when a reading
is on disk, so that the tail of the engine's registers is not lost.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
_REQUEST_BYTES_MAX: Final = 4_096
_REQUEST_TIMEOUT_S: Final = 2.0


class StatusPage:
    """A tiny HTTP server in one thread; one request at a time, one per connection."""

    def __init__(
        self,
        port: int,
        *,
        health: Callable[[], dict[str, object]],
        metrics: Callable[[], str],
        read_now: Callable[[], bool],
    ) -> None:
        """Bind to loopback. `health` has `ok`; `read_now` is True when a reading is on disk. Raises OSError."""
        self._routes: dict[tuple[str, str], Callable[[], tuple[int, str, str]]] = {
            ("GET", "/healthz"): lambda: _health(health()),
            ("GET", "/metrics"): lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics()),
            ("POST", "/read"): lambda: _read(read_now()),
        }
        self._socket = socket.create_server((LOOPBACK, port))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        # Closing alone does not wake a thread that waits in accept().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=_REQUEST_TIMEOUT_S)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self._answer(connection)
                except OSError as broken:
                    logger.debug("a status request broke off: %s", broken)
                except Exception:
                    logger.exception("a status request failed")

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_REQUEST_TIMEOUT_S)
        request = b""
        while b"\r\n\r\n" not in request and b"\n\n" not in request:
            piece = connection.recv(_REQUEST_BYTES_MAX)
            request += piece
            if not piece or len(request) > _REQUEST_BYTES_MAX:
                break
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split()
        route = self._routes.get((words[0], words[1].partition("?")[0])) if len(words) == 3 else None
        status, kind, body = route() if route else (404, "text/plain", "try /healthz, /metrics or POST /read\n")
        content = body.encode()
        head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + content)


_PHRASES: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


def _health(health: dict[str, object]) -> tuple[int, str, str]:
    return (200 if health["ok"] else 503), "application/json", json.dumps(health) + "\n"


def _read(on_disk: bool) -> tuple[int, str, str]:
    return (200, "text/plain", "read\n") if on_disk else (503, "text/plain", "not read: see the agent's log\n")


def metrics_text(figures: dict[str, tuple[str, str, float]]) -> str:
    """A Prometheus page of `name: (type, help, value)`."""
    lines = []
    for name, (kind, explanation, value) in figures.items():
        lines += [f"# HELP {name} {explanation}", f"# TYPE {name} {kind}", f"{name} {value:.15g}"]
    return "\n".join(lines) + "\n"
