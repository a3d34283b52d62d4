from __future__ import annotations

from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import BillingPeriod, Invoice, PeriodState
from tests.billing.test_tasks import make_running
from tests.billing.world import World
from tests.kept import kept

pytestmark = pytest.mark.django_db


def run(number: str) -> tuple[int, str]:
    out, status = StringIO(), 0
    try:
        call_command("close_period", number, stdout=out)
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, out.getvalue()


world_and_last_month = kept(make_running)


def test_what_is_over_is_closed_and_the_invoice_is_named(world_and_last_month: tuple[World, datetime]) -> None:
    world, last_month = world_and_last_month
    status, told = run(world.contract.number)
    assert status == 0
    assert f"closed, {Invoice.objects.get().number}" in told
    assert world.period(last_month).state == PeriodState.CLOSED
    running = BillingPeriod.objects.get(contract=world.contract, state=PeriodState.OPEN)
    assert run(world.contract.number) == (
        0,
        f"Nothing to close: the period that runs ends {running.to_at:%F %R} UTC.\n",
    )


def test_what_a_period_waits_for_is_told_and_the_status_is_1(world_and_last_month: tuple[World, datetime]) -> None:
    world, last_month = world_and_last_month
    world.contract.grace_hours = 2_000
    world.contract.save()
    world.rolled(world.nodes[0], last_month)
    status, told = run(world.contract.number)
    assert status == 1
    assert "waiting" in told
    assert world.nodes[0].name in told


def test_an_unknown_contract_is_an_error() -> None:
    with pytest.raises(CommandError, match="C-9999"):
        run("C-9999")
