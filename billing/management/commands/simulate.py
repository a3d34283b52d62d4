"""`manage.py simulate PROVIDER --month 2026-03 --percent 34`: past billing periods at other prices; writes nothing."""

import csv
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.economics.repricing import STRESS_PERCENTS, at_percent
from billing.models import PriceVersion
from billing.queries.repricing_workers import in_processes
from billing.queries.simulation import SimulatedLine, Simulation, simulate, version_changes
from tenants.models import Organization

MONTHS = 12


class Command(BaseCommand):
    """Prints, per tenant and model, what was billed, what it would have been, the margin, and stress columns."""

    help = "Rate past billing periods of a provider at other prices and compare; nothing is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="the provider's slug")
        parser.add_argument("--month", required=True, help="billing periods that began in this UTC month: 2026-03")
        parser.add_argument("--percent", default="0", help="raise the book's prices by this; 0 is what was billed")
        parser.add_argument("--model", action="append", help="only this model's prices; may be repeated")
        parser.add_argument("--price-version", help="id of a price version, in force throughout")
        parser.add_argument("--currency", default="")
        parser.add_argument(
            "--processes", type=int, default=1, help="rate in so many processes, for 1,000s of contracts"
        )
        parser.add_argument("--no-stress", action="store_true", help="leave the stress columns out: 2 ratings, not 5")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        provider = Organization.objects.filter(slug=options["provider"], is_provider=True).first()
        if provider is None:
            raise CommandError(f"There is no provider {options['provider']}.")
        from_at, to_at = _month(options["month"])
        book_id, change_of = None, None
        if options["price_version"]:
            version = _version(provider, options["price_version"])
            book_id, change_of = version.book_id, version_changes(version)
        raised = at_percent(_percent(options["percent"]), options["model"])
        found = simulate(
            provider,
            from_at=from_at,
            to_at=to_at,
            change_of=change_of or (lambda _contract: raised),
            currency=options["currency"],
            book_id=book_id,
            stress=() if options["no_stress"] else STRESS_PERCENTS,
            rater=in_processes(options["processes"]),
        )
        self._write(found)

    def _write(self, found: Simulation) -> None:
        writer = csv.writer(self.stdout)
        stress = [f"stress_{percent}" for percent in found.stress_percents]
        writer.writerow(["tenant", "model", "currency", "old", "new", "cost", "margin", *stress])
        for line in (*found.lines, found.total):
            writer.writerow(_row(line, found.currency))
        self.stderr.write(f"{found.periods} billing periods of {found.contracts} contracts")


def _row(line: SimulatedLine, currency: str) -> list[object]:
    margin = "" if line.margin is None else f"{line.margin.numerator / Decimal(line.margin.denominator):.6f}"
    cost = "" if line.cost is None else f"{line.cost:f}"
    about = [line.tenant_slug or "total", line.model, currency]
    return [*about, f"{line.old:f}", f"{line.new:f}", cost, margin, *(f"{amount:f}" for amount in line.stress)]


def _month(text: str) -> tuple[datetime, datetime]:
    try:
        year, month = (int(part) for part in text.split("-"))
        from_at = datetime(year, month, 1, tzinfo=UTC)
    except ValueError as error:
        raise CommandError(f"{text!r} is no month; write it as 2026-03.") from error
    return from_at, from_at.replace(year=year + month // MONTHS, month=month % MONTHS + 1)


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation as error:
        raise CommandError(f"{text!r} is no percentage; write 34 for +34 %.") from error
    if not -100 <= percent <= 1000:
        raise CommandError(f"{text} lies outside -100 to 1000.")
    return percent


def _version(provider: Organization, text: str) -> PriceVersion:
    try:
        found = PriceVersion.objects.filter(pk=UUID(text), book__provider=provider).first()
    except ValueError as error:
        raise CommandError(f"{text!r} is no id of a price version.") from error
    if found is None:
        raise CommandError(f"{provider.slug} has no price version {text}.")
    return found
