"""`manage.py import_price_index FILE --as-of 2026-11-09`: take in LiteLLM's price file, or GPU-hour prices."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models import IndexSource
from billing.price_index import import_prices
from billing.queries.price_index import index_changes
from tenants.problems import Problem

SHOWN = 20
SOURCE_OF_ENDING = {".json": IndexSource.LITELLM, ".csv": IndexSource.GPU_HOURS}


class Command(BaseCommand):
    """Says what was taken, what was left out and why, and what rose, fell, is new or gone since the import before."""

    help = "Import public prices: LiteLLM's model_prices_and_context_window.json, or a CSV of GPU-hour prices."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the downloaded file")
        parser.add_argument("--as-of", type=date.fromisoformat, required=True, help="the day of which its prices are")
        parser.add_argument("--source", choices=IndexSource.values, help="told by the file's ending if not given")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        path: Path = options["file"]
        source = options["source"] or SOURCE_OF_ENDING.get(path.suffix.lower())
        if source is None:
            raise CommandError(f"{path}: say --source {' or '.join(IndexSource.values)}.")
        try:
            content = path.read_bytes()
            imported = import_prices(
                source=IndexSource(source), content=content, as_of=options["as_of"], now=datetime.now(UTC)
            )
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from error
        except Problem as problem:
            raise CommandError(f"{path}: {problem}") from problem
        self.stdout.write(f"{imported.prices.count()} prices of {imported.read} entries, as of {imported.as_of}.")
        self.stdout.write(f"{len(imported.skipped)} left out.")
        for one in imported.skipped[:SHOWN]:
            self.stdout.write(f"  {one['where']}: {one['reason']}")
        changes = index_changes(imported)
        if changes is not None:
            counts = ", ".join(f"{count} {word}" for word, count in changes.counts.items())
            self.stdout.write(f"Since {changes.before}: {counts}.")
