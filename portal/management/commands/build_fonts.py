"""``manage.py build_fonts``."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.fonts import FOLDER, cut_fonts


class Command(BaseCommand):
    help = "Cuts the interface font out of the installed font package into the portal's static files."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for file in cut_fonts(FOLDER):
            self.stdout.write(f"{file.name} {file.stat().st_size // 1024} KB")
