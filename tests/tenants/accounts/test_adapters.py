"""Letters go to a server over SMTP; one that is away or refuses stops nobody and tells no stranger anything."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from email import message_from_string, policy
from typing import TYPE_CHECKING

import pytest

from tenants.accounts.adapters import deliver, public
from tenants.accounts.letters import Letter
from tenants.models import User
from tests.tenants.accounts.doors import ask_for_letter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from tests.factories import Cast


@contextmanager
def letter_box(refuse: bool = False) -> Iterator[tuple[int, list[str]]]:
    """A server of letters on loopback, its port and what it took."""
    taken: list[str] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 sample\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    body = []
                    while (part := self.rfile.readline()) != b".\r\n":
                        body.append(part)
                    taken.append(b"".join(body).decode())
                self.wfile.write(b"550 not here\r\n" if refuse and word == b"RCPT" else b"250 yes\r\n")
                if word == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], taken
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def smtp(settings: Settings) -> Settings:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = "127.0.0.1", False, False
    settings.MAIL_READY = True
    settings.PUBLIC_URL = "https://forecourt.example"
    return settings


def test_a_forgotten_password_is_answered_by_a_letter_over_smtp(cast: Cast, smtp: Settings) -> None:
    User.objects.filter(pk=cast.alice.pk).update(language="zh-hans")
    with letter_box() as (port, taken):
        smtp.EMAIL_PORT = port
        ask_for_letter("alice@example.com")
    letter = message_from_string(taken[0], policy=policy.default)
    assert letter["To"] == "alice@example.com"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "https://forecourt.example/sign-in/forgotten/" in letter.get_content()


def test_a_server_that_refuses_or_is_away_is_a_line_in_the_log(
    cast: Cast, smtp: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with letter_box(refuse=True) as (port, taken):
        smtp.EMAIL_PORT = port
        ask_for_letter("alice@example.com")
    assert not taken
    ask_for_letter("alice@example.com")
    assert [record.getMessage() for record in caplog.records if "letter" in record.getMessage()] == [
        "A letter about signing in was not taken: SMTPRecipientsRefused.",
        "A letter about signing in was not taken: ConnectionRefusedError.",
    ]
    assert "alice" not in caplog.text


def test_without_a_server_nothing_is_tried(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.MAIL_READY = False
    assert not deliver(Letter("Sample", "Sample"), "alice@example.com")
    assert "FORECOURT_MAIL_URL" in caplog.text


def test_links_name_the_installation_whatever_host_was_asked_for(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://forecourt.example"
    assert public("/sign-in/") == "https://forecourt.example/sign-in/"
