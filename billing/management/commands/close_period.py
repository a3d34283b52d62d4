"""`manage.py close_period C-0001`: close a contract's billing periods that are over, and say what they wait for."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.models import BillingPeriod, Contract, PeriodState


class Command(BaseCommand):
    """Does what the sweep does, for one contract, at once; exits with 1 if a period still waits."""

    help = "Close the billing periods of a contract that are over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("contract", help="the contract's number, for example C-0001")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        contract = Contract.objects.filter(number=options["contract"]).first()
        if contract is None:
            raise CommandError(f"There is no contract {options['contract']}.")
        now = datetime.now(UTC)
        ensure_periods(contract=contract, now=now)
        over = BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN, to_at__lte=now)
        due = list(over.order_by("from_at"))
        waiting = False
        for period in due:
            closed = close_period(period_id=period.id, now=now, stripe_ready=bool(settings.STRIPE_SECRET_KEY))
            span = f"{period.from_at:%F %R} to {period.to_at:%F %R} UTC"
            if closed.state is CloseState.CLOSED:
                self.stdout.write(f"{span}: closed, {closed.invoice or 'nothing to invoice'}")
                continue
            waiting = True
            self.stdout.write(f"{span}: {closed.state}")
            for row in closed.waiting_for:
                self.stdout.write("  " + ", ".join(f"{name} {value}" for name, value in row.items()))
        if not due:
            self.stdout.write(_nothing_due(contract))
        if waiting:
            raise SystemExit(1)


def _nothing_due(contract: Contract) -> str:
    ends_at = (
        BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN)
        .order_by("to_at")
        .values_list("to_at", flat=True)
        .first()
    )
    ends = f"the period that runs ends {ends_at:%F %R} UTC" if ends_at else "no period runs"
    return f"Nothing to close: {ends}."
