"""Three periods of credit and a commitment: bills, evidence, movements, ledger and standing say the same."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.credit_grants import prepaid_against_ledger
from billing.evidence import differences
from billing.ledger import balance
from billing.models import AccountKind, CreditMovement, Invoice, InvoiceEvidence, InvoiceLine
from billing.rating.commitment import CommitmentWording
from billing.standing import standing_of
from tests.billing.test_credits import grant, left, prepaid_world
from tests.billing.world import APRIL, HOUR, MARCH, World
from tests.kept import kept

MAY = APRIL + timedelta(days=30)
JUNE = MAY + timedelta(days=31)


def three_periods() -> World:
    """Use of 20, 120 and 10 under a commitment of 50 a period, with 60 given and 100 bought."""
    world, term, _ = prepaid_world(
        stop=None, given=grant("given", 60), paid=grant("paid", 100, bought=True, priority=1)
    )
    add_adjustment(
        contract=world.contract,
        wording=CommitmentWording(amount_per_period=Decimal(50)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Committed",
    )
    for start, end, tokens in ((MARCH, APRIL, 20_000), (APRIL, MAY, 120_000), (MAY, JUNE, 10_000)):
        term.use({"output": tokens}, at=start)
        ensure_periods(contract=world.contract, now=start)
        close_period(period_id=world.period(start).id, now=end + timedelta(days=3))
    return world


world = kept(three_periods)


@pytest.mark.django_db
def test_bills_and_what_was_drawn_come_to_what_was_used_and_committed(world: World) -> None:
    bills = Invoice.objects.order_by("period__from_at")
    assert [int(bill.total) for bill in bills] == [0, 10, 50]
    drawn = CreditMovement.objects.values_list("period__from_at", "grant").annotate(total=Sum("amount"))
    assert [(at, name, int(total)) for at, name, total in drawn.order_by("period__from_at", "grant")] == [
        (MARCH, "given", 50),
        (APRIL, "given", 10),
        (APRIL, "paid", 100),
    ]
    lines = InvoiceLine.objects.filter(rule="credit_drawn").aggregate(total=Sum("amount"))["total"]
    assert lines == -160
    ensure_periods(contract=world.contract, now=JUNE)
    assert left(standing_of(world.contract, JUNE + HOUR)) == {"given": 0, "paid": 0}


@pytest.mark.django_db
def test_the_evidence_of_each_recomputes_and_one_that_was_forged_does_not() -> None:
    three_periods()
    sealed = [json.loads(each.document) for each in InvoiceEvidence.objects.order_by("invoice__period__from_at")]
    assert len(sealed) == 3
    assert [differences(document) for document in sealed] == [[], [], []]
    text = json.dumps(sealed[1])
    forged = text.replace('"20000"', '"20001"').replace('"120000"', '"120001"').replace(": 120000", ": 120001")
    assert forged != text
    assert differences(json.loads(forged))


@pytest.mark.django_db
def test_the_ledger_owes_what_the_movements_leave(world: World) -> None:
    assert prepaid_against_ledger()[1] == []
    owed = {
        kind: balance(organization_id=owner.pk, kind=kind, currency="USD")
        for owner, kind in (
            (world.tenant, AccountKind.PREPAID_CREDIT),
            (world.tenant, AccountKind.TENANT_RECEIVABLE),
            (world.provider, AccountKind.BANK_CLEARING),
            (world.provider, AccountKind.GRANTED_CREDIT),
            (world.provider, AccountKind.PROVIDER_PAYABLE),
        )
    }
    assert [int(amount) for amount in owed.values()] == [0, 60, 100, 60, -220]
