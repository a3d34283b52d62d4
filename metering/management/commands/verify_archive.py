"""`manage.py verify_archive FILE…`: prove archived batches from their files; the exit status says."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from metering.archive_evidence import prove_batches
from metering.archive_files import ArchiveDamaged, check_file
from metering.partition_plans import BATCHES


class Command(BaseCommand):
    """Exits with 0 if every file is whole and every batch in it is its node's, with 1 if not."""

    help = "Prove archives: checksums of every file; of batches each hash, signature and chain. Needs no database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the files."""
        parser.add_argument("file", nargs="+", type=Path, help="NAME.copy.zst, in the order of their time")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        try:
            manifests = {path: check_file(path) for path in options["file"]}
            evidence = prove_batches([path for path, found in manifests.items() if found.table == BATCHES.table])
        except ArchiveDamaged as damaged:
            self.stderr.write(str(damaged))
            raise SystemExit(1) from damaged
        for path, manifest in manifests.items():
            self.stdout.write(f"ok    {path.name}: {manifest.rows} rows of {manifest.table} before {manifest.to_at}")
        for finding in evidence.wrong:
            self.stdout.write(f"WRONG {finding}")
        if evidence.wrong:
            raise SystemExit(1)
        if evidence.batches:
            self.stdout.write(
                f"ok    {evidence.batches} batches of {evidence.nodes} nodes: hashes, signatures and chains hold"
            )
