"""Invoices put together, whatever they come to: parts sum to the whole, each is asked for once, numbers have no gap."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from billing.collective.checks import CHECKS
from billing.collective.gathering import WAITS_MAX, due_groups, gather
from billing.corrections.voiding import void_invoice
from billing.dues import dues_of
from billing.models import (
    BillingPeriod,
    CarriedDue,
    Collective,
    CollectivePart,
    CollectiveSequence,
    Contract,
    DocumentStep,
    Invoice,
    IssuerSequence,
    Settlement,
    SettlementState,
)
from tenants.models import AuditEntry, Organization
from tests.billing.agreements.test_accepting__at_once import run_at_once
from tests.billing.collected import pay_by_hand
from tests.billing.collective.gathered import LATER, gathered, state_of, waits
from tests.billing.issued import ISSUED_AT, TO_AT, make_issued, make_parties
from tests.billing.killed import killed_everywhere
from tests.factories import make_contract, make_organization, make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.django_db

TABLES = (
    Collective,
    CollectivePart,
    CollectiveSequence,
    Settlement,
    CarriedDue,
    DocumentStep,
    AuditEntry,
)


def sweep(now: datetime = LATER, *, stripe: bool = False) -> None:
    for group in due_groups(now=now):
        gather(group=group, now=now, stripe_ready=stripe)


def holds() -> bool:
    return all(not check()[1] for check in CHECKS.values())


parties = kept(make_parties)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stripe", [False, True])
def test_every_invoice_is_asked_for_once_and_parts_are_the_whole(seed: int, stripe: bool) -> None:
    random = Random(seed)
    parties = make_parties()
    left: dict[str, Decimal] = {}
    for place in range(random.randrange(2, 7)):
        amount = Decimal(random.randrange(1, 100_000)) / 100
        invoice = waits(parties, str(amount), minutes=place)
        done = random.choice(("nothing", "nothing", "some", "all", "void"))
        paid = {"some": round(amount / 3, 2), "all": amount}.get(done, Decimal(0))
        if paid:
            pay_by_hand(invoice, str(paid))
        if done == "void":
            void_invoice(invoice_id=invoice.pk, reason="wrong", by="petra", now=ISSUED_AT)
        elif amount - paid:
            left[str(invoice.number)] = amount - paid
    sweep(stripe=stripe)
    parts = {str(part.invoice.number): part.amount for part in CollectivePart.objects.select_related("invoice")}
    if len(left) < 2:
        assert parts == {}
        assert not CollectiveSequence.objects.exists(), "a number is taken only for what is made"
    else:
        assert parts == left
        assert Collective.objects.get().total == sum(left.values())
        carried = dict(CarriedDue.objects.values_list("invoice__number", "amount"))
        latest = Invoice.objects.filter(number__in=left).latest("issued_at").number
        assert carried == ({number: left[number] for number in left if number != latest} if stripe else {})
    assert not Settlement.objects.filter(state=SettlementState.GATHERING).exists()
    assert holds()


def test_the_whole_is_due_when_the_last_of_its_parts_is(parties: tuple[Organization, Organization]) -> None:
    parts = [waits(parties, "1.00", minutes=minutes) for minutes in (0, 600, 60)]
    made = gathered()
    assert made.due_at == max(part.due_at for part in parts if part.due_at is not None)
    assert [part.position for part in made.parts.order_by("position")] == [1, 2, 3]


def test_three_decimals_and_none_are_summed_exactly() -> None:
    for currency, amounts, total in (("KWD", ("0.001", "0.002"), "0.003"), ("JPY", ("1", "999999"), "1000000")):
        parties = make_parties()
        for amount in amounts:
            waits(parties, amount, currency=currency)
        assert gathered().total == Decimal(total)
    assert holds()


def test_what_was_issued_apart_is_no_part(parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    alone = make_issued(parties=parties)
    made = gathered()
    assert made.total == 3
    assert not CollectivePart.objects.filter(invoice=alone).exists()


def test_what_waits_is_asked_for_when_it_waited_long_enough_and_not_a_second_before(
    parties: tuple[Organization, Organization],
) -> None:
    waits(parties, "1.00", minutes=7), waits(parties, "2.00", minutes=3)
    contract = make_contract(*parties, make_price_book(parties[0]))
    BillingPeriod.objects.create(contract=contract, from_at=TO_AT - timedelta(days=31), to_at=TO_AT)
    oldest = ISSUED_AT + timedelta(minutes=3)
    assert due_groups(now=oldest + WAITS_MAX - timedelta(microseconds=1)) == []
    assert len(due_groups(now=oldest + WAITS_MAX)) == 1


@pytest.mark.parametrize("state", ["draft", "offered"])
def test_a_contract_that_never_began_is_not_waited_for(state: str, parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    contract = make_contract(*parties, make_price_book(parties[0]))
    BillingPeriod.objects.create(contract=contract, from_at=TO_AT - timedelta(days=31), to_at=TO_AT)
    assert due_groups(now=LATER) == []
    Contract.objects.filter(pk=contract.pk).update(state=state)
    assert len(due_groups(now=LATER)) == 1


def test_a_period_that_ends_later_or_is_anothers_is_not_waited_for(parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    later = make_contract(*parties, make_price_book(parties[0]))
    BillingPeriod.objects.create(contract=later, from_at=TO_AT, to_at=TO_AT + timedelta(days=30))
    other = make_contract(*parties, make_price_book(parties[0], currency="EUR"))
    BillingPeriod.objects.create(contract=other, from_at=TO_AT - timedelta(days=31), to_at=TO_AT)
    strangers = make_parties()
    theirs = make_contract(*strangers, make_price_book(strangers[0]))
    BillingPeriod.objects.create(contract=theirs, from_at=TO_AT - timedelta(days=31), to_at=TO_AT)
    assert len(due_groups(now=LATER)) == 1


@pytest.mark.parametrize(
    ("slug", "invoices", "number"),
    [("acme", "", "COLACME-0001"), ("first", "INV-", "COL-0001"), ("a-very-long-name", "", "COLA-VERY-LONG-0001")],
)
def test_numbers_are_named_after_the_issuers_invoices(slug: str, invoices: str, number: str) -> None:
    provider, tenant = make_organization(slug, is_provider=True, is_tenant=False), make_organization("pays")
    if invoices:
        IssuerSequence.objects.create(issuer=provider, prefix=invoices, next_number=1)
    waits((provider, tenant), "1.00"), waits((provider, tenant), "2.00")
    assert gathered().number == number


@pytest.mark.unmeasured
@pytest.mark.parametrize("stripe", [False, True])
def test_a_sweep_that_dies_before_any_write_leaves_all_waiting(
    stripe: bool, parties: tuple[Organization, Organization]
) -> None:
    for place in range(3):
        waits(parties, "7.00", minutes=place)
    [group] = due_groups(now=LATER)
    killed_everywhere(lambda: gather(group=group, now=LATER, stripe_ready=stripe), TABLES, least=8)
    assert Collective.objects.get().number.endswith("0001"), "no number was lost"
    assert CollectiveSequence.objects.get().next_number == 2
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_ask_once() -> None:
    parties = make_parties()
    waits(parties, "1.00"), waits(parties, "2.00")
    [group] = due_groups(now=LATER)
    assert run_at_once(*(partial(gather, group=group, now=LATER, stripe_ready=False) for _ in range(3))) == []
    assert (Collective.objects.count(), CollectivePart.objects.count()) == (1, 2)
    assert CollectiveSequence.objects.get().next_number == 2
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_two_groups_of_one_issuer_at_once_take_two_numbers() -> None:
    issuer, first = make_parties()
    _other, second = make_parties()
    for tenant in (first, second):
        waits((issuer, tenant), "1.00"), waits((issuer, tenant), "2.00")
    acts = [partial(gather, group=group, now=LATER, stripe_ready=False) for group in due_groups(now=LATER)]
    assert run_at_once(*acts) == []
    numbers = sorted(Collective.objects.values_list("number", flat=True))
    assert [number[-4:] for number in numbers] == ["0001", "0002"]
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_a_sweep_at_once_ask_for_what_is_left_or_the_whole() -> None:
    parties = make_parties()
    paid, other = waits(parties, "10.00"), waits(parties, "20.00")
    [group] = due_groups(now=LATER)
    refused = run_at_once(
        partial(gather, group=group, now=LATER, stripe_ready=False), partial(pay_by_hand, paid, "4.00")
    )
    assert refused == []
    assert Collective.objects.get().total in (Decimal("26.00"), Decimal("30.00"))
    assert dues_of(paid).left == Decimal("6.00")
    assert state_of(other) == SettlementState.BY_HAND
    assert holds()
    assert Organization.objects.filter(pk=group.issuer_id).exists()
