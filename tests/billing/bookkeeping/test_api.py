"""The API of the books, as a provider's finance system and the operator call it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.bookkeeping.api import _money
from billing.models import LedgerPosting
from tenants.api_keys import issue_key
from tests.billing.bookkeeping.kept import Kept, make_kept
from tests.kept import kept as standing

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization

pytestmark = pytest.mark.django_db

SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


def read(
    client: Client, caller: Organization, address: str, query: dict[str, Any] | None = None, accept: str = "*/*"
) -> Any:
    key = issue_key(organization=caller, name="Sample", scopes=["books:read"], actor="tests", now=datetime.now(UTC))
    headers = {"authorization": f"Bearer {key.secret}", "accept": accept}
    return client.get(f"/api/v1/books/{address}", query or {}, headers=headers)


def csv_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


kept = standing(make_kept)


def test_a_provider_reads_its_trial_balance_and_an_account_of_it(client: Client, kept: Kept) -> None:
    told = read(client, kept.world.provider, "accounts").json()
    assert (told["book"], told["balanced"]) == (kept.world.provider.slug, True)
    assert told["totals"] == [{"currency": "USD", "debit": "1474.00", "credit": "1474.00"}]
    owed = next(each for each in told["accounts"] if each["kind"] == "tenant_receivable")
    assert (owed["balance"], owed["organization"], owed["entries"]) == ("44.00", kept.world.tenant.slug, 2)
    first = read(client, kept.world.provider, f"accounts/{owed['id']}/entries", {**SPAN, "limit": "1"}).json()
    assert (first["opening"], first["closing"], first["has_more"]) == ("0.00", "744.00", True)
    more = {**SPAN, "limit": "1", "cursor": first["next_cursor"]}
    second = read(client, kept.world.provider, f"accounts/{owed['id']}/entries", more).json()
    assert [(each["amount"], each["balance"]) for each in second["entries"]] == [("-700.00", "44.00")]
    assert not second["has_more"]
    posting = read(client, kept.world.provider, f"postings/{second['entries'][0]['posting_id']}").json()
    assert (posting["cause"], posting["invoice_id"]) == ("payment", str(kept.invoice.id))
    assert sorted(each["amount"] for each in posting["entries"]) == ["-700.00", "700.00"]
    before = read(client, kept.world.provider, "accounts", {"at": "2026-04-05T00:00:00Z"}).json()
    assert before["totals"][0]["debit"] == "774.00"


def test_files_hold_every_entry_and_sum_to_zero(client: Client, kept: Kept) -> None:
    rows = csv_of(read(client, kept.world.provider, "journal", SPAN, "text/csv"))
    assert len(rows) == 7
    assert sum(Decimal(row["amount"]) for row in rows) == 0
    assert {row["key"] for row in rows} == set(LedgerPosting.objects.values_list("key", flat=True))
    accounts = csv_of(read(client, kept.world.provider, "accounts", accept="text/csv"))
    assert sum(Decimal(row["balance"]) for row in accounts) == 0
    file = read(client, kept.operator, "beancount", SPAN)
    text = b"".join(file.streaming_content).decode()
    assert f"Assets:TenantReceivable:{kept.world.tenant.slug.capitalize()}  744.00 USD" in text
    assert "books-installation-" in file.headers["Content-Disposition"]


def test_the_operator_reads_the_books_of_all_and_others_their_own(client: Client, kept: Kept) -> None:
    assert read(client, kept.operator, "accounts").json()["book"] == "installation"
    assert read(client, kept.operator, "accounts", {"book": "provider"}).status_code == 404
    assert read(client, kept.world.provider, "accounts", {"book": "installation"}).status_code == 404
    assert read(client, kept.world.tenant, "accounts").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "from_at"),
        ({**SPAN, "to": SPAN["from"]}, "to"),
        ({**SPAN, "limit": "0"}, "limit"),
        ({**SPAN, "cursor": "what"}, "cursor"),
        ({**SPAN, "cursor": "MjAyNi0wMS0wMVQwMDowMDowMHwwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA"}, "cursor"),
        ({**SPAN, "book": "mine"}, "book"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(client: Client, kept: Kept, query: dict[str, str], field: str) -> None:
    account = LedgerPosting.objects.filter(cause="invoice")[0].entries.all()[0].account_id
    answer = read(client, kept.world.provider, f"accounts/{account}/entries", query)
    assert answer.status_code == 400
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_what_is_finer_than_the_currency_is_not_rounded_away() -> None:
    assert (_money(Decimal("1.5"), "USD"), _money(Decimal("1.2345"), "USD")) == ("1.50", "1.2345")
    assert _money(Decimal("1.0000"), "JPY") == "1"
