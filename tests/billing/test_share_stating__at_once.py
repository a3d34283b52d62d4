"""Facts of a share stated at the same moment: a reference once, never more than was counted, one agreement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice, RevenueStatement, TermFact, WitnessAnswer
from billing.revenue_statements import state_revenue
from billing.share_stating import By, FactTooLate, WrongFact, state_audit, state_refund
from billing.witness_answers import answer_difference
from metering.models import Witness
from tenants.models import AuditEntry
from tests.billing.agreements.test_accepting__at_once import run_at_once
from tests.billing.sharing import share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
MTOK = 1_000_000


def used(**document: Any) -> tuple[World, Shared]:
    """A share with 100 million tokens of output in March, which is over and open."""
    world = make_world(tokens={(MODEL, "output"): "1"})
    made = share(world, Witness.GATEWAY, **document)
    made.use({"output": 100 * MTOK})
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], APRIL + 5 * DAY)
    return world, made


def refund(shared: Shared, reference: str, mtok: int) -> Callable[[], object]:
    return partial(
        state_refund,
        contract=shared.term.contract,
        term_ref=shared.term.ref,
        refund=reference,
        period_from_at=MARCH,
        deployment=shared.deployment.id,
        model=MODEL,
        token_class="output",
        tokens=mtok * MTOK,
        by=By(shared.tenant, "alice@example.com"),
        now=APRIL + DAY,
    )


def test_refunds_at_once_are_together_never_more_than_was_counted() -> None:
    _, shared = used(exclusions=[{"rule": "refunds"}])
    refused = run_at_once(*(refund(shared, f"R-{number}", 40) for number in range(4)))
    assert [type(each) for each in refused] == [WrongFact, WrongFact]
    assert {each.extra["field"] for each in refused} == {"tokens"}
    assert sum(fact.document["tokens"] for fact in TermFact.objects.all()) == 80 * MTOK


def test_one_refund_sent_many_times_at_once_is_one() -> None:
    _, shared = used(exclusions=[{"rule": "refunds"}])
    assert run_at_once(*(refund(shared, "R-1", 60) for _ in range(4))) == []
    assert TermFact.objects.count() == AuditEntry.objects.filter(action="revenue.refunded").count() == 1


def test_a_refund_and_the_close_of_its_period_at_once_bill_it_or_refuse_it() -> None:
    world, shared = used(exclusions=[{"rule": "refunds"}])
    period = world.period()
    refused = run_at_once(refund(shared, "R-1", 60), partial(close_period, period_id=period.id, now=APRIL + 3 * DAY))
    invoice = Invoice.objects.get(period=period)
    assert [type(each) for each in refused] == ([] if TermFact.objects.exists() else [FactTooLate])
    assert invoice.total == (Decimal(12) if TermFact.objects.exists() else Decimal(30))


def test_one_finding_sent_many_times_at_once_is_one() -> None:
    world, shared = used()
    close_period(period_id=world.period().id, now=APRIL + 3 * DAY)
    act = partial(
        state_audit,
        contract=world.contract,
        term_ref=shared.term.ref,
        audit="A-1",
        period_from_at=MARCH,
        reported_share_amount=Decimal(30),
        found_share_amount=Decimal(36),
        cost_amount=Decimal(0),
        by=By(world.provider, "petra@example.com"),
        now=APRIL + 4 * DAY,
    )
    assert run_at_once(act, act, act) == []
    assert TermFact.objects.count() == 1


def test_one_file_uploaded_many_times_at_once_is_one_statement() -> None:
    world, shared = used(base="certified_revenue", statements={"due_days": 21})
    act = partial(
        state_revenue,
        contract=world.contract,
        term_ref=shared.term.ref,
        period_from_at=MARCH,
        document=b"item,amount,currency\nsample,95,USD\n",
        certified_by="Ada Example",
        by="alice@example.com",
        now=APRIL + DAY,
    )
    assert run_at_once(act, act, act) == []
    assert RevenueStatement.objects.count() == TermFact.objects.count() == 1


def test_both_parties_that_answer_at_once_agree_once() -> None:
    world, shared = used(outside_tolerance="hold_and_ask")
    shared.use({"output": 90 * MTOK}, witness=Witness.ENGINE)
    acts = [
        partial(
            answer_difference,
            contract=world.contract,
            term_ref=shared.term.ref,
            deployment=shared.deployment.id,
            model=MODEL,
            token_class="output",
            from_at=MARCH,
            tokens=95 * MTOK,
            by=By(party, f"{party.slug}@example.com"),
            now=APRIL + DAY,
        )
        for party in (world.provider, world.tenant, world.provider, world.tenant)
    ]
    assert run_at_once(*acts) == []
    assert WitnessAnswer.objects.count() == 2
    assert TermFact.objects.count() == 1
