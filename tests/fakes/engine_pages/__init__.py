"""Pages of inference engines in their own format, and a real HTTP server that serves them and fails on demand."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

FOLDER = Path(__file__).parent


def recorded(name: str) -> str:
    """The page recorded for an engine: `vllm`, `vllm_old`, `sglang`, `llamacpp`, …"""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@dataclass
class Reply:
    """What the server answers; `hang_s` waits first, `drip_s` waits after every byte, `cut` ends too early."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False


def page(text: str, **headers: str) -> Reply:
    """A page that is served well."""
    return Reply(body=text.encode(), headers={name.replace("_", "-"): value for name, value in headers.items()})


class PageServer:
    """Serves `routes[path]`, a reply or a function that makes one; counts requests. Use as a context."""

    def __init__(self) -> None:
        self.routes: dict[str, Reply | Callable[[], Reply]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes: without this each answer takes 40 ms.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                route = outer.routes.get(self.path, Reply(status=404))
                outer.send(self, route() if callable(route) else route)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.hang_s:
            self._released.wait(reply.hang_s)
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body) + (10 if reply.cut else 0)))
            handler.end_headers()
            if reply.drip_s:
                for byte in reply.body:
                    handler.wfile.write(bytes([byte]))
                    handler.wfile.flush()
                    time.sleep(reply.drip_s)
            else:
                handler.wfile.write(reply.body)
            handler.close_connection = handler.close_connection or reply.cut
        except OSError:
            handler.close_connection = True

    def __enter__(self) -> "PageServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
