"""A month's drafts in the portal: seen by both sides, approved by the provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.adjusting.last_bills import bill_late
from billing.adjusting.rules import set_issuing_rule
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.corrections.reissuing import reissue_invoice
from billing.corrections.voiding import void_invoice
from billing.models import Contract, Invoice, IssuingRule, TaxQuestion
from billing.tax_rules.deciding import Method
from tenants.models import AuditEntry, Membership, Role
from tests.billing.adjusting.late import MAY, Late, late_world
from tests.billing.pages.reading import text_of
from tests.billing.tax.taxed import VAT_IDS, charges_tax, exempts, stands
from tests.billing.world import APRIL, MARCH
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MILLION = 1_000_000


@kept
def waiting(cast: Cast) -> Late:
    """March was 36.00; April comes to 37.00 and a late million of March, and waits for its approval."""
    late = late_world(parties=(cast.provider, cast.tenant))
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, stored_at=APRIL + timedelta(days=9))
    late.use(26 * MILLION, at=APRIL)
    set_issuing_rule(provider=cast.provider, back_billing_months=12, approves=True, actor="petra", now=APRIL)
    assert late.close(APRIL) is None
    return late


def test_a_draft_is_approved_at_what_was_shown(cast: Cast, client: Client, waiting: Late) -> None:
    client.force_login(cast.petra)
    period = waiting.world.period(APRIL)
    listed = text_of(client.get("/p/drafts/?state=awaiting_approval"))
    assert "To approve $38.00 $36.00 +5.6%" in listed
    assert "To approve 1 complete, and wait for you Closing 0 Running" in listed
    assert "Together, so far $38.00" in listed
    address = f"/p/drafts/{period.pk}/"
    shown = text_of(client.get(address))
    number = Invoice.objects.get().number
    for said in (
        "It waits for your approval. It is complete, and is issued at $38.00 before tax, with $0.00 of tax.",
        f"came late for {number} 1,000,000 tokens $1.00",
        "26,000,000 tokens $37.00 $36.00 +2.8%",
    ):
        assert said in shown, said
    for amount in ("37.00", "nothing"):
        answer = client.post(f"{address}approve/", {"amount": amount}, follow=True)
        assert "comes to something else by now" in text_of(answer)
    answer = client.post(f"{address}approve/", {"amount": "38.00"}, follow=True)
    assert "is issued." in text_of(answer)
    issued = Invoice.objects.latest("issued_at")
    assert client.get(address).headers["Location"] == f"/p/invoices/{issued.number}/"
    second = text_of(client.post(f"{address}approve/", {"amount": "38.00"}, follow=True))
    assert f"is closed: it was issued as {issued.number}." in second
    assert "comes to something else" not in second


@pytest.mark.parametrize(
    ("buyer", "said"),
    [
        ("FR", "Reverse charge on $38.00 · Reverse charge: the buyer owes the tax"),
        ("exempt", "Exempt on $38.00 · diplomatic mission"),
        ("of a small business", "Exempt on $38.00 · Small business"),
        ("of one that charges none", "Not subject to tax on $38.00 · The seller charges no tax"),
    ],
)
def test_a_draft_says_why_it_has_no_tax_as_its_invoice_will(
    cast: Cast, client: Client, waiting: Late, buyer: str, said: str
) -> None:
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, buyer if buyer in VAT_IDS else "DE", vat_id=VAT_IDS.get(buyer, ""))
    if buyer.startswith("of "):
        charges_tax(
            cast.provider, Method.NONE, no_tax_reason="Small business" if buyer == "of a small business" else ""
        )
    else:
        charges_tax(cast.provider)
    if buyer == "exempt":
        exempts(cast.provider, cast.tenant, MARCH.date())
    assert waiting.close(APRIL) is None
    client.force_login(cast.alice)
    period = waiting.world.period(APRIL)
    assert said in text_of(client.get(f"/t/drafts/{period.pk}/"))
    client.force_login(cast.petra)
    assert said in text_of(client.get(f"/p/drafts/{period.pk}/"))
    answer = client.post(f"/p/drafts/{period.pk}/approve/", {"amount": "38.00", "tax": "0"}, follow=True)
    assert "is issued." in text_of(answer)
    issued = Invoice.objects.latest("issued_at")
    assert said in text_of(client.get(f"/p/invoices/{issued.number}/"))


def test_a_draft_that_changed_since_it_was_ready_says_no_other_tax(cast: Cast, client: Client, waiting: Late) -> None:
    """It waits for its next look: until then the page does not name a tax beside another sum."""
    for party in (cast.provider, cast.tenant):
        stands(party, "DE")
    charges_tax(cast.provider)
    client.force_login(cast.petra)
    assert "Value added tax" not in text_of(client.get(f"/p/drafts/{waiting.world.period(APRIL).pk}/"))
    charges_tax(cast.provider, Method.STRIPE, stripe_tax_code="txcd_10000000")
    client.get(f"/p/drafts/{waiting.world.period(APRIL).pk}/")
    assert not TaxQuestion.objects.exists()


def test_what_was_approved_and_waits_for_its_taxes_says_so(cast: Cast, client: Client, waiting: Late) -> None:
    """Taxes were handed to a service after the draft was shown: it comes to nothing else, it is being asked."""
    charges_tax(cast.provider, Method.STRIPE)
    client.force_login(cast.petra)
    address = f"/p/drafts/{waiting.world.period(APRIL).pk}/"
    answer = text_of(client.post(f"{address}approve/", {"amount": "38.00"}, follow=True))
    assert "It does not close yet: it waits for what is named below." in answer
    assert "something else" not in answer


def test_the_tenant_sees_its_draft_and_approves_nothing(cast: Cast, client: Client, waiting: Late) -> None:
    client.force_login(cast.alice)
    period = waiting.world.period(APRIL)
    assert f"/t/drafts/{period.pk}/" in client.get("/t/invoices/").content.decode()
    shown = text_of(client.get(f"/t/drafts/{period.pk}/"))
    assert "$38.00" in shown
    assert "Approve" not in shown
    assert client.post(f"/p/drafts/{period.pk}/approve/", {"amount": "38.00"}).status_code == 404


def test_a_viewer_of_the_provider_sees_it_and_may_not_approve(cast: Cast, client: Client, waiting: Late) -> None:
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    client.force_login(cast.petra)
    period = waiting.world.period(APRIL)
    assert "Approve and issue" not in text_of(client.get(f"/p/drafts/{period.pk}/"))
    assert client.post(f"/p/drafts/{period.pk}/approve/", {"amount": "38.00"}).status_code == 403
    assert client.post("/p/drafts/", {"approves": "on"}).status_code == 403
    assert "How invoices are issued" not in text_of(client.get("/p/drafts/"))


def test_how_invoices_are_issued_is_taken_from_its_form(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No drafts" in text_of(client.get("/p/drafts/?after=nonsense"))
    assert client.post("/p/drafts/", {"back_billing_months": "-1"}).status_code == 422
    client.post("/p/drafts/", {"back_billing_months": "", "approves": "on"})
    rule = IssuingRule.objects.get()
    assert (rule.back_billing_months, rule.approves) == (None, True)


def test_a_draft_that_is_over_says_what_it_waits_for_and_what_is_not_billed(cast: Cast, client: Client) -> None:
    late = late_world(parties=(cast.provider, cast.tenant))
    set_issuing_rule(provider=cast.provider, back_billing_months=0, approves=False, actor="petra", now=MARCH)
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, stored_at=APRIL + timedelta(days=9))
    [node] = late.world.nodes
    late.world.rolled(node, APRIL)
    Contract.objects.update(grace_hours=30_000)
    bill_late(contract_id=late.world.contract.pk, now=APRIL + timedelta(days=10))
    client.force_login(cast.petra)
    shown = text_of(client.get(f"/p/drafts/{late.world.period(APRIL).pk}/"))
    assert f"{node.name} has reported up to: " in shown
    assert datetime.now(UTC) > MAY
    assert "Not billed: $1.00 of earlier periods came too late." in shown
    assert "$0.00 $36.00 -100.0%" in shown.replace("−", "-")


def test_a_period_that_is_over_is_closed_by_its_button(cast: Cast, client: Client) -> None:
    late = late_world(parties=(cast.provider, cast.tenant))
    late.use(25 * MILLION)
    ensure_periods(contract=late.world.contract, now=MARCH)
    period = late.world.period()
    address = f"/p/drafts/{period.pk}/"
    client.force_login(cast.alice)
    assert client.post(f"{address}close/").status_code == 404
    client.force_login(cast.petra)
    assert "The period is over." in text_of(client.get(address))
    answer = client.post(f"{address}close/", follow=True)
    made = Invoice.objects.get()
    assert answer.redirect_chain[-1][0] == f"/p/invoices/{made.number}/"
    assert f"Invoice {made.number} is issued." in text_of(answer)
    assert (made.subtotal, made.state) == (Decimal(36), "issued")
    entry = AuditEntry.objects.get(action="period.closed")
    assert (entry.actor, entry.after) == (
        cast.petra.email,
        {"period": MARCH.isoformat(), "invoice": made.number},
    )
    # The sweep that comes by afterwards finds it done, and so does a second press.
    assert close_period(period_id=period.pk, now=MAY).state is CloseState.ALREADY_CLOSED
    client.post(f"{address}close/")
    assert (Invoice.objects.count(), AuditEntry.objects.filter(action="period.closed").count()) == (1, 1)


def test_why_a_period_does_not_close_now_is_said(cast: Cast, client: Client) -> None:
    late = late_world(parties=(cast.provider, cast.tenant))
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, at=APRIL)
    ensure_periods(contract=late.world.contract, now=MAY)
    client.force_login(cast.petra)
    second, third = late.world.period(APRIL), late.world.period(MAY)
    later = client.post(f"/p/drafts/{third.pk}/close/", follow=True)
    assert "The period before it is not closed yet. Close that one first." in text_of(later)
    set_issuing_rule(provider=cast.provider, back_billing_months=12, approves=True, actor="petra", now=APRIL)
    waits = client.post(f"/p/drafts/{second.pk}/close/", follow=True)
    assert "It is complete, and waits for your approval." in text_of(waits)
    assert "Close now" not in text_of(waits)
    set_issuing_rule(provider=cast.provider, back_billing_months=12, approves=False, actor="petra", now=APRIL)
    assert "is issued." in text_of(client.post(f"/p/drafts/{second.pk}/close/", follow=True))
    [node] = late.world.nodes
    late.world.rolled(node, MAY)
    Contract.objects.update(grace_hours=30_000)
    behind = client.post(f"/p/drafts/{third.pk}/close/", follow=True)
    assert "It does not close yet: it waits for what is named below." in text_of(behind)
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    assert client.post(f"/p/drafts/{third.pk}/close/").status_code == 403
    assert "Close now" not in text_of(client.get(f"/p/drafts/{third.pk}/"))


def test_what_is_missing_is_accepted_on_the_page_and_read_by_both(cast: Cast, client: Client) -> None:
    late = late_world(parties=(cast.provider, cast.tenant))
    late.use(25 * MILLION)
    ensure_periods(contract=late.world.contract, now=MARCH)
    [node] = late.world.nodes
    late.world.rolled(node, MARCH)
    Contract.objects.update(grace_hours=30_000)
    address = f"/p/drafts/{late.world.period().pk}/"
    client.force_login(cast.petra)
    page = client.get(address).content.decode()
    assert f'name="gap" value="node:{node.pk}"' in page
    assert "It waits until this is known." in page
    refused = client.post(f"{address}gaps/", {"gap": f"node:{node.pk}", "reason": " "}, follow=True)
    assert "characters that say why" in text_of(refused)
    done = client.post(f"{address}gaps/", {"gap": f"node:{node.pk}", "reason": "it burned"}, follow=True)
    assert "Accepted: it burned" in text_of(done)
    assert "It waits until this is known." not in text_of(done)
    assert 'name="gap"' not in done.content.decode()
    client.force_login(cast.alice)
    assert "Accepted: it burned" in text_of(client.get(f"/t/drafts/{late.world.period().pk}/"))
    assert client.post(f"{address}gaps/", {}).status_code == 404
    client.force_login(cast.petra)
    assert "is issued." in text_of(client.post(f"{address}close/", follow=True))
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    assert client.post(f"{address}gaps/", {}).status_code == 403


def test_a_draft_is_compared_with_the_invoice_that_stands_and_not_with_a_void_one(
    cast: Cast, client: Client, waiting: Late
) -> None:
    void = Invoice.objects.get()
    void_invoice(invoice_id=void.pk, reason="Wrong company", by="petra", now=MAY)
    again = reissue_invoice(invoice_id=void.pk, by="petra", now=MAY)
    client.force_login(cast.petra)
    shown = text_of(client.get(f"/p/drafts/{waiting.world.period(APRIL).pk}/"))
    # Who kept the address of the draft is led to what it became, on either side; nobody else is.
    became = client.get(f"/p/drafts/{void.period_id}/")
    assert became.headers["Location"] == f"/p/invoices/{again.number}/"
    client.force_login(cast.alice)
    assert client.get(f"/t/drafts/{void.period_id}/").headers["Location"] == f"/t/invoices/{again.number}/"
    assert client.get(f"/p/drafts/{void.period_id}/").status_code == 404
    client.force_login(cast.charlie)
    assert client.get(f"/t/drafts/{void.period_id}/").status_code == 404
    assert f"Period before $36.00 {again.number}" in shown
    assert str(void.number) not in shown.replace(str(again.number), "")
