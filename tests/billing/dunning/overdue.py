"""Overdue invoices for tests, and the days of their dunning."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.dunning.policies import set_policy
from billing.dunning.stepping import begin_cases, due_cases, take_step
from billing.models import DunningMail, DunningStep
from tests.billing.issued import ISSUED_AT, Line, make_issued

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Invoice
    from tests.factories import Cast

BY = "petra@example.com"
STEPS = [
    {"after_days": 3, "action": "remind"},
    {"after_days": 5, "action": "retry_card"},
    {"after_days": 10, "action": "notice"},
    {"after_days": 17, "action": "suspend"},
]
DAY = timedelta(days=1)


def make_overdue(cast: Cast, number: str = "S-0001") -> Invoice:
    """An invoice of the cast's provider and tenant, due on 17 April, with the schedule of these tests."""
    invoice = make_issued([Line("100.00")], parties=(cast.provider, cast.tenant), number=number)
    set_policy(provider=cast.provider, steps=STEPS, by=BY, now=ISSUED_AT)
    return invoice


def after(invoice: Invoice, days: float) -> datetime:
    """The instant so many days after an invoice is due."""
    assert invoice.due_at is not None
    return invoice.due_at + days * DAY


def sweep(now: datetime) -> list[str]:
    """Take every step that is due, as the task does; return what was done."""
    begin_cases(now=now, limit=100)
    done: list[str] = []
    for _round in range(10):
        for invoice_id in due_cases(now=now, limit=100):
            step = take_step(invoice_id=invoice_id, now=now)
            done += [step.action] if step else []
    return done


def send_all(now: datetime) -> None:
    """Every letter that waits goes out."""
    DunningMail.objects.filter(sent_at__isnull=True).update(sent_at=now)


def taken() -> list[tuple[str, int]]:
    """Every step that was taken."""
    return list(DunningStep.objects.order_by("at", "pk").values_list("action", "after_days"))
