"""Accounts of providers: empty, filled in on Stripe's pages, restricted; found again by the organization."""

import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from uuid import uuid4

from billing.stripe_gateway import StripeGateway
from tests.billing.stripe_gateway.paid import account_of_provider
from tests.billing.stripe_gateway.test_invoices import gateway_to
from tests.fakes.stripe_double.fixture import StripeDouble
from tests.fakes.stripe_double.inbox import webhook_inbox

BACK = "http://127.0.0.1:9/back"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def post(url: str, **form: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)
    try:
        with opener.open(url, urllib.parse.urlencode(form).encode()) as answer:
            return answer.status, answer.headers.get("Location") or ""
    except urllib.error.HTTPError as moved:
        with moved:
            return moved.code, moved.headers.get("Location") or ""


def test_an_owner_fills_in_what_stripe_asks_for(double: StripeDouble, gateway: StripeGateway) -> None:
    made = account_of_provider(gateway, double, ready=False)
    assert (made.country, made.currency, made.email) == ("DE", "EUR", "money@provider.example")
    assert (made.is_submitted, made.can_receive, made.can_pay_out) == (False, False, False)
    assert "external_account" in made.missing
    link = gateway.account_link(account_id=made.id, refresh_url=BACK, return_url=BACK)
    assert link.expires_at > made_at(double, made.id)
    assert post(link.url, later="1") == (303, BACK)
    assert not gateway.get_account(made.id).can_receive
    assert post(link.url, finish="1") == (303, BACK)
    ready = gateway.get_account(made.id)
    assert (ready.is_submitted, ready.can_receive, ready.can_pay_out, ready.missing) == (True, True, True, ())
    double.restrict(made.id)
    stopped = gateway.get_account(made.id)
    assert (stopped.can_receive, stopped.disabled_reason) == (False, "requirements.past_due")


def made_at(double: StripeDouble, account_id: str) -> datetime:
    (found,) = [one for one in double.state()["account"] if one["id"] == account_id]
    return datetime.fromtimestamp(found["created"], UTC)


def test_an_account_is_found_by_organization_and_made_once(gateway: StripeGateway) -> None:
    organization = str(uuid4())
    assert gateway.find_account(organization) is None
    first, again = (
        gateway.create_account(
            organization_id=organization, country="FR", email="a@b.example", idempotency_key=f"acct:{organization}"
        )
        for _ in range(2)
    )
    assert first == again == gateway.find_account(organization)
    assert first.organization_id == organization


def test_what_happens_at_an_account_goes_to_the_endpoint_for_accounts_alone(double: StripeDouble) -> None:
    with webhook_inbox() as own, webhook_inbox() as connected:
        gateway = gateway_to(double)
        double.deliver_to(own.url, "whsec_x")
        double.deliver_to(connected.url, "whsec_y", connect=True)
        made = account_of_provider(gateway, double)
        double.top_up(100)
        gateway.transfer(
            account_id=made.id, amount_minor=100, currency="EUR", group="g", reference="r", idempotency_key=made.id
        )
        double.wait_delivered()
        assert connected.types == ["account.updated", "account.updated"]
        assert {one.event["account"] for one in connected.deliveries} == {made.id}
        assert own.types == ["transfer.created"]
