"""`manage.py restore_archive FILE`: put the rows of a dropped part back for a while."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from metering.archive_files import ArchiveDamaged
from metering.retention import RESTORED_FOR, CannotRestore, restore_archive


class Command(BaseCommand):
    """Checks the file, fills a part with it and attaches that to its table."""

    help = "Put an archived part back into the database for some time."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file."""
        parser.add_argument("file", type=Path, help="NAME.copy.zst of FORECOURT_ARCHIVE_DIR")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        try:
            rows = restore_archive(path=options["file"], now=timezone.now())
        except (ArchiveDamaged, CannotRestore) as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"{rows} rows are back, for {RESTORED_FOR.days} days.")
