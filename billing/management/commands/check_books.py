"""`manage.py check_books`: prove every invariant of the books from stored rows; the exit status says."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from billing.books import check_books


class Command(BaseCommand):
    """Exits with 0 if every invariant holds, with 1 if one does not."""

    help = "Prove every ledger, invoice, charge, usage and allocation invariant from stored rows."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            checks = check_books()
        for check in checks:
            self.stdout.write(f"{'ok   ' if check.holds else 'WRONG'} {check.name} ({check.looked_at} looked at)")
            for finding in check.wrong:
                self.stdout.write(f"      {finding}")
        wrong = [check.name for check in checks if not check.holds]
        if wrong:
            self.stderr.write(f"{len(wrong)} of {len(checks)} invariants do not hold.")
            raise SystemExit(1)
        self.stdout.write(f"All {len(checks)} invariants hold.")
