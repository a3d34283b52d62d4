"""The gateway's failures say what to do, and its settings do not say their secrets."""

import pytest

from billing.stripe_answers import (
    RETRY_AFTER_DEFAULT_S,
    StripeCardDeclined,
    StripeError,
    StripeRefused,
    StripeSettings,
    StripeUnavailable,
    TooManyLines,
    WebhookSignatureInvalid,
)


def test_secrets_are_not_in_the_printed_settings() -> None:
    settings = StripeSettings(secret_key="sk_test_secret", webhook_secret="whsec_secret")
    assert "secret" not in repr(settings)
    assert "api.stripe.com" in repr(settings)


@pytest.mark.parametrize(
    "kind", [StripeUnavailable, StripeRefused, StripeCardDeclined, TooManyLines, WebhookSignatureInvalid]
)
def test_every_failure_is_one_of_ours(kind: type[Exception]) -> None:
    assert issubclass(kind, StripeError)


def test_unless_told_otherwise_a_failure_is_not_kept_and_waits_a_while() -> None:
    gone = StripeUnavailable("no answer")
    assert (gone.retry_after_s, gone.is_kept) == (RETRY_AFTER_DEFAULT_S, False)


@pytest.mark.parametrize(
    ("param", "text"), [(None, "resource_missing: No such customer"), ("id", "resource_missing: No such customer (id)")]
)
def test_a_refusal_names_code_message_and_parameter(param: str | None, text: str) -> None:
    refused = StripeRefused("resource_missing", "No such customer", param)
    assert str(refused) == text
    assert (refused.code, refused.message, refused.param) == ("resource_missing", "No such customer", param)


@pytest.mark.parametrize(
    ("code", "needs_customer"),
    [
        ("card_declined", False),
        ("invoice_payment_intent_requires_action", True),
        ("authentication_required", True),
    ],
)
def test_a_decline_says_whether_the_customer_can_cure_it(code: str, needs_customer: bool) -> None:
    declined = StripeCardDeclined(code, "Your card was declined.", "generic_decline")
    assert declined.needs_customer is needs_customer
    assert declined.declined_for == "generic_decline"
    assert StripeCardDeclined(code, "Your card has expired.", None).declined_for == code
    assert isinstance(declined, StripeRefused)
