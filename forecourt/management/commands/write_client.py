"""Writes the Python client anew from the OpenAPI document."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from forecourt.client_writer import TARGET, client_text


class Command(BaseCommand):
    """`manage.py write_client`."""

    help = "Write docs/client/forecourt_client.py from the OpenAPI document."

    def handle(self, **_options: Any) -> None:
        TARGET.write_text(client_text(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
        self.stdout.write(f"{TARGET.name} is as the document says.")
