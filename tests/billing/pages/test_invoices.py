from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.models import Invoice, InvoiceState
from billing.pages.invoices import pages_of
from billing.payments import PaymentMethod, record_payment
from billing.queries.invoice_list import InvoiceList
from tenants.ids import new_id
from tenants.models import Role
from tests.billing.issued import Line, make_issued
from tests.billing.pages.made import Month, make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import make_world
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db


def pay(invoice: Invoice, amount: str = "") -> None:
    at = datetime.now(UTC)
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"transfer {invoice.pk} {amount}",
        amount=Decimal(amount) if amount else invoice.total,
        currency=invoice.currency,
        received_at=at,
        now=at,
    )


def issue(cast: Cast, number: str, *, days_ago: int = 0) -> Invoice:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    return make_issued((Line("10.00"),), parties=(cast.provider, cast.tenant), issued_at=at, number=number)


month = kept(make_march)


def test_the_list_says_where_each_invoice_stands(cast: Cast, client: Client) -> None:
    issue(cast, "INV-1", days_ago=17)
    issue(cast, "INV-2", days_ago=2)
    pay(issue(cast, "INV-3", days_ago=40))
    issue(cast, "INV-4", days_ago=14)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/invoices/"))
    assert "3 days overdue" in page
    assert "Due in 11 days" in page
    assert "Overdue since today" in page
    assert page.index("INV-2") < page.index("INV-4") < page.index("INV-1") < page.index("INV-3")


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("state=open", {"INV-1", "INV-2"}),
        ("state=overdue", {"INV-1"}),
        ("state=paid", {"INV-3"}),
        ("q=inv-2", {"INV-2"}),
        ("q=INV-2&state=paid", set()),
        ("state=nonsense", {"INV-1", "INV-2", "INV-3"}),
    ],
)
def test_a_list_is_chosen_by_state_and_searched_by_number(
    cast: Cast, client: Client, query: str, numbers: set[str]
) -> None:
    issue(cast, "INV-1", days_ago=17)
    issue(cast, "INV-2", days_ago=2)
    pay(issue(cast, "INV-3", days_ago=40))
    client.force_login(cast.alice)
    page = text_of(client.get(f"/t/invoices/?{query}"))
    assert {number for number in ("INV-1", "INV-2", "INV-3") if number in page} == numbers
    assert {row["number"] for row in rows_of(client.get(f"/t/invoices.csv?{query}"))} == numbers
    assert ("Nothing matches" in page) == (not numbers)


def test_what_grows_now_stands_on_top(cast: Cast, client: Client) -> None:
    now = datetime.now(UTC)
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    world = make_world(tokens={("m", "output"): "1.00"}, from_at=start, parties=(cast.provider, cast.tenant))
    world.share(percent="100", model="m", now=start).use({"output": 12_340_000}, at=start, model="m")
    ensure_periods(contract=world.contract, now=now)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/invoices/"))
    assert world.contract.number in page
    assert "Draft grows until" in page
    assert "$12.34" in page
    assert "No invoices yet" in page
    assert "Draft grows until" not in text_of(client.get("/t/invoices/", {"state": "open"}))


def test_a_period_that_waits_to_close_says_so(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get("/t/invoices/"))
    assert "Closing over; waits for the last readings" in page  # the April that followed
    assert str(month.invoice.number) in page


def test_the_file_holds_every_invoice_with_exact_amounts(cast: Cast, client: Client, month: Month) -> None:
    pay(month.invoice, "7.98")
    client.force_login(cast.alice)
    answer = client.get("/t/invoices.csv")
    (row,) = rows_of(answer)
    assert answer["Content-Disposition"] == 'attachment; filename="invoices-tenant-UTC.csv"'
    assert (row["number"], row["total"], row["outstanding"]) == (month.invoice.number, "2487.98", "2480.00")
    assert (row["period_from_utc"], row["state"]) == ("2026-03-01T00:00:00+00:00", "issued")


def test_pages_hold_25_and_lead_on(cast: Cast, client: Client) -> None:
    for index in range(27):
        issue(cast, f"INV-{index:03d}", days_ago=index)
    client.force_login(cast.alice)
    first, second = client.get("/t/invoices/"), client.get("/t/invoices/?page=2")
    assert "1 to 25 of 27" in text_of(first)
    assert 'rel="next" href="/t/invoices/?page=2"' in first.content.decode()
    assert "26 to 27 of 27" in text_of(second)
    assert 'rel="prev" href="/t/invoices/?page=1"' in second.content.decode()
    assert "26 to 27 of 27" in text_of(client.get("/t/invoices/?page=99"))
    assert client.get("/t/invoices/?page=-1").status_code == 404


def test_fifty_invoices_take_as_many_queries_as_one(
    cast: Cast, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    issue(cast, "INV-000")
    client.force_login(cast.alice)
    with django_assert_max_num_queries(25) as one:
        client.get("/t/invoices/")
    for index in range(1, 50):
        issue(cast, f"INV-{index:03d}", days_ago=index)
    with django_assert_max_num_queries(25) as fifty:
        client.get("/t/invoices/")
    assert len(fifty.captured_queries) == len(one.captured_queries)


def test_roles_that_may_not_read_invoices_are_refused(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(make_user("dev@example.com", cast.tenant, Role.DEVELOPER))
    assert client.get("/t/invoices/").status_code == 403
    assert client.get("/t/invoices.csv").status_code == 403
    for role in (Role.BILLING, Role.VIEWER, Role.ADMIN):
        client.force_login(make_user(f"{role}@example.com", cast.tenant, role))
        assert client.get("/t/invoices/").status_code == 200


def test_the_invoices_of_others_are_not_listed(cast: Cast, client: Client, month: Month) -> None:
    number = str(month.invoice.number)
    client.force_login(cast.charlie)
    assert number not in text_of(client.get("/t/invoices/"))
    assert rows_of(client.get("/t/invoices.csv")) == []
    client.force_login(cast.petra)
    assert client.get("/t/invoices/").status_code == 404


def test_what_an_organization_issued_is_not_what_it_owes(cast: Cast, client: Client) -> None:
    make_issued((Line("5.00"),), parties=(cast.outsider, cast.tenant), number="OUT-1")
    client.force_login(cast.charlie)
    assert "OUT-1" not in text_of(client.get("/t/invoices/"))
    assert client.get("/t/invoices/OUT-1/").status_code == 404
    client.force_login(cast.alice)
    assert "OUT-1" in text_of(client.get("/t/invoices/"))


def test_a_void_invoice_is_shown_as_void(cast: Cast, client: Client) -> None:
    invoice = issue(cast, "INV-9", days_ago=30)
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/invoices/"))
    assert "Void" in page
    assert "days overdue" not in page


def test_behind_what_is_counted_the_list_goes_on_and_back() -> None:
    last, before = new_id(), new_id()
    kept = {"state": "", "q": "ab"}
    end = pages_of("/t/invoices/", InvoiceList((), 10_000, 400, has_more=True, next_after=last), kept)
    assert end is not None
    assert (end.summary, end.next_url) == ("9,976 to 10,000 of 10,000+", f"/t/invoices/?q=ab&after={last}")
    middle = pages_of(
        "/t/invoices/", InvoiceList((), 10_000, 1, has_more=True, after=last, previous_after=before), kept
    )
    assert middle is not None
    assert middle.summary == "1 to 25 of 10,000+, further back"
    assert middle.previous_url == f"/t/invoices/?q=ab&after={before}&page=400"
    assert middle.next_url == f"/t/invoices/?q=ab&after={last}&page=2"
    short = pages_of("/t/invoices/", InvoiceList((), 3, 1, after=last), kept)
    assert short is not None
    assert (short.previous_url, short.next_url) == ("/t/invoices/?q=ab&page=400", "")


def test_an_address_that_names_no_invoice_begins_with_the_latest(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    for after in ("nonsense", str(new_id())):
        assert client.get("/t/invoices/", {"after": after}).status_code == 200
