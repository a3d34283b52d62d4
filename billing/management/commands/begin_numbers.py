"""`manage.py begin_numbers`: a new series of numbers, after an older database was put back."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.number_series import WrongSeries, begin_series


class Command(BaseCommand):
    help = (
        "Begins a new series of numbers for invoices, credit notes and collective invoices, after a backup was "
        "restored: what was numbered since is not known here, and no number may be of two papers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("letter", help="a letter that no series has had, for example B: INV-B-0001")

    def handle(self, *_args: object, **options: str) -> None:
        try:
            begun = begin_series(letter=options["letter"], by="manage begin_numbers", now=datetime.now(UTC))
        except WrongSeries as wrong:
            raise CommandError(f"No series of numbers can begin so: {wrong}") from wrong
        for kind, before, prefix in begun:
            self.stdout.write(f"{kind}: {before or 'none before'} → {prefix}")
        if not begun:
            self.stdout.write("There is no provider whose papers are numbered.")
