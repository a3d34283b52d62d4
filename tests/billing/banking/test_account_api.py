"""Bank accounts by the API: opened once, read by their provider alone, closed, and open again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import BankAccount
from tenants.models import AuditEntry
from tests.billing.banking.statements import IBAN, make_account
from tests.billing.banking.test_api import call

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
ACCOUNT = {"number": IBAN, "currency": "EUR", "holder": "Sample Compute"}


def test_an_account_is_opened_once_closed_and_open_again(cast: Cast, client: Client) -> None:
    made = call(client, cast.provider, "bank-accounts", ACCOUNT)
    assert made.status_code == 201
    again = call(client, cast.provider, "bank-accounts", ACCOUNT)
    assert (again.status_code, again.json()) == (200, made.json())
    address = f"bank-accounts/{made.json()['id']}/close"
    closed = call(client, cast.provider, address, {}).json()
    assert closed["closed_at"] is not None
    assert call(client, cast.provider, address, {}).json() == closed
    assert call(client, cast.provider, "bank-accounts").json()["accounts"] == [closed]
    assert call(client, cast.provider, "bank-accounts", ACCOUNT).status_code == 201
    noted = AuditEntry.objects.filter(organization=cast.provider, action__startswith="bank_account.")
    assert [one.action for one in noted.order_by("at", "pk")] == [
        "bank_account.opened",
        "bank_account.closed",
        "bank_account.opened",
    ]


def test_an_account_is_of_its_provider_alone(cast: Cast, client: Client) -> None:
    account = make_account(cast.provider)
    for stranger in (cast.tenant, cast.outsider):
        assert call(client, stranger, "bank-accounts").json()["accounts"] == []
        assert call(client, stranger, f"bank-accounts/{account.pk}/close", {}).status_code == 404
    assert call(client, cast.tenant, "bank-accounts", ACCOUNT).status_code == 404
    assert BankAccount.objects.get().closed_at is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"holder": ""}, (400, "bank_account_malformed")),
        ({"currency": "euro"}, (400, "bank_account_malformed")),
        ({"number": "DE00 0000"}, (422, "wrong_bank_account")),
        ({"currency": "QQQ"}, (422, "wrong_bank_account")),
    ],
)
def test_what_is_no_account_is_refused(
    cast: Cast, client: Client, wrong: dict[str, str], said: tuple[int, str]
) -> None:
    answer = call(client, cast.provider, "bank-accounts", ACCOUNT | wrong)
    assert (answer.status_code, answer.json()["code"]) == said
    assert not BankAccount.objects.exists()
