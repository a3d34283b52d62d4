"""Drafts, their approval, the rule of issuing and steps tried again, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from billing.adjusting.rules import set_issuing_rule
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.models import BillingPeriod, Contract, Invoice, Settlement, SettlementState
from billing.tax_rules.deciding import NO_TAX_REASON
from tenants.api_keys import SCOPES, issue_key
from tests.billing.adjusting.late import Late, late_world
from tests.billing.world import APRIL, MARCH
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization

pytestmark = pytest.mark.django_db

MILLION = 1_000_000
NOW = datetime.now(UTC)
PUSHED = {"hosted_url": "https://x", "stripe_invoice_id": "in_1"}


def client_of(organization: Organization) -> Client:
    key = issue_key(organization=organization, name="test", scopes=list(SCOPES), actor="test", now=NOW)
    return Client(headers={"authorization": f"Bearer {key.secret}"})


def get(client: Client, address: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1/{address}")
    assert answer.status_code == status, answer.content
    return answer.json()


def send(client: Client, method: str, address: str, body: object, status: int = 200) -> Any:
    answer = getattr(client, method)(f"/api/v1/{address}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def ready_world() -> Late:
    """March was 36.00 and issued; April is 38.00 with a late million, and waits for its approval."""
    late = late_world()
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, stored_at=APRIL.replace(day=9))
    late.use(26 * MILLION, at=APRIL)
    set_issuing_rule(provider=late.world.provider, back_billing_months=12, approves=True, actor="petra", now=APRIL)
    assert late.close(APRIL) is None
    return late


late = kept(late_world)


def test_a_draft_is_read_beside_the_period_before_and_approved_at_its_amount() -> None:
    late = ready_world()
    provider, tenant = client_of(late.world.provider), client_of(late.world.tenant)
    period = late.world.period(APRIL)

    listed = get(provider, "drafts?state=awaiting_approval")["drafts"]
    assert [(each["id"], each["amount"], each["previous_amount"]) for each in listed] == [
        (str(period.pk), "38.00", "36.00")
    ]
    draft = get(provider, f"drafts/{period.pk}")
    number = Invoice.objects.get().number
    assert [(line["rule"], line["amount"], line["previous_amount"], line["adjusts"]) for line in draft["lines"]] == [
        ("token_price_tier", "37.00", "36.00", ""),
        ("late_usage", "1.00", None, number),
    ]
    assert [action["name"] for action in draft["actions"]] == ["approve"]
    assert get(tenant, f"drafts/{period.pk}")["actions"] == []

    wrong = send(provider, "post", f"drafts/{period.pk}/approve", {"amount": "37.00"}, 409)
    assert (wrong["code"], wrong["amount"]) == ("invoice_draft_changed", "38.0000")
    send(tenant, "post", f"drafts/{period.pk}/approve", {"amount": "38.00"}, 404)
    assert (draft["ready_amount"], draft["ready_tax"]) == ("38.00", "0.00")
    (none,) = draft["taxes"]
    assert (none["category"], none["taxable"], none["tax"]) == ("O", "38.00", "0.00")
    assert (none["reason_code"], none["reason"]) == ("VATEX-EU-O", NO_TAX_REASON)
    other = {"amount": draft["ready_amount"], "tax": "1.00"}
    wrong = send(provider, "post", f"drafts/{period.pk}/approve", other, 409)
    assert (wrong["code"], wrong["tax"]) == ("invoice_draft_changed", "0.0000")
    same = {"amount": draft["ready_amount"], "tax": draft["ready_tax"]}
    done = send(provider, "post", f"drafts/{period.pk}/approve", same)
    assert done["state"] == CloseState.CLOSED
    assert str(Invoice.objects.get(pk=done["invoice_id"]).total) == "38.0000"
    assert get(tenant, f"invoices/{done['invoice_id']}")["taxes"] == draft["taxes"]
    get(provider, f"drafts/{period.pk}", 404)


def test_drafts_are_listed_a_page_at_a_time(late: Late) -> None:
    ensure_periods(contract=late.world.contract, now=APRIL)
    tenant = client_of(late.world.tenant)
    first = get(tenant, "drafts?limit=1")
    second = get(tenant, f"drafts?limit=1&cursor={first['next_cursor']}")
    assert second["next_cursor"] is None
    found = {each["id"] for page in (first, second) for each in page["drafts"]}
    assert found == {str(pk) for pk in BillingPeriod.objects.values_list("pk", flat=True)}
    assert {each["state"] for each in first["drafts"]} <= {"closing", "running"}
    assert get(tenant, "drafts?state=approved")["drafts"] == []
    assert get(tenant, "drafts?limit=0", 400)["code"] == "invalid"


def test_the_rule_of_issuing_is_read_and_set_by_the_provider_alone(late: Late) -> None:
    provider, tenant = client_of(late.world.provider), client_of(late.world.tenant)
    assert get(provider, "issuing-rule") == {"back_billing_months": 12, "approves": False}
    said = {"back_billing_months": None, "approves": True}
    assert send(provider, "put", "issuing-rule", said) == said == get(provider, "issuing-rule")
    assert send(provider, "put", "issuing-rule", {"back_billing_months": 500, "approves": True}, 422)["errors"]
    get(tenant, "issuing-rule", 404)


@kept
def issued() -> Late:
    """A March whose invoice goes out by Stripe."""
    late = late_world()
    late.use(25 * MILLION)
    ensure_periods(contract=late.world.contract, now=MARCH)
    close_period(period_id=late.world.period().pk, now=APRIL, stripe_ready=True)
    return late


@pytest.mark.parametrize(
    ("state", "more", "steps", "retries"),
    [
        ("customer", {}, ("waiting", "waiting"), ["retry_stripe_push"]),
        ("failed", {"last_error": "No."}, ("failed", "waiting"), ["retry_stripe_push"]),
        ("wait", {**PUSHED, "last_error": "Declined."}, ("done", "waiting"), ["retry_collect"]),
        ("wait", PUSHED, ("done", "waiting"), []),
        ("failed", PUSHED, ("done", "failed"), ["retry_collect"]),
        ("paid", PUSHED, ("done", "done"), []),
        ("by_hand", {}, ("not_needed", "waiting"), []),
        ("paid", {}, ("not_needed", "done"), []),
    ],
)
def test_each_step_says_where_it_is_and_what_may_be_tried_again(
    issued: Late, state: str, more: dict[str, Any], steps: tuple[str, str], retries: list[str]
) -> None:
    Settlement.objects.update(state=SettlementState(state), **more)
    late = issued
    invoice = Invoice.objects.get()
    provider, tenant = client_of(late.world.provider), client_of(late.world.tenant)
    found = get(provider, f"invoices/{invoice.pk}")
    by_name = {step["name"]: step for step in found["steps"]}
    assert (by_name["stripe_push"]["state"], by_name["collect"]["state"]) == steps
    assert by_name["tax"]["state"] == "done"
    assert [action["name"] for action in found["actions"] if action["name"].startswith("retry")] == retries
    told = get(tenant, f"invoices/{invoice.pk}")["actions"]
    assert not any(action["name"].startswith("retry") for action in told)


def test_a_step_that_stopped_goes_on_when_it_is_tried_again(issued: Late) -> None:
    Settlement.objects.update(state=SettlementState.FAILED, last_error="No such customer.")
    late = issued
    invoice = Invoice.objects.get()
    provider = client_of(late.world.provider)
    assert send(provider, "post", f"invoices/{invoice.pk}/steps/stripe_push/retry", {})["state"] == "customer"
    again = send(provider, "post", f"invoices/{invoice.pk}/steps/stripe_push/retry", {}, 409)
    assert again["code"] == "settlement_not_retryable"
    assert send(provider, "post", f"invoices/{invoice.pk}/steps/tax/retry", {}, 409)["code"] == again["code"]
    send(provider, "post", f"invoices/{invoice.pk}/steps/other/retry", {}, 404)
    send(client_of(late.world.tenant), "post", f"invoices/{invoice.pk}/steps/collect/retry", {}, 404)


def test_a_period_is_closed_when_it_is_asked_and_then_it_is_closed(late: Late) -> None:
    late.use(25 * MILLION)
    ensure_periods(contract=late.world.contract, now=MARCH)
    period = late.world.period()
    provider, tenant = client_of(late.world.provider), client_of(late.world.tenant)
    found = get(provider, f"drafts/{period.pk}")
    assert [action["name"] for action in found["actions"]] == ["close"]
    assert get(tenant, f"drafts/{period.pk}")["actions"] == []
    send(tenant, "post", f"drafts/{period.pk}/close", {}, 404)
    made = send(provider, "post", f"drafts/{period.pk}/close", {})
    assert made == {"state": "closed", "invoice_id": str(Invoice.objects.get().pk), "waiting_for": []}
    assert send(provider, "post", f"drafts/{period.pk}/close", {}) == {**made, "state": "already_closed"}
    ensure_periods(contract=late.world.contract, now=APRIL)
    [node] = late.world.nodes
    late.world.rolled(node, APRIL)
    Contract.objects.update(grace_hours=30_000)
    waits = send(provider, "post", f"drafts/{late.world.period(APRIL).pk}/close", {})
    assert waits == {"state": "waiting", "invoice_id": None, "waiting_for": ["node"]}
