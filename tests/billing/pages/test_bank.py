"""The provider's bank pages: a file taken, its outcome, accounts, and who may do what."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from billing.banking.deciding import match_new
from billing.models import BankAccount, BankLine, BankLineState, Invoice, InvoiceState
from tenants.models import Role
from tests.billing.banking.statements import IBAN, NOW, Movement, camt, make_account, take
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_user

if TYPE_CHECKING:
    from typing import Any

    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def upload(client: Client, content: bytes, **more: str) -> Any:
    return client.post("/p/bank/", {"document": SimpleUploadedFile("april.xml", content), **more}, follow=True)


def test_from_an_account_over_a_file_to_a_paid_invoice(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No bank account yet" in text_of(client.get("/p/bank/"))
    form = {"number": IBAN, "currency": "USD", "holder": "Sample Compute", "bic": ""}
    page = text_of(client.post("/p/bank/accounts/", form, follow=True))
    assert "DE89 3704 0044 0532 0130 00" in page
    make_account(cast.provider)
    invoice = make_issued([Line("100.00")], parties=(cast.provider, cast.tenant), number="S-0001")

    movements = [
        Movement("100.00", "S-0001", "A1"),
        Movement("7.00", "tip", "A2"),
        Movement("1.00", "", "A3", currency="EUR"),
    ]
    answer = upload(client, camt(movements))

    page = text_of(answer)
    assert "in another currency than the account" in page
    assert "New movements 2" in page
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID
    assert "This very file was taken before" in text_of(upload(client, camt(movements)))
    listed = text_of(client.get("/p/bank/"))
    assert "Payer Ltd" in listed
    assert "Unmatched, USD $7.00" in listed
    assert "$100.00" not in listed
    assert "$100.00" in text_of(client.get("/p/bank/?show=matched"))
    assert "No movement" in text_of(client.get("/p/bank/?show=outgoing"))
    assert "Payer Ltd" in text_of(client.get("/p/bank/?show=all&q=S-0001"))
    assert client.get("/p/bank/?show=nonsense").status_code == 200
    assert client.get("/p/bank/?page=x").status_code == 404


def test_a_file_that_cannot_be_read_says_why(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    client.force_login(cast.petra)
    answer = upload(client, b"<broken")
    assert answer.status_code == 422
    assert "The file is no XML that is read here: it is cut off, or was changed since" in text_of(answer)
    entity = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>'
    assert "it declares a document type or entities." in text_of(upload(client, entity))
    workbook = text_of(upload(client, b"PK\x03\x04\xff\xfe", account=IBAN))
    assert "expected CSV or camt.053, not a workbook or PDF." in workbook
    assert "codec" not in workbook
    assert "expected booked_on, amount, currency" in text_of(upload(client, b"a,b\n", account=IBAN))
    assert not BankLine.objects.exists()


def test_a_csv_file_of_an_account_is_taken(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    client.force_login(cast.petra)
    page = text_of(
        upload(client, b"booked_on,amount,currency,text\n2026-04-14,5.00,USD,tip\nsoon,1,USD,x\n", account=IBAN)
    )
    assert "cannot be read" in page
    assert "line 3" in page
    assert BankLine.objects.get().state == BankLineState.UNMATCHED


def test_an_account_is_closed_and_wrong_ones_are_refused(cast: Cast, client: Client) -> None:
    account = make_account(cast.provider)
    client.force_login(cast.petra)
    wrong = {"number": "DE89370400440532013001", "currency": "USD", "holder": "Sample", "bic": ""}
    assert "no valid IBAN" in text_of(client.post("/p/bank/accounts/", wrong))
    assert client.post("/p/bank/accounts/", {**wrong, "currency": "QQQ"}).status_code == 422
    assert "The account is closed" in text_of(client.post("/p/bank/accounts/", {"close": str(account.pk)}, follow=True))
    assert BankAccount.objects.get().closed_at is not None
    assert client.post("/p/bank/accounts/", {"close": "nonsense"}).status_code == 404
    assert client.post("/p/bank/accounts/", {"close": "00000000-0000-0000-0000-000000000009"}).status_code == 404


def test_a_viewer_reads_and_decides_nothing(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    imported = take(cast.provider, Movement("5.00", "tip"))
    client.force_login(make_user("viewer@example.com", cast.provider, Role.VIEWER))
    assert "Take a statement" not in text_of(client.get("/p/bank/"))
    assert client.get(f"/p/bank/files/{imported.pk}/").status_code == 200
    assert upload(client, b"<x/>").status_code == 403
    assert client.post("/p/bank/accounts/", {}).status_code == 403
    line = imported.lines.get()
    assert "Match by hand" not in text_of(client.get(f"/p/bank/{line.pk}/"))
    assert client.post(f"/p/bank/{line.pk}/", {"action": "aside", "note": "x"}).status_code == 403


def test_the_files_and_movements_of_others_are_not_there(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    imported = take(cast.provider, Movement("5.00", "tip"))
    client.force_login(cast.charlie)
    assert client.get(f"/p/bank/files/{imported.pk}/").status_code == 404
    assert client.get(f"/p/bank/{imported.lines.get().pk}/").status_code == 404
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize(
    ("query", "kept"),
    [("", ["tip", "fee of nobody"]), ("?q=tip", ["tip"]), ("?show=outgoing", ["fee"]), ("?show=matched", ["S-0001"]),
     ("?show=all&q=S-0001", ["S-0001"]), ("?show=nonsense", ["tip", "fee of nobody"]), ("?q=nowhere", [])],
)  # fmt: skip
def test_the_file_has_the_movements_of_the_page_with_its_filters(
    cast: Cast, client: Client, query: str, kept: list[str]
) -> None:
    invoice = make_issued([Line("100.00")], parties=(cast.provider, cast.tenant), number="S-0001")
    make_account(cast.provider)
    take(
        cast.provider, Movement("100.00", "S-0001", "A1"), Movement("5.00", "tip", "A2", payer="=1+1"),
        Movement("-2.50", "fee", "A3"), Movement("7.00", "fee of nobody", "A4"),
    )  # fmt: skip
    match_new(now=NOW, limit=10)
    client.force_login(cast.petra)
    rows = {row["text"] or row["reference_given"]: row for row in rows_of(client.get(f"/p/bank.csv{query}"))}
    assert sorted(rows) == sorted(kept)
    page = client.get(f"/p/bank/{query}").content.decode()
    assert 'data-key="e"' in page
    for words, row in rows.items():
        assert words in page
        assert (row["currency"], row["account"]) == ("USD", IBAN)
    if "S-0001" in rows:
        assert rows["S-0001"]["invoices"] == invoice.number
        assert Decimal(rows["S-0001"]["unmatched"]) == 0
    if "tip" in rows:
        assert rows["tip"]["payer"] == "'=1+1", "a spreadsheet reads it as text"
        assert Decimal(rows["tip"]["unmatched"]) == 5


def test_why_rows_are_refused_is_said_in_the_readers_language(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    client.force_login(cast.petra)
    rows = ["booked_on,amount,currency", "14.4.2026,1.00,USD", "2026-04-14,x,USD", "2026-04-14,1.00,EUR"]
    taken = upload(client, "\n".join(rows).encode(), account=IBAN)
    assert "expected a day such as 2026-11-22" in text_of(taken)
    client.cookies["django_language"] = "zh-hans"
    page = text_of(client.get(taken.redirect_chain[-1][0]))
    assert "应如 2026-11-22" in page
    assert "第 2 行" in page
    assert "该账户以 USD 记账" in page
    assert not [words for words in ("expected", "found", "line", "account") if words in page]
