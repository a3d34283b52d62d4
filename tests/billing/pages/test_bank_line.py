"""One movement on its page: a proposal confirmed, invoices named by hand, set aside, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.banking.deciding import match_new
from billing.models import BankLine, BankLineState, Invoice, InvoiceState, Payment
from tests.billing.banking.statements import NOW, Movement, make_account, take_one
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import text_of

if TYPE_CHECKING:
    from typing import Any

    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(cast: Cast, client: Client) -> Cast:
    make_account(cast.provider)
    client.force_login(cast.petra)
    return cast


def issued(cast: Cast, number: str, amount: str) -> Invoice:
    return make_issued([Line(amount)], parties=(cast.provider, cast.tenant), number=number)


def came(cast: Cast, amount: str, text: str = "", payer: str = "Payer Ltd") -> BankLine:
    line = take_one(cast.provider, Movement(amount, text, payer=payer))
    match_new(now=NOW, limit=10)
    line.refresh_from_db()
    return line


def decide(client: Client, line: BankLine, **form: str | list[str]) -> Any:
    return client.post(f"/p/bank/{line.pk}/", form, follow=True)


def test_a_proposal_is_confirmed_as_it_was_shown(bank: Cast, client: Client) -> None:
    invoice = issued(bank, "S-0001", "42.00")
    line = came(bank, "42.00", "thanks", payer="Tenant")
    assert line.state == BankLineState.SUGGESTED
    page = text_of(client.get(f"/p/bank/{line.pk}/"))
    assert "the payer's name is the tenant's, and just this amount is open" in page
    assert "S-0001" in page

    page = text_of(decide(client, line, action="confirm", part=[f"{invoice.pk}:42.00"]))

    assert "Matched." in page
    assert "Invoice S-0001 of Tenant" in page
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID


def test_invoices_are_named_by_hand_and_the_match_is_taken_back(bank: Cast, client: Client) -> None:
    issued(bank, "S-0001", "42.00")
    line = came(bank, "40.00", "what is this")
    part = came(bank, "9.00", "and this")
    assert "Matched in part" in text_of(decide(client, part, action="pay", number_0="S-0001", amount_0="1.00"))
    rows = {"number_0": "S-0001", "amount_0": "40.00", "note": "by phone"}
    assert "by hand · by phone" in text_of(decide(client, line, action="pay", **rows))
    match = line.matches.get()
    page = text_of(decide(client, line, action="unmatch", match=str(match.pk), reason="another tenant's"))
    assert "Taken back. What was paid by it is owed again." in page
    assert "another tenant's" in page
    line.refresh_from_db()
    assert line.state == BankLineState.UNMATCHED
    again = text_of(decide(client, line, action="unmatch", match=str(match.pk), reason="again"))
    assert "The match was taken back before" in again


def test_wrong_rows_are_said_at_the_rows(bank: Cast, client: Client) -> None:
    issued(bank, "S-0001", "42.00")
    line = came(bank, "40.00")
    for rows, words in (
        ({"number_0": "S-0009", "amount_0": "1"}, "No invoice of yours has this number."),
        ({"number_0": "S-0001"}, "Say how much of the movement is for it."),
        ({"number_0": "S-0001", "amount_0": "x"}, "Enter a number."),
        ({}, "Name at least one invoice."),
    ):
        answer = decide(client, line, action="pay", **rows)
        assert answer.status_code == 422
        assert words in text_of(answer)
    too_much = decide(client, line, action="pay", number_0="S-0001", amount_0="41.00")
    assert "40.00 USD of the movement are left; 41.00 are more." in text_of(too_much)
    assert not Payment.objects.exists()


def test_what_is_no_money_of_a_tenant_is_set_aside(bank: Cast, client: Client) -> None:
    line = came(bank, "3.00", "interest")
    assert decide(client, line, action="aside", note="").status_code == 422
    assert "Set aside · " not in text_of(client.get(f"/p/bank/{line.pk}/"))
    page = text_of(decide(client, line, action="aside", note="interest of the bank"))
    assert "by hand · interest of the bank" in page
    line.refresh_from_db()
    assert line.state == BankLineState.MATCHED


def test_what_came_for_a_paid_invoice_is_kept_for_the_tenant(bank: Cast, client: Client) -> None:
    issued(bank, "S-0001", "42.00")
    came(bank, "42.00", "S-0001")
    line = came(bank, "42.00", "S-0001 once more")
    assert "$42.00 more than is owed" in text_of(client.get(f"/p/bank/{line.pk}/"))
    page = text_of(decide(client, line, action="keep", tenant=str(bank.tenant.pk)))
    assert "Balance of Tenant" in page
    assert "Kept for the tenant" in page
    assert decide(client, line, action="keep", tenant=str(bank.outsider.pk)).status_code == 404


@pytest.mark.parametrize(
    "form",
    [{"action": "nonsense"}, {"action": "confirm", "part": ["x:1"]}, {"action": "unmatch", "match": "x"}],
)
def test_what_no_form_sends_is_not_there(bank: Cast, client: Client, form: dict[str, Any]) -> None:
    assert decide(client, came(bank, "3.00"), **form).status_code == 404
