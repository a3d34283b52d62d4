"""The sweep of collective invoices: every group that is due, and one that fails stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from billing.collective.tasks import gather_invoices
from billing.models import CarriedDue, Collective, Settlement, SettlementState
from tests.billing.collective.gathered import state_of, waits
from tests.billing.issued import make_parties
from tests.factories import make_organization

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


def test_every_group_is_gathered_by_one_sweep_and_the_next_finds_nothing() -> None:
    groups = [make_parties() for _ in range(3)]
    for parties in groups:
        waits(parties, "1.00"), waits(parties, "2.00")
    waits(groups[0], "5", currency="JPY"), waits(groups[0], "7", currency="JPY")
    for _ in range(2):
        gather_invoices(unknown_argument_of_a_later_version=1)
        assert sorted(str(one.total.normalize()) for one in Collective.objects.all()) == ["12", "3", "3", "3"]
    assert set(Settlement.objects.values_list("state", flat=True)) == {SettlementState.BY_HAND}


def test_where_stripe_collects_the_last_part_carries_the_others(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_sample"
    parties = make_parties()
    first, second, last = (waits(parties, f"{place}.00", minutes=place) for place in (1, 2, 3))
    gather_invoices()
    assert [state_of(one) for one in (first, second, last)] == ["together", "together", "customer"]
    carried = dict(CarriedDue.objects.values_list("invoice", "carrier"))
    assert carried == {first.pk: last.pk, second.pk: last.pk}


def test_a_group_that_fails_is_logged_and_the_others_are_gathered(caplog: pytest.LogCaptureFixture) -> None:
    broken, well = make_parties(), make_parties()
    for parties in (broken, well):
        waits(parties, "1.00"), waits(parties, "2.00")
    # An issuer whose numbers would come twice: the database refuses the second of them.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_collectivesequence (issuer_id, prefix, next_number) VALUES (%s, %s, 1)",
            [broken[0].pk, "X" * 24],
        )
        cursor.execute(
            "INSERT INTO billing_collective (id, number, issuer_id, tenant_id, currency, total, issued_at, due_at)"
            " VALUES (gen_random_uuid(), %s, %s, %s, 'USD', 1, now(), now())",
            [f"{'X' * 24}0001", broken[0].pk, broken[1].pk],
        )
    gather_invoices()
    assert f"collective invoice of {broken[0].pk} to {broken[1].pk}" in caplog.text
    assert list(Collective.objects.filter(issuer=well[0]).values_list("total", flat=True)) == [3]
    waiting = Settlement.objects.filter(state=SettlementState.GATHERING).values_list("invoice__issuer", flat=True)
    assert list(waiting) == [broken[0].pk] * 2, "what failed waits for the next sweep, whole"


def test_nothing_that_waits_is_nothing_to_do() -> None:
    make_organization("lonely", is_provider=True)
    gather_invoices()
    assert not Collective.objects.exists()
