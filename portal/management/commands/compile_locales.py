"""``manage.py compile_locales``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand

from portal.catalogue import compile_catalogue

INSTALLED_FOLDERS = {"site-packages", "dist-packages"}


def own_catalogues() -> Iterator[Path]:
    """The catalogues of the project's apps; what a package installer put in place is compiled already."""
    for app in apps.get_app_configs():
        folder = Path(app.path)
        for po_file in sorted(folder.glob("locale/*/LC_MESSAGES/*.po")):
            installed = not INSTALLED_FOLDERS.isdisjoint(folder.parts)
            if not installed or not po_file.with_suffix(".mo").exists():
                yield po_file


class Command(BaseCommand):
    help = "Compiles the message catalogues of the project's apps; needs no gettext on the machine."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for po_file in own_catalogues():
            compiled = compile_catalogue(po_file)
            self.stdout.write(f"{compiled.parent.parent.name} {compiled.stat().st_size // 1024} KB")
