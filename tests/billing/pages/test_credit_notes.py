"""Pages of credit notes on both sides, and correcting an invoice by its form."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from billing.corrections.amounts import Wanted
from billing.models import CreditNote, Debit, Invoice, InvoiceState
from billing.rating.rated import Unit
from tenants.ids import new_id
from tenants.models import Role
from tests.billing.adjusting.back_billed import always_back_billed
from tests.billing.adjusting.late import Late, late_world
from tests.billing.corrections.corrected import credit, pay
from tests.billing.issued import Line, make_issued
from tests.billing.pages.made import make_march
from tests.billing.pages.reading import text_of
from tests.factories import Cast, make_organization, make_user
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization

pytestmark = pytest.mark.django_db


def signed_in(organization: Organization, role: Role = Role.OWNER) -> Client:
    client = Client()
    client.force_login(make_user(f"{role}@{organization.slug}.example", organization, role))
    return client


@kept
def invoice() -> Invoice:
    return make_issued([Line("100.00"), Line("20.00")])


def correct(client: Client, invoice: Invoice, **given: str) -> tuple[int, str]:
    body = {"action": "credit", "id": str(new_id()), "why": "service", "note": "Slow on two days.", **given}
    answer = client.post(f"/p/invoices/{invoice.number}/correct/", body)
    return answer.status_code, answer.content.decode()


late = kept(late_world)


def test_a_provider_credits_lines_by_quantity_and_amount_and_both_sides_read_it(invoice: Invoice) -> None:
    petra = signed_in(invoice.issuer)
    page = petra.get(f"/p/invoices/{invoice.number}/correct/").content.decode()
    assert "sample-model, output tokens (1)" in page
    assert correct(petra, invoice, **{"quantity-1": "250000", "amount-2": "5.00"})[0] == 302
    note = CreditNote.objects.get()
    assert (note.total, note.reason, note.note) == (Decimal(30), "service", "Slow on two days.")
    for client, side in ((petra, "p"), (signed_in(invoice.tenant, Role.VIEWER), "t")):
        listed = client.get(f"/{side}/credit-notes/").content.decode()
        assert note.number in listed
        shown = client.get(f"/{side}/credit-notes/{note.number}/").content.decode()
        assert "Slow on two days." in shown
        assert "$30.00" in shown
        assert "250,000 tokens" in shown


def test_what_was_paid_before_is_shown_as_a_balance(invoice: Invoice) -> None:
    pay(invoice, "120")
    credit(invoice, Wanted(2))
    page = signed_in(invoice.tenant).get("/t/credit-notes/").content.decode()
    assert invoice.issuer.name in page
    assert "Kept balances" in page
    assert "$20.00" in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"amount-2": "20.01"}, "what is left to credit: $20.00"),
        ({"amount-2": "-5"}, "An amount is above zero"),
        ({"amount-2": "5.005"}, "has no more decimals than its currency"),
        ({"quantity-1": "0"}, "a quantity or an amount above zero"),
        ({"amount": "x"}, "“x” is no number"),
        ({"amount": "NaN"}, "is no number"),
        ({}, "or everything that is left"),
        ({"quantity-1": "1", "amount-1": "1"}, "a quantity or an amount above zero"),
        ({"amount": "1", "amount-1": "1"}, "or one amount over all lines"),
        ({"all": "1", "note": " "}, "Say why in words that the tenant reads"),
        ({"action": "debit", "debit": "-3", "reason": "x"}, "An amount is above zero"),
        ({"action": "debit", "debit": "3", "reason": " "}, "Say why."),
    ],
)
def test_what_cannot_be_credited_is_said_and_the_form_keeps_what_was_typed(
    invoice: Invoice, given: dict[str, str], words: str
) -> None:
    status, page = correct(signed_in(invoice.issuer), invoice, **given)
    assert status == 422
    assert words in page
    assert all(f'value="{value}"' in page for value in given.values() if value.strip() and value != "1")
    assert not CreditNote.objects.exists()


def test_a_form_that_is_sent_twice_makes_one_credit_note(invoice: Invoice) -> None:
    petra, chosen = signed_in(invoice.issuer), str(new_id())
    assert [correct(petra, invoice, id=chosen, amount="10")[0] for _ in range(2)] == [302, 302]
    assert CreditNote.objects.get().total == Decimal(10)


def test_everything_that_is_left_and_a_write_off(invoice: Invoice) -> None:
    petra = signed_in(invoice.issuer)
    assert correct(petra, invoice, action="write_off", reason="")[0] == 422
    assert correct(petra, invoice, action="write_off", reason="Insolvent")[0] == 302
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.UNCOLLECTIBLE
    assert correct(petra, invoice, all="1")[0] == 302
    assert CreditNote.objects.get().total == Decimal(120)
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID


def test_an_invoice_that_nothing_hangs_on_is_voided(invoice: Invoice) -> None:
    petra = signed_in(invoice.issuer)
    assert "Void this invoice" in petra.get(f"/p/invoices/{invoice.number}/correct/").content.decode()
    assert correct(petra, invoice, action="void", reason="Wrong company")[0] == 302
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.VOID
    other = make_issued([Line("100.00")], parties=(invoice.issuer, invoice.tenant))
    pay(other, "1")
    status, page = correct(petra, other, action="void", reason="Wrong company")
    assert (status, "can no longer be voided" in page) == (422, True)


def test_the_list_leads_to_an_invoice_of_ones_own_alone(invoice: Invoice) -> None:
    petra = signed_in(invoice.issuer)
    found = petra.get("/p/credit-notes/", {"invoice": str(invoice.number)})
    assert (found.status_code, found["Location"]) == (302, f"/p/invoices/{invoice.number}/correct/")
    assert "You issued no invoice" in petra.get("/p/credit-notes/", {"invoice": "INV-9"}).content.decode()


def test_readers_see_and_do_not_correct_and_charlie_finds_nothing(invoice: Invoice) -> None:
    note = credit(invoice, amount="10")
    viewer = signed_in(invoice.issuer, Role.VIEWER)
    assert viewer.get("/p/credit-notes/").status_code == 200
    assert viewer.get(f"/p/invoices/{invoice.number}/correct/").status_code == 403
    charlie = signed_in(make_organization("charlie-inc", is_provider=True))
    for address in (
        f"/p/invoices/{invoice.number}/correct/",
        f"/p/credit-notes/{note.number}/",
        f"/t/credit-notes/{note.number}/",
    ):
        assert charlie.get(address).status_code == 404
    assert charlie.post(f"/p/invoices/{invoice.number}/correct/", {"all": "1", "note": "x"}).status_code == 404
    assert note.number not in charlie.get("/p/credit-notes/").content.decode()
    assert signed_in(invoice.tenant).get(f"/p/credit-notes/{note.number}/").status_code == 404


def test_gpu_time_is_given_back_by_the_hour_as_it_was_billed(cast: Cast) -> None:
    march = make_march(cast).invoice
    lease = march.lines.get(unit=Unit.GPU_SECONDS)
    petra = signed_in(march.issuer, Role.ADMIN)
    page = petra.get(f"/p/invoices/{march.number}/correct/").content.decode()
    assert "1,056 GPU-h" in page
    assert "gpu_seconds" not in page
    assert correct(petra, march, **{f"quantity-{lease.position}": "2.5"})[0] == 302
    note = CreditNote.objects.get()
    assert [line.quantity for line in note.lines.all()] == [Decimal(9_000)]
    assert "2.50 GPU-h" in petra.get(f"/p/credit-notes/{note.number}/").content.decode()
    assert "1,053.50 GPU-h" in petra.get(f"/p/invoices/{march.number}/correct/").content.decode()


def test_an_invoice_names_what_was_given_back_of_it_asked_about_it_and_put_on_the_next(late: Late) -> None:
    late.use(25_000_000)
    invoice = late.close()
    assert invoice is not None
    petra, alice = signed_in(invoice.issuer), signed_in(invoice.tenant)
    assert "Corrections" not in alice.get(f"/t/invoices/{invoice.number}/").content.decode()
    pay(invoice, str(invoice.total))
    note = credit(invoice, amount="5")
    always_back_billed(invoice.issuer)
    assert correct(petra, invoice, action="debit", debit="7", reason="Storage")[0] == 302
    alice.post(f"/t/invoices/{invoice.number}/question/", {"line": "1", "text": "Half of that."})
    for client, side in ((petra, "p"), (alice, "t")):
        page = text_of(client.get(f"/{side}/invoices/{invoice.number}/"))
        assert f"{note.number} −$5.00" in page
        assert "$5.00 of it kept on the balance" in page
        assert "On a later invoice $7.00" in page
        assert "Storage" in page
        assert "Question Open" in page
        credited = client.get(f"/{side}/credit-notes/{note.number}/").content.decode()
        assert f"/{side}/invoices/{invoice.number}/" in credited


def test_a_void_invoice_is_issued_again_by_its_button_and_both_say_so(late: Late) -> None:
    late.use(25_000_000)
    first = late.close()
    assert first is not None
    petra = signed_in(first.issuer)
    address = f"/p/invoices/{first.number}/correct/"
    assert 'value="reissue"' not in petra.get(address).content.decode()
    assert correct(petra, first, action="reissue")[0] == 422
    assert correct(petra, first, action="void", reason="Wrong company")[0] == 302
    void = petra.get(address).content.decode()
    assert 'value="reissue"' in void
    assert "Issue credit note" not in void
    shown = petra.get(f"/p/invoices/{first.number}/")
    assert f'href="{address}"' in shown.content.decode()
    assert "Collecting" not in text_of(shown), "nothing is collected of what is void"
    answer = petra.post(address, {"action": "reissue"})
    again = Invoice.objects.get(reissues=first)
    assert answer.headers["Location"] == f"/p/invoices/{again.number}/correct/"
    old, new = (petra.get(f"/p/invoices/{each.number}/correct/").content.decode() for each in (first, again))
    assert 'value="reissue"' not in old
    assert "Issued again as" in old
    assert answer.headers["Location"] in old
    assert "Issued in place of" in new
    assert address in new
    assert (again.state, again.total) == (InvoiceState.ISSUED, first.total)
    assert f'href="{address}"' not in petra.get(f"/p/invoices/{first.number}/").content.decode()
    alice = signed_in(first.tenant)
    before, after = (alice.get(f"/t/invoices/{each.number}/") for each in (first, again))
    assert f"{again.number} Issued again as" in text_of(before)
    assert f'href="/t/invoices/{again.number}/"' in before.content.decode()
    assert "/question/" not in before.content.decode()
    assert f"{first.number} Issued in place of" in text_of(after)


def test_only_who_may_correct_issues_again(late: Late) -> None:
    late.use(25_000_000)
    first = late.close()
    assert first is not None
    assert correct(signed_in(first.issuer), first, action="void", reason="Wrong company")[0] == 302
    for client in (signed_in(first.issuer, Role.VIEWER), signed_in(first.tenant)):
        assert correct(client, first, action="reissue")[0] in {403, 404}
    assert not Invoice.objects.filter(reissues=first).exists()


def test_a_credit_note_is_seen_before_it_is_issued_and_nothing_is_stored(invoice: Invoice) -> None:
    pay(invoice, "110")
    petra, address = signed_in(invoice.issuer), f"/p/invoices/{invoice.number}/correct/"
    body = {"action": "credit", "preview": "1", "note": ""}
    given = {"quantity-1": "250000", "amount-2": "5.00"}
    page = petra.post(address, {**body, **given})
    assert page.status_code == 200
    assert "250,000 tokens" in text_of(page)
    assert "Total $30.00" in text_of(page)
    assert "Off what is left to pay $10.00" in text_of(page)
    assert "Onto the tenant's balance $20.00" in text_of(page)
    assert all(f'value="{value}"' in page.content.decode() for value in given.values())
    page = petra.post(address, {**body, "all": "1"})
    assert "Total $120.00" in text_of(page)
    assert 'value="1" checked' in page.content.decode()
    page = petra.post(address, {**body, "amount-2": "20.01"})
    assert (page.status_code, "what is left to credit: $20.00" in text_of(page)) == (422, True)
    assert not CreditNote.objects.exists()


def test_a_debit_is_taken_back_on_the_page_while_it_is_on_no_invoice(late: Late) -> None:
    late.use(25_000_000)
    invoice = late.close()
    assert invoice is not None
    petra = signed_in(invoice.issuer)
    always_back_billed(invoice.issuer)
    assert correct(petra, invoice, action="debit", debit="7", reason="Storage")[0] == 302
    made = Debit.objects.get()
    assert "Take $7.00 back: Storage" in petra.get(f"/p/invoices/{invoice.number}/correct/").content.decode()
    assert correct(petra, invoice, action="take_back", debit=str(made.pk), reason=" ")[0] == 422
    assert correct(petra, invoice, action="take_back", debit=str(new_id()), reason="It was not")[0] == 404
    assert correct(petra, invoice, action="take_back", debit=str(made.pk), reason="It was not")[0] == 302
    page = petra.get(f"/p/invoices/{invoice.number}/correct/").content.decode()
    assert "taken back" in page
    assert "Take $7.00 back" not in page
    status, page = correct(petra, invoice, action="take_back", debit=str(made.pk), reason="Again")
    assert (status, "It was taken back before." in page) == (422, True)
