"""What the demo waits for in the books, and the hint it gives to a sweep that would come by itself."""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from kombu.exceptions import OperationalError as BrokerAway

from billing.charging import without_period
from billing.models import BillingPeriod, Invoice, InvoiceState, PeriodState, Settlement, SettlementState
from forecourt.celery import app
from forecourt.demo.plan import instant
from metering.event_models import WaitingEvents
from metering.models import NodeCursor, RollupCursor

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from forecourt.demo.plan import Plan

P = ParamSpec("P")
T = TypeVar("T")
NO_INVOICES: tuple[str, ...] = ()


def answered(question: Callable[[], object]) -> bool:
    """Ask the database, and say whether it could answer: a restart of it takes the connection along."""
    try:
        question()
    except (OperationalError, InterfaceError):
        connection.close()
        return False
    return True


def _or_else(meanwhile: T) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Give `meanwhile` for as long as the database is away; whoever waits asks again."""

    def patient(question: Callable[P, T]) -> Callable[P, T]:
        @wraps(question)
        def ask(*args: P.args, **named: P.kwargs) -> T:
            given: list[T] = [meanwhile]
            answered(lambda: given.append(question(*args, **named)))
            return given[-1]

        return ask

    return patient


@_or_else(meanwhile=False)
def everything_is_rolled_up(plan: Plan) -> bool:
    """Say whether every node reported to the world's end, and every batch and event is in usage hours."""
    reported = NodeCursor.objects.filter(metered_to_at__gte=instant(plan.end_ms)).count()
    rolled = RollupCursor.objects.filter(rolled_seq=F("node__cursor__last_seq"), rolled_seq__gt=0).count()
    return reported == rolled == len(plan.nodes) and not WaitingEvents.objects.exists()


@_or_else(meanwhile=False)
def periods_are_stored(now: datetime) -> bool:
    """Say whether every contract has its billing periods."""
    return not without_period(now=now)


@_or_else(meanwhile=False)
def due_periods_are_closed(now: datetime) -> bool:
    """Say whether periods that have ended are closed."""
    return not BillingPeriod.objects.filter(state=PeriodState.OPEN, to_at__lte=now).exists()


@_or_else(meanwhile=NO_INVOICES)
def invoices_to_pay() -> tuple[str, ...]:
    """Return Stripe's ids of the invoices that wait for their customer."""
    return tuple(
        Settlement.objects.filter(state=SettlementState.WAIT, invoice__state=InvoiceState.ISSUED)
        .exclude(stripe_invoice_id="")
        .values_list("stripe_invoice_id", flat=True)
    )


@_or_else(meanwhile=False)
def all_are_paid() -> bool:
    """Say whether every issued invoice is paid, without those too small to be collected."""
    waiting = Invoice.objects.filter(state=InvoiceState.ISSUED)
    return not waiting.exclude(settlement__state=SettlementState.BELOW_MINIMUM).exists()


def sweep(task: str) -> None:
    """Hint a sweep to look now rather than at its next interval; a hint that the broker cannot take is no loss."""
    with suppress(BrokerAway):
        app.send_task(task)
