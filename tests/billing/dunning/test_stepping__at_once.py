"""A step of dunning beside what else happens to its invoice: locks in one order, and a suspension is lifted once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.dunning.stepping import begin_cases, lift_paid, take_back, take_step
from billing.models import DunningStep, DunningTakenBack, SuspensionEnd
from tests.billing.collected import pay_by_hand
from tests.billing.dunning.overdue import BY, after, make_overdue, send_all, sweep
from tests.factories import make_cast
from tests.metering.test_fleet_figures__moving import interleave

if TYPE_CHECKING:
    from tests.factories import Cast

LOCKED = re.compile(r'FROM "(\w+)".* FOR (?:NO KEY )?UPDATE', re.DOTALL)


@pytest.mark.django_db
def test_a_step_locks_in_the_order_of_a_close_and_a_reissue(cast: Cast) -> None:
    """A late fee needs the contract: had the step the invoice first, the two would wait for each other."""
    invoice = make_overdue(cast)
    now = after(invoice, 4)
    begin_cases(now=now, limit=1)
    with CaptureQueriesContext(connection) as asked:
        assert take_step(invoice_id=invoice.pk, now=now) is not None
    locked = [found[1] for query in asked.captured_queries if (found := LOCKED.search(query["sql"]))]
    assert locked == ["billing_contract", "billing_invoice", "billing_dunningcase"]


@pytest.mark.django_db(transaction=True)
def test_a_suspension_that_the_sweep_lifts_while_its_step_is_taken_back_ends_once() -> None:
    cast = make_cast()
    invoice = make_overdue(cast)
    sweep(after(invoice, 10))
    send_all(after(invoice, 10))
    sweep(after(invoice, 17))
    step = DunningStep.objects.get(action="suspend")
    pay_by_hand(invoice, str(invoice.total))
    now = after(invoice, 18)

    def lift() -> None:
        assert lift_paid(now=now) == 1

    def withdraw() -> None:
        take_back(provider=cast.provider, step_id=step.pk, reason="They called", by=BY, now=now)

    interleave(lift, withdraw)
    assert SuspensionEnd.objects.get().by == "dunning"
    assert DunningTakenBack.objects.get().step == step
