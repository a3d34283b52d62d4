"""Bank statements and movements by the API: taken in, read, matched, taken back; wrong calls say what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.models import Invoice, InvoiceState
from tests.billing.banking.statements import IBAN, Movement, camt, make_account
from tests.billing.issued import Line, make_issued
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def call(client: Client, organization: Organization, path: str, body: Any = None, method: str = "post") -> Any:
    headers = {"Authorization": f"Bearer {api_key(organization)}"}
    if body is None:
        return client.get(f"/api/v1/{path}", headers=headers)
    return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def test_from_a_file_over_a_match_by_hand_to_taking_it_back(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    invoice = make_issued([Line("42.00")], parties=(cast.provider, cast.tenant), number="S-0001")
    body = {"document": camt([Movement("50.00", "hello", "A1")]).decode(), "name": "april.xml"}

    answer = call(client, cast.provider, "bank-statements", body)

    assert (answer.status_code, answer.json()["stored"]) == (201, 1)
    assert call(client, cast.provider, "bank-statements", body).status_code == 200
    [told] = call(client, cast.provider, "bank-statements").json()["statements"]
    assert (told["id"], told["name"], told["kind"], told["stored"]) == (answer.json()["id"], "april.xml", "camt", 1)
    assert call(client, cast.tenant, "bank-statements").json()["statements"] == []
    [line] = call(client, cast.provider, "bank-lines").json()["lines"]
    assert (line["amount"], line["left"], line["state"], line["account"]) == ("50.00", "50.00", "unmatched", IBAN)
    parts = {"parts": [{"invoice_id": str(invoice.pk), "amount": "42.00"}], "note": "told"}
    matched = call(client, cast.provider, f"bank-lines/{line['id']}/match", parts).json()
    assert (matched["left"], matched["matches"][0]["invoice_id"]) == ("8.00", str(invoice.pk))
    assert Invoice.objects.get().state == InvoiceState.PAID
    undo = f"bank-matches/{matched['matches'][0]['id']}/undo"
    undone = call(client, cast.provider, undo, {"reason": "wrong"}).json()
    assert (undone["left"], undone["matches"][0]["undone"]) == ("50.00", True)
    assert call(client, cast.provider, undo, {"reason": "wrong"}).json()["code"] == "already_unmatched"
    assert Invoice.objects.get().state == InvoiceState.ISSUED
    assert call(client, cast.tenant, f"bank-lines/{line['id']}").status_code == 404


def test_what_no_invoice_has_goes_to_a_balance_or_leaves_the_books(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    make_issued([Line("42.00")], parties=(cast.provider, cast.tenant), number="S-0001")
    content = camt([Movement("50.00", "hello", "A1")]).decode()
    call(client, cast.provider, "bank-statements", {"document": content})
    [line] = call(client, cast.provider, "bank-lines").json()["lines"]
    address = f"bank-lines/{line['id']}"

    kept = call(client, cast.provider, f"{address}/keep", {"tenant_id": str(cast.tenant.pk), "amount": "30.00"}).json()
    assert (kept["left"], kept["matches"][0]["kind"], kept["matches"][0]["amount"]) == ("20.00", "balance", "30.00")
    aside = call(client, cast.provider, f"{address}/set-aside", {"note": "interest"}).json()
    assert (aside["left"], aside["matches"][1]["kind"], aside["state"]) == ("0.00", "aside", "matched")

    nobody = call(client, cast.provider, f"{address}/keep", {"tenant_id": str(cast.outsider.pk)})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "wrong_bank_match")
    assert call(client, cast.provider, f"{address}/set-aside", {}).json()["code"] == "bank_call_malformed"
    for act, body in (("keep", {"tenant_id": str(cast.tenant.pk)}), ("set-aside", {"note": "mine"})):
        assert call(client, cast.outsider, f"{address}/{act}", body).status_code == 404


def test_a_proposal_is_told(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    invoice = make_issued([Line("42.00")], parties=(cast.provider, cast.tenant), number="S-0001")
    content = camt([Movement("42.00", "thanks", payer="Tenant")]).decode()
    call(client, cast.provider, "bank-statements", {"document": content})
    [line] = call(client, cast.provider, "bank-lines?state=all").json()["lines"]
    [proposal] = call(client, cast.provider, f"bank-lines/{line['id']}").json()["proposals"]
    assert proposal == {
        "rule": "name_amount",
        "parts": [{"invoice_id": str(invoice.pk), "amount": "42.00"}],
        "surplus": "0.00",
    }


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("bank-statements", {}, (400, "bank_call_malformed")),
        ("bank-statements", {"document": "<a/>"}, (422, "bank_statement_unreadable")),
        ("bank-statements", {"document": "x", "account": "1"}, (422, "bank_statement_unreadable")),
        ("bank-lines?state=nonsense", None, (400, "bank_call_malformed")),
        ("bank-lines?limit=0", None, (400, "invalid")),
    ],
)
def test_wrong_calls_say_what_is_wrong(cast: Cast, client: Client, path: str, body: Any, said: tuple[int, str]) -> None:
    answer = call(client, cast.provider, path, body)
    assert (answer.status_code, answer.json()["code"]) == said
