"""Debits added and taken back, killed before any write or by two at once: whole, once, and never both on and off."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from billing.closing import close_period
from billing.corrections.debits import DebitBilled, take_back_debit
from billing.models import Debit, DebitTakenBack, InvoiceLine, Term
from tenants.models import AuditEntry
from tests.billing.agreements.test_accepting__at_once import run_at_once
from tests.billing.corrections.test_debits import MAY, NOW, bill, debit, world, wrong
from tests.billing.killed import killed_everywhere

if TYPE_CHECKING:
    from tests.billing.world import World

__all__ = ["world"]

TABLES = (Debit, DebitTakenBack, Term, AuditEntry)


@pytest.mark.unmeasured
@pytest.mark.django_db
def test_it_is_added_whole_or_not_at_all(world: World) -> None:
    killed_everywhere(debit, TABLES, least=6)
    invoice = bill(world)
    assert invoice.subtotal == 750
    assert wrong() == []


@pytest.mark.unmeasured
@pytest.mark.django_db
def test_it_is_taken_back_whole_or_not_at_all(world: World) -> None:
    made = debit()

    def act() -> None:
        take_back_debit(debit_id=made.pk, reason="It was not", by="petra", now=NOW)

    killed_everywhere(act, TABLES, least=6)
    assert bill(world).subtotal == 720
    assert wrong() == []


@pytest.mark.django_db(transaction=True)
def test_two_who_take_it_back_at_once_take_it_back_once(world: World) -> None:
    made = debit()
    act = partial(take_back_debit, debit_id=made.pk, reason="It was not", by="petra", now=NOW)
    refused = run_at_once(act, act, act)
    assert [type(one) for one in refused] == [DebitBilled, DebitBilled]
    assert DebitTakenBack.objects.count() == AuditEntry.objects.filter(action="debit.taken_back").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_close_and_a_taking_back_at_once_bill_it_or_take_it_back(world: World) -> None:
    made = debit()
    period_id = world.period(MAY.replace(month=4)).pk
    refused = run_at_once(
        partial(close_period, period_id=period_id, now=MAY),
        partial(take_back_debit, debit_id=made.pk, reason="It was not", by="petra", now=NOW),
    )
    is_billed = InvoiceLine.objects.filter(term_ref=made.term.ref, rule="debit_correction").exists()
    assert is_billed is not DebitTakenBack.objects.exists()
    assert [type(one) for one in refused] == ([DebitBilled] if is_billed else [])
    assert wrong() == []
