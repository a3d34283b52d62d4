"""The charge that paid a top-up is stored once, and the nightly look knows it as booked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import Contract, Difference, TopUp, TopUpState
from billing.reconciling.looking import begin, look
from billing.stripe_answers import StripeUnavailable
from billing.topups.buying import look_at_top_up, open_top_up, start_top_up
from billing.topups.charges import note_charges
from tests.billing.collected import gateway_of
from tests.billing.topups.prepaid import BACK, prepaid_contract
from tests.factories import make_organization

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def contract() -> Contract:
    make_organization("operator", is_operator=True, is_tenant=False, is_provider=False)
    return prepaid_contract()


def paid(contract: Contract, double: StripeDouble, amount: str = "250.00") -> TopUp:
    """A top-up that was paid on Stripe's page just now."""
    now, gateway = datetime.now(UTC), gateway_of(double)
    made = start_top_up(contract=contract, amount=Decimal(amount), by="alice@example.com", now=now)
    open_top_up(top_up_id=made.pk, return_url=BACK, gateway=gateway, now=now)
    made.refresh_from_db()
    double.complete_checkout(made.session_id)
    assert look_at_top_up(top_up_id=made.pk, gateway=gateway, now=now)
    made.refresh_from_db()
    assert made.state == TopUpState.PAID
    return made


def looked(double: StripeDouble) -> dict[str, Difference]:
    """What differs now, by kind, seen when nothing is on its way any more."""
    now = datetime.now(UTC) + timedelta(minutes=15)
    run = begin(by="owen@operator.example", now=now)
    assert run is not None
    look(run=run, gateway=gateway_of(double), now=now)
    return {one.kind: one for one in Difference.objects.filter(settled_at__isnull=True)}


def test_a_paid_top_up_is_no_difference_and_its_charge_is_stored(contract: Contract, double: StripeDouble) -> None:
    top_up = paid(contract, double)
    assert top_up.charge_id == ""
    assert looked(double) == {}
    top_up.refresh_from_db()
    (charge,) = double.state()["charge"]
    assert top_up.charge_id == charge["id"]


def test_fees_of_a_top_up_do_not_make_it_differ(contract: Contract, double: StripeDouble) -> None:
    double.funds(fee_basis_points=150, fee_fixed=25)
    paid(contract, double)
    assert looked(double) == {}
    double.funds(fee_basis_points=0, fee_fixed=0)


def test_several_top_ups_are_each_known_by_their_own_charge(contract: Contract, double: StripeDouble) -> None:
    first, second = paid(contract, double), paid(contract, double, "40.00")
    assert note_charges(gateway=gateway_of(double)) == 2
    charges = {charge["id"]: charge["amount"] for charge in double.state()["charge"]}
    for top_up, amount in ((first, 25_000), (second, 4_000)):
        top_up.refresh_from_db()
        assert charges[top_up.charge_id] == amount
    assert note_charges(gateway=gateway_of(double)) == 0, "asked once"


def test_another_amount_at_stripe_than_was_granted_is_found(contract: Contract, double: StripeDouble) -> None:
    top_up = paid(contract, double)
    TopUp.objects.filter(pk=top_up.pk).update(amount=Decimal(249))
    found = looked(double)["charge_amount"]
    assert (found.ours, found.theirs) == ("249.00 EUR", "250.00 EUR")


def test_what_was_paid_but_not_granted_stays_a_difference(contract: Contract, double: StripeDouble) -> None:
    now, gateway = datetime.now(UTC), gateway_of(double)
    made = start_top_up(contract=contract, amount=Decimal(250), by="alice@example.com", now=now)
    open_top_up(top_up_id=made.pk, return_url=BACK, gateway=gateway, now=now)
    made.refresh_from_db()
    double.complete_checkout(made.session_id)
    TopUp.objects.update(amount=Decimal(300))
    look_at_top_up(top_up_id=made.pk, gateway=gateway, now=now)
    assert TopUp.objects.get().state == TopUpState.DIFFERS
    assert set(looked(double)) == {"charge_unbooked", "balance"}


def test_while_stripe_is_away_no_charge_is_noted_and_later_all_are(contract: Contract, double: StripeDouble) -> None:
    paid(contract, double)
    double.faults({"kind": "drop"})
    with pytest.raises(StripeUnavailable):
        note_charges(gateway=gateway_of(double))
    assert TopUp.objects.get().charge_id == ""
    assert note_charges(gateway=gateway_of(double)) == 1


def test_only_so_many_are_asked_for_in_one_look(contract: Contract, double: StripeDouble) -> None:
    for _ in range(2):
        paid(contract, double, "10.00")
    assert note_charges(gateway=gateway_of(double), limit=1) == 1
    assert TopUp.objects.filter(charge_id="").count() == 1
