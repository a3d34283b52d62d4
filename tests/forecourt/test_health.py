"""Liveness needs nothing; readiness names what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from forecourt import health
from tests.servers import packaged

if TYPE_CHECKING:
    from pathlib import Path


def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "BROKER_URL", f"redis://127.0.0.1:{packaged.free_port()}/0")


def test_it_is_alive_without_database_and_broker(client: Client) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


@pytest.mark.django_db
def test_ready_with_database_and_broker(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with packaged.redis(tmp_path) as url:
        monkeypatch.setattr(health, "BROKER_URL", url)
        answer = client.get("/health/ready")
    assert answer.status_code == 200
    said = answer.json()
    assert said["status"] == "ready"
    assert said["checks"] == {"database": "ok", "migrations": "ok", "broker": "ok", "clock": "ok"}
    assert said["took_ms"] >= 0


@pytest.mark.django_db
def test_without_a_broker_it_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    no_broker(monkeypatch)
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    said = answer.json()
    assert said["status"] == "not ready"
    assert said["checks"]["broker"] == "OperationalError"
    assert said["checks"]["database"] == "ok"


@pytest.mark.django_db
def test_a_migration_that_waits_is_counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    no_broker(monkeypatch)
    with connection.cursor() as cursor:
        latest = "SELECT max(name) FROM django_migrations WHERE app = 'tenants'"
        cursor.execute(f"DELETE FROM django_migrations WHERE app = 'tenants' AND name = ({latest})")
    assert client.get("/health/ready").json()["checks"]["migrations"] == "1 not applied"


@pytest.mark.django_db
def test_without_a_database_it_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    no_broker(monkeypatch)

    def refuse(*_: object) -> None:
        raise DatabaseError("the secret reason")

    with connection.execute_wrapper(refuse):
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "DatabaseError"
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("address", ["/health/live", "/health/ready"])
def test_health_is_only_read(client: Client, address: str) -> None:
    assert client.post(address).status_code == 405


@pytest.mark.django_db
def test_health_is_not_sent_to_https(client: Client, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    no_broker(monkeypatch)
    settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]  # pytest-django's fixture
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 503
    assert client.get("/sign-in/").status_code == 301
