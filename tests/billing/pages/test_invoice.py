from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.corrections.amounts import Wanted
from billing.evidence import differences
from billing.models import Invoice, InvoiceEvidence, Settlement, SettlementState
from tenants.models import Role
from tests.billing.corrections.corrected import credit
from tests.billing.pages.made import LARGE, Month, make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.pages.test_invoices import pay
from tests.billing.world import APRIL, MARCH, make_world
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
CLASSES = ("input", "cached_input", "output")


def address(invoice: Invoice, tail: str = "") -> str:
    return f"/t/invoices/{invoice.number}/{tail}"


month = kept(make_march)


def test_an_invoice_shows_lines_prices_sources_and_sums(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(address(month.invoice)))
    assert f"{LARGE} $5.37 Input 30,000,000 tokens $0.28 / 1M v1 $2.5200" in page
    assert "Cached input 10,000,000 tokens $0.07 / 1M v1 $0.2100" in page
    assert "Output 8,000,000 tokens $1.10 / 1M v1 $2.6400" in page
    assert "30% of $17.9000 at list price is $5.3700, rounded once." in page
    assert "1,056 GPU-h $2.35 / GPU-h" in page
    untaxed = "Not subject to tax on $2,487.98 · The seller charges no tax $0.00"
    assert f"Subtotal $2,487.98 {untaxed} Total $2,487.98" in page
    assert f"March 2026 · issued 2 Apr 2026 · due 16 Apr 2026 · from {cast.provider.name}" in page


def test_sublines_open_without_scripts(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get(address(month.invoice))
    content = page.content.decode()
    assert content.count('<details class="tbl">') == 3
    assert content.count('<th scope="row">3 Mar</th>') == 5  # three classes of one model, two of the other
    assert "22 days in detail" in text_of(page)


def test_four_checks_hold_on_a_sound_invoice(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = client.get(address(month.invoice))
    assert page.content.decode().count('class="is-good"') == 4
    words = text_of(page)
    assert "40 usage records sum to these lines, to the token" in words
    assert "Your usage page shows the same sum for this period" in words
    assert "Books closed 2 Apr 2026 00:00 UTC" in words


def test_late_usage_shows_as_a_cross(cast: Cast, client: Client, month: Month) -> None:
    month.large.use({"output": 10_000_000}, at=MARCH, model=LARGE)
    client.force_login(cast.alice)
    page = client.get(address(month.invoice))
    assert page.content.decode().count('class="is-bad"') == 1
    assert "Your usage page shows $3.30 more: usage came in after the invoice" in text_of(page)


def test_the_evidence_is_handed_out_byte_for_byte(cast: Cast, client: Client, month: Month) -> None:
    stored = InvoiceEvidence.objects.get(invoice=month.invoice)
    client.force_login(cast.alice)
    answer = client.get(address(month.invoice, "evidence.json"))
    assert answer.content == stored.document.encode()
    assert hashlib.sha256(answer.content).hexdigest() == stored.sha256
    assert answer["Content-Type"] == "application/json"
    assert differences(answer.json()) == []
    page = client.get(address(month.invoice)).content.decode()
    assert stored.sha256[:4] in page


def test_the_lines_file_sums_to_the_invoice(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    answer = client.get(address(month.invoice, "lines.csv"))
    rows = rows_of(answer)
    assert f"invoice-{month.invoice.number}-UTC.csv" in answer["Content-Disposition"]
    assert sum(Decimal(row["line_amount"]) for row in rows if row["line_amount"]) == month.invoice.total
    assert len(rows) == 3 * 20 + 2 * 20 + 22
    exact = [Decimal(row["exact_amount"]) for row in rows if row["model"] == LARGE]
    assert sum(exact) == Decimal("5.37")
    assert {row["price_version"] for row in rows if row["model"] == LARGE} == {"v1"}


def test_without_a_collector_it_says_how_to_pay(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(address(month.invoice)))
    assert f"Transfer $2,487.98 to {cast.provider.name} with the reference RF40 INV0 001" in page
    assert cast.provider.billing_email in page
    assert "Pay $" not in page


def test_part_of_it_paid_shows_what_is_left(cast: Cast, client: Client, month: Month) -> None:
    pay(month.invoice, "487.98")
    client.force_login(cast.alice)
    page = text_of(client.get(address(month.invoice)))
    assert "Received $487.98 Left to pay $2,000.00" in page
    assert "$487.98 received, $2,000.00 to pay" in page


def test_a_paid_invoice_asks_for_nothing(cast: Cast, client: Client, month: Month) -> None:
    pay(month.invoice)
    client.force_login(cast.alice)
    page = text_of(client.get(address(month.invoice)))
    assert "Paid on" in page
    assert "Transfer" not in page
    assert "overdue" not in page


@pytest.mark.parametrize(("url", "offered"), [("https://pay.example.com/i/1", True), ("javascript:alert(1)", False)])
def test_the_payment_page_is_linked_where_there_is_one(
    cast: Cast, client: Client, url: str, offered: bool, month: Month
) -> None:
    Settlement.objects.filter(invoice=month.invoice).update(state=SettlementState.WAIT, hosted_url=url)
    client.force_login(cast.alice)
    page = client.get(address(month.invoice))
    assert ("Pay $2,487.98" in text_of(page)) == offered
    assert (url in page.content.decode()) == offered
    assert ("Pay $2,487.98" in text_of(client.get("/t/invoices/"))) == offered


def test_a_failed_collection_is_said(cast: Cast, client: Client, month: Month) -> None:
    Settlement.objects.filter(invoice=month.invoice).update(state=SettlementState.FAILED)
    client.force_login(cast.alice)
    assert "The payment could not be collected." in text_of(client.get(address(month.invoice)))


def test_missing_reports_are_said_on_the_invoice(cast: Cast, client: Client, month: Month) -> None:
    period = month.world.period()
    burned = {"reason": "it burned", "at": "2026-04-01T01:00:00+00:00"}
    period.accepted_gaps = [{"kind": "node", "name": "node-7"}]
    period.save(update_fields=["accepted_gaps"])
    client.force_login(cast.alice)
    said = text_of(client.get(address(month.invoice)))
    assert "1 report was missing at closing." in said
    assert "accepted that" not in said
    period.accepted_gaps = [{"kind": "node", "name": name, "accepted": burned} for name in ("node-7", "node-8")]
    period.save(update_fields=["accepted_gaps"])
    said = text_of(client.get(address(month.invoice)))
    assert "2 reports were missing at closing." in said
    assert "Its provider accepted that: it burned" in said


@pytest.mark.parametrize("tail", ["", "lines.csv", "evidence.json"])
def test_only_its_tenant_sees_an_invoice(cast: Cast, client: Client, tail: str, month: Month) -> None:
    client.force_login(cast.charlie)
    assert client.get(address(month.invoice, tail)).status_code == 404
    client.force_login(cast.petra)
    assert client.get(address(month.invoice, tail)).status_code == 404
    client.force_login(make_user("dev@example.com", cast.tenant, Role.DEVELOPER))
    assert client.get(address(month.invoice, tail)).status_code == 403
    client.force_login(cast.bob)
    assert client.get(address(month.invoice, tail)).status_code == 200


def test_an_unknown_number_is_not_found(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert client.get("/t/invoices/INV-9999/").status_code == 404


def test_the_number_of_queries_does_not_grow_with_lines(
    cast: Cast, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, month: Month
) -> None:
    client.force_login(cast.alice)
    assert month.invoice.issued_at is not None
    assert month.invoice.issued_at < datetime.now(UTC)
    with django_assert_max_num_queries(41):
        client.get(address(month.invoice))


def test_who_may_correct_is_led_to_question_a_line(cast: Cast, client: Client, month: Month) -> None:
    link = f'href="{address(month.invoice, "question/")}"'
    client.force_login(cast.alice)
    assert link in client.get(address(month.invoice)).content.decode()
    assert client.get(address(month.invoice, "question/")).status_code == 200
    client.force_login(cast.bob)
    assert link not in client.get(address(month.invoice)).content.decode()


def test_what_was_credited_is_not_shown_as_received(cast: Cast, client: Client, month: Month) -> None:
    credit(month.invoice, Wanted(1, amount=Decimal("1.37")))
    client.force_login(cast.alice)
    words = text_of(client.get(address(month.invoice)))
    assert "Total $2,487.98 Credited $1.37 Left to pay $2,486.61" in words
    assert "Received" not in words


def make_large(cast: Cast) -> Invoice:
    """A month of 31 days of two models by three classes: 186 parts on two lines."""
    prices = {(model, token_class): "0.30" for model in ("one", "two") for token_class in CLASSES}
    world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
    shared = world.share(rolled_to_at=APRIL)
    for model in ("one", "two"):
        for day in range(31):
            shared.use(
                {"input": 3_000, "cached_input": 1_000, "output": 500}, at=MARCH + timedelta(days=day), model=model
            )
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL + timedelta(days=1)).invoice
    assert invoice is not None
    return invoice


invoice = kept(make_large)


def test_parts_of_a_large_invoice_are_at_the_address_of_their_line(
    cast: Cast, client: Client, invoice: Invoice
) -> None:
    client.force_login(cast.alice)
    closed = client.get(address(invoice)).content.decode()
    assert '<a class="ghost" href="?line=1#line-1">' in closed
    assert '<a class="ghost" href="?line=2#line-2">' in closed
    assert closed.count("31 days in detail</a>") == 2
    assert closed.count('<tr class="open" id="line-') == 2
    assert '<th scope="row">3 Mar</th>' not in closed
    assert (closed.count('class="is-good"'), closed.count('class="is-unknown"')) == (3, 1)
    assert 'href="?proof=now#evidence"' in closed
    compared = client.get(address(invoice), {"proof": "now"}).content.decode()
    assert compared.count('class="is-good"') == 4
    assert "Your usage page shows the same sum for this period" in compared
    assert 'href="?proof=now#evidence"' not in compared
    opened = client.get(address(invoice), {"line": "1"}).content.decode()
    assert '<details class="tbl" open>' in opened
    assert 'href="?line=1#line-1"' not in opened
    assert 'href="?line=2#line-2"' in opened
    assert opened.count('<th scope="row">3 Mar</th>') == 3  # three classes of the one line
    client.force_login(cast.petra)
    theirs = client.get(f"/p/invoices/{invoice.number}/", {"line": "2"}).content.decode()
    assert '<details class="tbl" open>' in theirs
    assert 'href="?line=1#line-1"' in theirs


@pytest.mark.parametrize("asked", ["0", "3", "-1", "01", "x", "1 OR 1=1"])
def test_a_line_that_is_not_there_opens_nothing(cast: Cast, client: Client, asked: str, invoice: Invoice) -> None:
    client.force_login(cast.alice)
    page = client.get(address(invoice), {"line": asked})
    assert page.status_code == 200
    assert "31 days in detail</summary>" not in page.content.decode()
