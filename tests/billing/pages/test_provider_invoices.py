"""What a provider issued: its list, one invoice with what can be done about it, and files that say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.models import CreditReason, Invoice
from billing.pages.invoice import shown_invoice
from billing.payments import PaymentMethod, record_payment
from billing.queries.invoice_detail import invoice_detail
from billing.queries.invoice_list import find_invoice
from billing.write_offs import write_off
from tenants.models import Role
from tests.billing.issued import Line, make_issued
from tests.billing.pages.made import make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import Cast, make_organization, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


def issue(cast: Cast, number: str, *, days_ago: int = 0, amount: str = "10.00") -> Invoice:
    parties = (cast.provider, cast.tenant)
    return make_issued((Line(amount),), parties=parties, issued_at=NOW - timedelta(days=days_ago), number=number)


def pay(invoice: Invoice, amount: str) -> None:
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"transfer {invoice.pk} {amount}",
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=NOW,
        now=NOW,
    )


def credit(invoice: Invoice, amount: str) -> None:
    issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(amount=Decimal(amount)),
        reason=CreditReason.GOODWILL,
        note="sample",
        by="petra",
        now=NOW,
    )


@pytest.fixture
def petra(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.petra)
    return client


@kept
def invoice(cast: Cast) -> Invoice:
    return issue(cast, "INV-1", amount="100.00")


def test_the_list_says_who_owes_what_and_what_is_left_of_it(cast: Cast, petra: Client) -> None:
    issue(cast, "INV-1", days_ago=20)
    pay(issue(cast, "INV-2", days_ago=3, amount="25.00"), "5.00")
    page = text_of(petra.get("/p/invoices/"))
    assert page.index("INV-2") < page.index("INV-1")
    for words in (cast.tenant.name, "6 days overdue", "Due in 10 days", "$25.00", "$20.00"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", {"INV-1", "INV-2", "INV-3"}),
        ("state=open", {"INV-1", "INV-2"}),
        ("state=overdue", {"INV-1"}),
        ("state=paid", {"INV-3"}),
        ("q=INV-2", {"INV-2"}),
        ("q=tenant", {"INV-1", "INV-2", "INV-3"}),
        ("q=nobody", set()),
        ("state=paid&q=INV-1", set()),
        ("state=unheard-of", {"INV-1", "INV-2", "INV-3"}),
    ],
)
def test_the_list_and_its_file_hold_what_is_asked_for(cast: Cast, petra: Client, query: str, numbers: set[str]) -> None:
    issue(cast, "INV-1", days_ago=20)
    issue(cast, "INV-2")
    pay(issue(cast, "INV-3"), "10.00")
    page = text_of(petra.get(f"/p/invoices/?{query}"))
    assert {number for number in ("INV-1", "INV-2", "INV-3") if number in page.replace("INV-1,", "")} >= numbers
    rows = rows_of(petra.get(f"/p/invoices.csv?{query}"))
    assert {row["number"] for row in rows} == numbers
    assert {row["tenant"] for row in rows} <= {cast.tenant.name}


def test_an_empty_list_says_why(petra: Client) -> None:
    assert "No invoices yet" in text_of(petra.get("/p/invoices/"))
    assert "Nothing matches" in text_of(petra.get("/p/invoices/?q=none"))


def test_what_others_issued_is_not_in_it(cast: Cast, petra: Client) -> None:
    stranger = make_organization("stranger", is_provider=True)
    make_issued((Line("10.00"),), parties=(stranger, cast.tenant), issued_at=NOW, number="STR-1")
    issue(cast, "INV-1")
    assert "STR-1" not in text_of(petra.get("/p/invoices/"))
    assert [row["number"] for row in rows_of(petra.get("/p/invoices.csv"))] == ["INV-1"]
    assert petra.get("/p/invoices/STR-1/").status_code == 404


def test_one_invoice_is_what_its_tenant_sees_in_the_issuers_words(cast: Cast, petra: Client) -> None:
    invoice = make_march(cast).invoice
    page = text_of(petra.get(f"/p/invoices/{invoice.number}/"))
    assert f"to {cast.tenant.name}" in page
    assert "What it is for" in page
    assert "The tenant's usage page shows the same sum" in page
    assert "Same as your usage page" not in page
    assert "$2,487.98" in page
    lines = rows_of(petra.get(f"/p/invoices/{invoice.number}/lines.csv"))
    assert sum(Decimal(row["line_amount"]) for row in lines if row["line_amount"]) == invoice.total
    evidence = petra.get(f"/p/invoices/{invoice.number}/evidence.json")
    alice = Client()
    alice.force_login(cast.alice)
    assert evidence.content == alice.get(f"/t/invoices/{invoice.number}/evidence.json").content


def test_what_was_paid_credited_and_written_off_stand_apart(cast: Cast, petra: Client, invoice: Invoice) -> None:
    pay(invoice, "20.00")
    credit(invoice, "30.00")
    write_off(invoice_id=invoice.pk, reason="insolvent", by="petra", now=NOW)
    alice = Client()
    alice.force_login(cast.alice)
    for client, side in ((petra, "p"), (alice, "t")):
        page = text_of(client.get(f"/{side}/invoices/INV-1/"))
        after = page[page.index("Total") :]
        for words in ("Received $20.00", "Credited $30.00", "Written off $50.00", "Left to pay $0.00"):
            assert words in after, (side, words)


def test_a_payment_that_comes_while_the_page_is_made_is_on_none_of_its_sums_or_all(
    cast: Cast, invoice: Invoice
) -> None:
    asked_for = find_invoice(cast.tenant, "INV-1")
    pay(invoice, "20.00")
    detail = invoice_detail(cast.tenant, invoice.pk)
    assert asked_for is not None
    assert detail is not None
    shown = shown_invoice(asked_for, detail, NOW, "en", side="tenant", opened="")
    assert (shown["paid"], shown["row"].outstanding) == (Decimal(20), Decimal(80))


def test_a_credit_alone_is_not_called_received(petra: Client, invoice: Invoice) -> None:
    credit(invoice, "30.00")
    page = text_of(petra.get("/p/invoices/INV-1/"))
    assert "Received" not in page
    assert "Credited $30.00" in page
    assert "$70.00 to pay" in page


def test_the_issuer_is_led_to_what_it_can_do(cast: Cast, petra: Client) -> None:
    invoice = issue(cast, "INV-1", days_ago=20)
    links = petra.get("/p/invoices/INV-1/").content.decode()
    assert f'href="/p/dunning/{invoice.pk}/"' in links
    assert 'href="/p/invoices/INV-1/correct/"' in links
    assert "Pay $" not in links
    pay(invoice, "10.00")
    assert "/p/dunning/" + str(invoice.pk) not in petra.get("/p/invoices/INV-1/").content.decode()


def test_who_may_only_read_is_offered_no_correction(cast: Cast) -> None:
    issue(cast, "INV-1")
    viewer = Client()
    viewer.force_login(make_user("viewer@example.com", cast.provider, Role.VIEWER))
    answer = viewer.get("/p/invoices/INV-1/")
    if answer.status_code == 200:
        assert "/correct/" not in answer.content.decode()
    else:
        assert answer.status_code == 403


def test_a_tenant_is_led_from_its_invoice_to_a_question(cast: Cast) -> None:
    issue(cast, "INV-1")
    alice, bob = Client(), Client()
    alice.force_login(cast.alice)
    bob.force_login(cast.bob)
    address = alice.get("/t/invoices/INV-1/")
    assert 'href="/t/invoices/INV-1/question/"' in address.content.decode()
    assert alice.get("/t/invoices/INV-1/question/").status_code == 200
    assert "/question/" not in bob.get("/t/invoices/INV-1/").content.decode()


def test_the_number_of_queries_does_not_grow(
    cast: Cast, petra: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    issue(cast, "INV-1")
    petra.get("/p/invoices/")
    with django_assert_max_num_queries(14) as few:
        petra.get("/p/invoices/")
    for number in range(2, 8):
        issue(cast, f"INV-{number}")
    with django_assert_max_num_queries(len(few)):
        petra.get("/p/invoices/")


@pytest.mark.parametrize("number", ["NONE-1", "INV-9", "%00"])
def test_an_unknown_number_is_404(petra: Client, number: str) -> None:
    for tail in ("", "lines.csv", "evidence.json"):
        assert petra.get(f"/p/invoices/{number}/{tail}").status_code == 404
