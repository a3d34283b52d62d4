"""A server of letters on loopback: takes what is sent by SMTP and keeps it."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass
class Letters:
    """What came in, and where it comes in."""

    port: int
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refuses: bool = False


@contextmanager
def letter_server() -> Iterator[Letters]:
    """Serve SMTP in a thread until the block ends."""
    with socketserver.TCPServer(("127.0.0.1", 0), _Conversation) as server:
        letters = Letters(server.server_address[1])
        server.letters = letters  # type: ignore[attr-defined]  # read by the conversation
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield letters
        finally:
            server.shutdown()
            thread.join()


class _Conversation(socketserver.StreamRequestHandler):
    """One sender, by RFC 5321, as far as Python's client asks."""

    def handle(self) -> None:
        letters: Letters = self.server.letters  # type: ignore[attr-defined]  # set where it is made
        self._say("220 letters.example")
        readers: list[str] = []
        while line := self.rfile.readline():
            said = line.decode().strip()
            word = said.upper()
            if word.startswith("RCPT TO:"):
                if letters.refuses:
                    self._say("550 nobody here")
                    continue
                readers.append(said[8:].strip().strip("<>"))
            if word == "DATA":
                self._say("354 go on")
                message = message_from_bytes(self._read_data(), policy=policy.default)
                letters.taken.append((readers, message))
                readers = []
            if word == "QUIT":
                self._say("221 bye")
                return
            self._say("250 fine")

    def _read_data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
