"""Writes the list of licences anew from what is locked and installed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from forecourt.licences import installed, locked, page


class Command(BaseCommand):
    """`manage.py write_licences`."""

    help = "Write docs/licences.md from requirements.lock and the installed packages."

    def handle(self, **_options: Any) -> None:
        lock = (settings.BASE_DIR / "requirements.lock").read_text(encoding="utf-8")
        packages = installed(locked(lock))
        (settings.BASE_DIR / "docs" / "licences.md").write_text(page(packages), encoding="utf-8")
        self.stdout.write(f"{len(packages)} packages.")
