"""Pages of questions: asked on the invoice, answered by both sides, granted, upheld or withdrawn by mouse alone."""

from __future__ import annotations

import pytest
from django.test import Client

from billing.models import CreditNote, Dispute, DisputeState, Invoice
from tenants.models import Role
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import text_of
from tests.billing.pages.test_credit_notes import signed_in
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def invoice() -> Invoice:
    return make_issued([Line("100.00"), Line("20.00")])


def ask(client: Client, invoice: Invoice, line: str = "1") -> Dispute:
    page = client.get(f"/t/invoices/{invoice.number}/question/", {"line": line}).content.decode()
    assert f'<option value="{line}" selected>' in page or not line
    asked = client.post(f"/t/invoices/{invoice.number}/question/", {"line": line, "text": "Half of that."})
    assert asked.status_code == 302
    return Dispute.objects.latest("opened_at")


def act(client: Client, side: str, dispute: Dispute, action: str, **given: str) -> int:
    body = {"action": action, "text": "As you say.", **given}
    status = client.post(f"/{side}/disputes/{dispute.pk}/", body).status_code
    dispute.refresh_from_db()
    return status


def test_a_line_is_questioned_answered_and_granted_in_part(invoice: Invoice) -> None:
    alice, petra = signed_in(invoice.tenant), signed_in(invoice.issuer)
    dispute = ask(alice, invoice)
    assert "sample-model, output tokens (1)" in petra.get("/p/disputes/").content.decode()
    page = petra.get(f"/p/disputes/{dispute.pk}/").content.decode()
    assert "Half of that." in page
    assert "no reminder is sent" in page
    assert "Withdraw the question" not in page
    assert act(petra, "p", dispute, "answer", text="Which <half>?") == 302
    seen = alice.get(f"/t/disputes/{dispute.pk}/").content.decode()
    assert "Which &lt;half&gt;?" in seen
    assert "Grant it" not in seen
    assert act(petra, "p", dispute, "grant", amount="100.01") == 422
    assert act(petra, "p", dispute, "grant", amount="x") == 422
    assert act(petra, "p", dispute, "grant", amount="50") == 302
    assert dispute.state == DisputeState.CREDITED
    assert CreditNote.objects.get().number in alice.get(f"/t/disputes/{dispute.pk}/").content.decode()
    assert act(petra, "p", dispute, "uphold") == 422


def test_the_whole_invoice_is_granted_whole(invoice: Invoice) -> None:
    dispute = ask(signed_in(invoice.tenant), invoice, "")
    petra = signed_in(invoice.issuer)
    said = {"action": "grant", "text": "As you say.", "amount": ""}
    refused = petra.post(f"/p/disputes/{dispute.pk}/", said)
    assert (refused.status_code, CreditNote.objects.exists()) == (422, False)
    page = refused.content.decode()
    assert "Give an amount, or say that it is everything that is left." in page
    assert ">As you say.</textarea>" in page
    assert act(petra, "p", dispute, "grant", amount="", all="1") == 302
    assert CreditNote.objects.get().total == invoice.total


def test_one_is_upheld_and_one_withdrawn_each_by_its_side(invoice: Invoice) -> None:
    alice, petra = signed_in(invoice.tenant), signed_in(invoice.issuer)
    first, second = ask(alice, invoice), ask(alice, invoice, "2")
    assert act(alice, "t", first, "uphold") == 422
    assert act(petra, "p", first, "uphold") == 302
    assert act(alice, "t", second, "withdraw") == 302
    assert [first.state, second.state] == [DisputeState.UPHELD, DisputeState.WITHDRAWN]
    assert "Invoice stands" in alice.get("/t/disputes/").content.decode()


def test_a_second_question_about_a_line_and_one_without_words_are_said_to_be_wrong(invoice: Invoice) -> None:
    alice = signed_in(invoice.tenant)
    ask(alice, invoice)
    for body, words in (
        ({"line": "1", "text": "Again."}, "an open question about this already"),
        ({"line": "2", "text": ""}, "Say what is wrong"),
        ({"line": "99", "text": "x"}, "Say what is wrong"),
    ):
        answer = alice.post(f"/t/invoices/{invoice.number}/question/", body)
        assert answer.status_code == 422
        assert words in answer.content.decode()


def test_viewers_read_and_charlie_finds_nothing(invoice: Invoice) -> None:
    dispute = ask(signed_in(invoice.tenant), invoice)
    viewer = signed_in(invoice.tenant, Role.VIEWER)
    assert viewer.get(f"/t/disputes/{dispute.pk}/").status_code == 200
    assert act(viewer, "t", dispute, "withdraw") == 403
    assert viewer.get(f"/t/invoices/{invoice.number}/question/").status_code == 403
    charlie = signed_in(make_organization("charlie-inc", is_provider=True))
    for side in ("t", "p"):
        assert charlie.get(f"/{side}/disputes/{dispute.pk}/").status_code == 404
        assert act(charlie, side, dispute, "answer") == 404
    assert charlie.get(f"/t/invoices/{invoice.number}/question/").status_code == 404
    assert dispute.state == DisputeState.OPEN
    assert dispute.messages.count() == 1


def test_what_is_granted_is_seen_before_it_is_issued_by_the_provider_alone(invoice: Invoice) -> None:
    alice, petra = signed_in(invoice.tenant), signed_in(invoice.issuer)
    dispute = ask(alice, invoice)
    body = {"action": "grant", "preview": "1", "text": "", "amount": "50"}
    page = petra.post(f"/p/disputes/{dispute.pk}/", body)
    assert page.status_code == 200
    assert "Nothing is issued yet." in text_of(page)
    assert "Off what is left to pay $50.00" in text_of(page)
    assert 'value="50"' in page.content.decode()
    assert "Nothing is issued yet." not in text_of(alice.post(f"/t/disputes/{dispute.pk}/", body))
    assert not CreditNote.objects.exists()
