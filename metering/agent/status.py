"""The agent's own page, on loopback: `/healthz`, `/metrics`, `POST /read` to read at once, `POST /flush` to ship too.

Both are for a stop hook of an engine (systemd `ExecStop=`, Kubernetes `preStop`; `forecourt agent flush`): they answer
when a reading is on disk, so that the tail of the engine's registers is not lost.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
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
        flush: Callable[[], str],
    ) -> None:
        """Bind to loopback. `health` has `ok`; `read_now` is True when a reading is on disk, and `flush` does that and
        ships, and says what is left to say, "" for a reading that is not on disk. Raises OSError."""
        self._routes: dict[tuple[str, str], Callable[[], tuple[int, str, str]]] = {
            ("GET", "/healthz"): lambda: _health(health()),
            ("GET", "/metrics"): lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics()),
            ("POST", "/read"): lambda: _read("read" if read_now() else ""),
            ("POST", "/flush"): lambda: _read(flush()),
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
        status, kind, body = route() if route else (404, "text/plain", _NOT_FOUND)
        content = body.encode()
        head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + content)


_NOT_FOUND: Final = "try /healthz, /metrics, POST /read or POST /flush\n"
_PHRASES: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


def _health(health: dict[str, object]) -> tuple[int, str, str]:
    return (200 if health["ok"] else 503), "application/json", json.dumps(health) + "\n"


def _read(told: str) -> tuple[int, str, str]:
    return (200, "text/plain", f"{told}\n") if told else (503, "text/plain", "not read: see the agent's log\n")


Labels = tuple[tuple[str, str], ...]


def metrics_text(figures: Mapping[str, tuple[str, str, float | Mapping[Labels, float]]]) -> str:
    """A Prometheus page (text format 0.0.4) of `name: (type, help, value or values by labels)`."""
    lines = []
    for name, (kind, explanation, value) in figures.items():
        lines += [f"# HELP {name} {explanation}", f"# TYPE {name} {kind}"]
        by_labels: Mapping[Labels, float] = value if isinstance(value, Mapping) else {(): value}
        lines += [f"{name}{_label_text(labels)} {_number(float(one))}" for labels, one in by_labels.items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _label_text(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
