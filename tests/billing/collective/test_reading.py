"""Collective invoices as their parties read them: parts in their order, what is left now, and nobody else's."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.collective.reading import Found, FoundPart, TenantRule, collectives_of, rules_of, with_parts
from billing.corrections.voiding import void_invoice
from billing.models import CollectivePart, Invoice
from tests.billing.collected import pay_by_hand
from tests.billing.collective.gathered import LATER, asks_together, gathered, waits
from tests.billing.issued import make_parties
from tests.factories import make_contract, make_organization, make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Collective
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def made(cast: Cast) -> Collective:
    parties = (cast.provider, cast.tenant)
    waits(parties, "23.45", minutes=9), waits(parties, "100.00"), waits(parties, "0.01", minutes=4)
    return gathered()


def test_both_parties_read_it_and_nobody_else(cast: Cast, made: Collective) -> None:
    assert list(collectives_of(cast.provider)) == list(collectives_of(cast.tenant)) == [made]
    for stranger in (cast.outsider, cast.operator):
        assert not collectives_of(stranger).exists()


def test_parts_stand_in_the_order_in_which_they_were_issued(made: Collective) -> None:
    [found] = with_parts([made])
    assert [part.amount for part in found.parts] == [Decimal("100.00"), Decimal("0.01"), Decimal("23.45")]
    assert [part.left for part in found.parts] == [part.amount for part in found.parts]
    assert found.left == made.total == sum(part.amount for part in found.parts)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_is_the_total_less_every_payment(made: Collective, seed: int) -> None:
    random = Random(seed)
    paid = Decimal(0)
    for part in CollectivePart.objects.filter(collective=made).select_related("invoice"):
        amount = Decimal(random.randrange(0, int(part.amount * 100) + 1)) / 100
        if amount:
            pay_by_hand(part.invoice, str(amount))
        paid += amount
    [found] = with_parts([made])
    assert found.left == made.total - paid
    assert found.collective.total == made.total, "what was asked for stays"


def test_a_part_that_was_voided_is_owed_no_more_and_still_a_part(made: Collective) -> None:
    first = Invoice.objects.get(collective_part__position=1)
    void_invoice(invoice_id=first.pk, reason="wrong", by="petra", now=LATER)
    [found] = with_parts([made])
    assert (found.parts[0].left, found.parts[0].invoice.state) == (Decimal(0), "void")
    assert (len(found.parts), found.left) == (3, Decimal("23.46"))


def test_what_was_paid_too_much_of_one_part_is_not_taken_off_another() -> None:
    invoice = Invoice()
    parts = (FoundPart(invoice, Decimal(5), Decimal(-2)), FoundPart(invoice, Decimal(7), Decimal(7)))
    assert Found(None, parts).left == Decimal(7)  # type: ignore[arg-type]  # its sum asks the parts alone
    assert Found(None, ()).left == 0  # type: ignore[arg-type]  # as above


def test_many_are_read_with_two_queries(
    cast: Cast, made: Collective, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    parties = (cast.provider, cast.tenant)
    waits(parties, "1.00"), waits(parties, "2.00")
    second = gathered()
    with django_assert_num_queries(2):
        found = with_parts([second, made])
        assert [one.collective.pk for one in found] == [second.pk, made.pk]
        assert [len(one.parts) for one in found] == [2, 3]
        assert {part.invoice.contract.number for one in found for part in one.parts}
    assert with_parts([]) == []


def test_every_tenant_of_a_provider_stands_once_by_name(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    book = make_price_book(cast.provider)
    zoe, anna = make_organization("zoe"), make_organization("anna")
    for tenant in (zoe, cast.tenant, anna, cast.tenant):
        make_contract(cast.provider, tenant, book)
    asks_together(cast.provider, cast.tenant)
    asks_together(cast.provider, zoe)
    asks_together(cast.provider, zoe, is_on=False)
    with django_assert_num_queries(2):
        found = rules_of(cast.provider)
    assert found == [
        TenantRule("anna", "Anna", is_on=False),
        TenantRule("tenant", "Tenant", is_on=True),
        TenantRule("zoe", "Zoe", is_on=False),
    ]
    assert rules_of(cast.provider, search="NN") == found[:1]
    assert rules_of(cast.outsider) == []


def test_what_one_provider_said_of_a_tenant_is_not_what_another_did(cast: Cast) -> None:
    for provider in (cast.provider, cast.outsider):
        make_contract(provider, cast.tenant, make_price_book(provider))
    asks_together(cast.provider, cast.tenant)
    assert [rule.is_on for rule in rules_of(cast.provider)] == [True]
    assert [rule.is_on for rule in rules_of(cast.outsider)] == [False]


def test_a_collective_of_others_is_not_in_the_list(cast: Cast, made: Collective) -> None:
    parties = make_parties()
    waits(parties, "1.00"), waits(parties, "2.00")
    other = gathered()
    assert other.number[-4:] == made.number[-4:] == "0001", "numbers are an issuer's own"
    assert list(collectives_of(cast.tenant)) == [made]
