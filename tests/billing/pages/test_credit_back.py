"""Giving unused credit back by mouse: what is left is offered, goes the chosen way, and both sides see it went."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.collecting.chargebacks import apply_dispute
from billing.credits import grant_credit
from billing.models import Refund, Term, TopUp
from billing.pages.credit_back import CreditBackForm
from billing.rating.credit import CreditWording, Grant
from tenants.ids import new_id
from tests.billing.pages.reading import text_of
from tests.billing.topups.prepaid import bought
from tests.billing.topups.test_charged_back import told
from tests.billing.world import MODEL, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAGE = "/p/credits/"


@kept
def term(cast: Cast) -> Term:
    world = make_world(tokens={(MODEL, "output"): "4"}, parties=(cast.provider, cast.tenant))
    ensure_periods(contract=world.contract, now=datetime.now(UTC))
    start = world.contract.from_at
    made = add_adjustment(
        contract=world.contract, wording=CreditWording(), from_at=start, to_at=None, now=start, title="Prepaid"
    )
    wired = Grant(name="wired", amount=Decimal(50), from_at=start, bought=True)
    grant_credit(term=made, grant=wired, recorded_by="petra", now=start)
    grant_credit(term=made, grant=Grant(name="gift", amount=Decimal(5), from_at=start), recorded_by="petra", now=start)
    return made


@kept
def top_up(term: Term) -> TopUp:
    return bought(term, "100", at=term.contract.from_at)


def filled(term: Term, name: str, **given: str) -> dict[str, str]:
    said = {
        "id": str(new_id()),
        "purchase": f"{term.contract_id}|{name}",
        "method": "bank_transfer",
        "amount": "",
        "reason": "The contract ended.",
        **given,
    }
    return {"action": "back", **{f"back-{field}": value for field, value in said.items()}}


def test_what_was_bought_and_is_left_is_offered_and_nothing_else(cast: Cast, term: Term, top_up: TopUp) -> None:
    form = CreditBackForm(None, cast.provider, datetime.now(UTC), "en")
    assert [one.name for _, one in form.purchases.values()] == [top_up.grant_name, "wired"]
    offered = dict(form.fields["purchase"].choices)  # type: ignore[attr-defined]  # a choice field
    assert "100.00 to the card" in offered[f"{term.contract_id}|{top_up.grant_name}"]
    assert "by bank transfer" in offered[f"{term.contract_id}|wired"]
    assert not CreditBackForm(None, cast.tenant, datetime.now(UTC), "en").purchases


def test_a_part_goes_to_the_card_once_and_the_rest_by_bank(
    cast: Cast, client: Client, term: Term, top_up: TopUp
) -> None:
    client.force_login(cast.petra)
    body = filled(term, top_up.grant_name, method="card", amount="30")
    for _time in range(2):
        assert client.post(PAGE, body).headers["Location"] == "/p/balances/"
    assert client.post(PAGE, filled(term, top_up.grant_name)).status_code == 302
    rows = Refund.objects.order_by("requested_at").values_list("method", "amount", "top_up")
    assert list(rows) == [("card", Decimal(30), top_up.pk), ("bank_transfer", Decimal(70), None)]
    balances = text_of(client.get("/p/balances/"))
    assert "70.00" in balances
    client.force_login(cast.alice)
    words = text_of(client.get("/t/credit/"))
    assert "100.00 given back" in words


@pytest.mark.parametrize(
    "wrong",
    [
        ({"amount": "100.01"}, "No more than 100.00"),
        ({"amount": "0.001"}, "Look at the amount and the reason"),
        ({"reason": ""}, "This field is required"),
        ({"purchase": "nobody|gift"}, "Select a valid choice"),
        ({"id": "x"}, "Give unused credit back"),
    ],
)
def test_what_cannot_go_back_is_said_and_moves_nothing(
    cast: Cast, client: Client, term: Term, top_up: TopUp, wrong: tuple[dict[str, str], str]
) -> None:
    given, said = wrong
    client.force_login(cast.petra)
    answer = client.post(PAGE, filled(term, top_up.grant_name, **given))
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Refund.objects.exists()


def test_a_transfer_goes_to_no_card(cast: Cast, client: Client, term: Term) -> None:
    client.force_login(cast.petra)
    answer = client.post(PAGE, filled(term, "wired", method="card", amount="1"))
    assert (answer.status_code, "No more than 0" in text_of(answer)) == (422, True)


def test_both_sides_see_what_was_charged_back(cast: Cast, client: Client, term: Term, top_up: TopUp) -> None:
    client.force_login(cast.petra)
    client.post(PAGE, filled(term, top_up.grant_name, amount="40"))
    apply_dispute(seen=told(), now=datetime.now(UTC))
    words = text_of(client.get(PAGE))
    assert "charged back" not in words, "another purchase makes it good"
    client.post(PAGE, filled(term, "wired", amount="10"))
    client.force_login(cast.alice)
    words = text_of(client.get("/t/credit/"))
    assert "100.00 charged back" in words
    assert "40.00 given back" in words
