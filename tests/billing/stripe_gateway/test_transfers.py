"""Transfers: never more than the balance has, found again by our reference, taken back as far as is there."""

from uuid import uuid4

import pytest

from billing.stripe_gateway import BalanceInsufficient, StripeGateway, StripeRefused, StripeUnavailable
from billing.stripe_seen import StripeTransfer
from tests.billing.stripe_gateway.paid import account_of_provider, charged
from tests.fakes.stripe_double.fixture import StripeDouble


def transfer(
    gateway: StripeGateway, account: str, amount_minor: int, *, group: str = "", reference: str = "", key: str = ""
) -> StripeTransfer:
    reference = reference or str(uuid4())
    return gateway.transfer(
        account_id=account,
        amount_minor=amount_minor,
        currency="EUR",
        group=group or f"statement-{reference}",
        reference=reference,
        idempotency_key=key or f"po:{reference}",
    )


def test_a_share_goes_to_the_provider_and_partly_back(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    charged(gateway, customer, 10_000)
    account = account_of_provider(gateway, double)
    made = transfer(gateway, account.id, 8_000, group="statement-7", reference="payout-1")
    assert (made.amount_minor, made.reversed_minor, made.currency) == (8_000, 0, "EUR")
    assert (made.account_id, made.group, made.reference) == (account.id, "statement-7", "payout-1")
    back = gateway.reverse_transfer(
        transfer_id=made.id, amount_minor=3_000, reference="rev-1", idempotency_key="rev:rev-1"
    )
    assert (back.transfer_id, back.amount_minor, back.currency) == (made.id, 3_000, "EUR")
    assert gateway.get_transfer(made.id).reversed_minor == 3_000
    assert gateway.find_reversal(made.id, "rev-1") == back
    assert gateway.find_reversal(made.id, "rev-2") is None
    with pytest.raises(StripeRefused, match="unreversed"):
        gateway.reverse_transfer(transfer_id=made.id, amount_minor=5_001, reference="r", idempotency_key="rev:r")


def test_more_than_is_available_is_refused_until_there_are_funds(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    account = account_of_provider(gateway, double)
    double.pay_out("eur")
    double.funds(pending_s=86_400)
    charged(gateway, customer, 10_000)
    with pytest.raises(BalanceInsufficient) as refused:
        transfer(gateway, account.id, 1_000, reference="payout-2")
    assert refused.value.code == "balance_insufficient"
    assert any(one.pending_minor >= 10_000 for one in gateway.balance() if one.currency == "EUR")
    double.top_up(1_000)
    with pytest.raises(BalanceInsufficient):
        transfer(gateway, account.id, 1_000, reference="payout-2")
    assert transfer(gateway, account.id, 1_000, reference="payout-2", key="po:payout-2:2").amount_minor == 1_000


def test_an_answer_that_was_lost_is_found_by_our_reference(double: StripeDouble, gateway: StripeGateway) -> None:
    double.top_up(5_000)
    account = account_of_provider(gateway, double)
    double.faults({"path": "/v1/transfers", "method": "POST", "kind": "drop", "when": "after"})
    with pytest.raises(StripeUnavailable):
        transfer(gateway, account.id, 500, group="statement-8", reference="payout-3")
    found = gateway.find_transfer("statement-8", "payout-3")
    assert found is not None
    assert found == transfer(gateway, account.id, 500, group="statement-8", reference="payout-3")
    assert gateway.find_transfer("statement-8", "payout-4") is None


def test_what_the_provider_has_paid_out_cannot_be_taken_back(double: StripeDouble, gateway: StripeGateway) -> None:
    double.top_up(5_000)
    account = account_of_provider(gateway, double)
    made = transfer(gateway, account.id, 2_000)
    double.pay_out_account(account.id)
    with pytest.raises(BalanceInsufficient):
        gateway.reverse_transfer(transfer_id=made.id, amount_minor=1, reference="r", idempotency_key=str(uuid4()))


def test_nothing_goes_to_an_account_that_is_not_ready(double: StripeDouble, gateway: StripeGateway) -> None:
    double.top_up(5_000)
    account = account_of_provider(gateway, double, ready=False)
    with pytest.raises(StripeRefused) as refused:
        transfer(gateway, account.id, 100)
    assert refused.value.code == "insufficient_capabilities_for_transfer"
