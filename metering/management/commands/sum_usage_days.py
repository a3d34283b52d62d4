"""`manage.py sum_usage_days`: sum usage hours by day now, make the sums anew, or compare them with the hours."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from metering.usage_days import differences, forget_sums, sum_days, summed_span, weeks_unlike_days

SHOWN_MAX = 20


class Command(BaseCommand):
    """Exits with 1 if a sum that stands is not what its hours come to."""

    help = (
        "Sum usage hours by day as the worker does; --again makes every sum anew, --check compares and changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which of the three is wanted."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--again", action="store_true", help="forget every sum first")
        which.add_argument("--check", action="store_true", help="compare with the hours")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        if options["check"]:
            self._check()
            return
        if options["again"]:
            forget_sums()
        days = 0
        while some := sum_days(now=timezone.now()):
            days += some
        self.stdout.write(f"{days} days summed.")

    def _check(self) -> None:
        span = summed_span()
        wrong = differences(*span) if span else []
        unlike = weeks_unlike_days()
        for row in [*wrong, *unlike][:SHOWN_MAX]:
            self.stderr.write(" ".join(map(str, row)))
        if wrong or unlike:
            self.stderr.write(f"{len(wrong)} sums of days differ, and {len(unlike)} of weeks.")
            raise SystemExit(1)
        self.stdout.write(f"Every sum to {span[1]} is what the hours come to." if span else "No day is summed.")
