"""The product's settings: safe where others can reach it, usable on loopback, complete for Django's own checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KEY = "settings-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM"
SHOWN = (
    "DEBUG",
    "ALLOWED_HOSTS",
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "CSRF_COOKIE_SECURE",
    "CSRF_TRUSTED_ORIGINS",
    "X_FRAME_OPTIONS",
)
PUBLIC = {
    "DATABASE_URL": "postgresql://forecourt@127.0.0.1:1/forecourt",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "FORECOURT_SECRET_KEY": KEY,
    "FORECOURT_PUBLIC_URL": "https://bills.example.com",
}


def run(folder: Path, environ: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    outside = ("FORECOURT_", "STRIPE_", "DATABASE_URL", "BROKER_URL", "DJANGO_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    return subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "forecourt.settings", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def settings_with(folder: Path, environ: dict[str, str]) -> dict[str, Any]:
    program = f"import json, forecourt.settings as s; print(json.dumps({{n: getattr(s, n) for n in {SHOWN!r}}}))"
    done = run(folder, environ, "-c", program)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_on_loopback_it_works_without_https(tmp_path: Path) -> None:
    found = settings_with(tmp_path, {})
    assert found["DEBUG"] is False
    assert found["SECURE_SSL_REDIRECT"] is False
    assert found["SESSION_COOKIE_SECURE"] is False
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["SESSION_COOKIE_HTTPONLY"] is True


def test_in_public_everything_is_https(tmp_path: Path) -> None:
    found = settings_with(tmp_path, PUBLIC)
    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["SESSION_COOKIE_SECURE"] is True
    assert found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert "bills.example.com" in found["ALLOWED_HOSTS"]
    assert "*" not in found["ALLOWED_HOSTS"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://bills.example.com"]
    assert found["X_FRAME_OPTIONS"] == "DENY"


def test_djangos_deployment_checks_find_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, PUBLIC, str(ROOT / "manage.py"), "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_in_public_it_does_not_start_without_a_key(tmp_path: Path) -> None:
    done = run(tmp_path, {**PUBLIC, "FORECOURT_SECRET_KEY": ""}, "-c", "import forecourt.settings")
    assert done.returncode != 0
    assert "FORECOURT_SECRET_KEY" in done.stderr


@pytest.mark.parametrize("directive", ["script-src", "style-src", "default-src", "form-action", "frame-ancestors"])
def test_the_policy_allows_nothing_inline(directive: str) -> None:
    from django.conf import settings

    sources = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"][directive]
    assert not [one for one in sources if "unsafe" in one or one in ("*", "https:")]


def test_people_are_checked_by_the_limited_backend_alone() -> None:
    from django.conf import settings

    assert settings.AUTHENTICATION_BACKENDS == ["tenants.password_backend.LimitedPasswords"]


def test_passwords_are_kept_by_argon2() -> None:
    from forecourt import settings as product

    assert product.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


def test_a_wrong_setting_is_one_line_of_manage_py(tmp_path: Path) -> None:
    done = run(tmp_path, {"DATABASE_URL": "mysql://somewhere"}, str(ROOT / "manage.py"), "check")
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("manage.py: DATABASE_URL: found")
    assert "expected postgresql://" in line
