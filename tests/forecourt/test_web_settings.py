"""Web processes sign in to the database as owners of nothing, and nothing is read that nobody asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEY = "settings-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM"
OWNER, WEB = "postgresql://forecourt:one@db/forecourt", "postgresql://forecourt_web:two@db/forecourt"
# Only the settings are asked for: apps, middleware and addresses, all the rest of a web process's start, are put aside.
SHOW = """
import json, sys, types
import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
sys.modules["forecourt.urls"] = types.ModuleType("forecourt.urls")
django.setup = lambda set_prefix: print(json.dumps(settings.SETTINGS_MODULE))
WSGIHandler.load_middleware = lambda self: None
from forecourt import wsgi
one = settings.DATABASES["default"]
print(json.dumps([settings.READS_FOR_SOMEBODY, one["USER"], one["ENGINE"]]))
"""


def shown(folder: Path, **environ: str) -> list[object]:
    """What the settings are when the apps would be loaded by them, and what they say."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FORECOURT_", "DATABASE_", "DJANGO_", "BROKER_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({}, "forecourt_web"),
        ({"DATABASE_URL": OWNER, "FORECOURT_SECRET_KEY": KEY, "BROKER_URL": "redis://h/0"}, "forecourt"),
        (
            {
                "DATABASE_URL": OWNER,
                "DATABASE_WEB_URL": WEB,
                "FORECOURT_SECRET_KEY": KEY,
                "DJANGO_SETTINGS_MODULE": "forecourt.settings",
            },
            "forecourt_web",
        ),
    ],
)
def test_whom_the_web_signs_in_as(tmp_path: Path, environ: dict[str, str], user: str) -> None:
    assert shown(tmp_path, **environ) == ["forecourt.web_settings", [True, user, "tenants.limits"]]
