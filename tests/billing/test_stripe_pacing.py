"""Calls to an endpoint of Stripe are spread over time, whoever makes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from billing.models import StripeRate
from billing.stripe_answers import StripeUnavailable
from billing.stripe_pacing import BURST_S, CALLS_PER_SECOND, endpoint_of, pace


@pytest.mark.parametrize(
    ("method", "url", "endpoint"),
    [
        ("post", "https://api.stripe.com/v1/invoices/in_1ABCdefgh2/pay", "POST /v1/invoices/{id}/pay"),
        ("get", "https://api.stripe.com/v1/invoices?limit=100&customer=cus_12345678", "GET /v1/invoices"),
        ("get", "https://api.stripe.com/v1/checkout/sessions/cs_test_a1B2c3D4e5", "GET /v1/checkout/sessions/{id}"),
        ("post", "https://api.stripe.com/v1/invoices/in_1ABCdefgh2/add_lines", "POST /v1/invoices/{id}/add_lines"),
        ("get", "https://api.stripe.com/v1/balance_transactions", "GET /v1/balance_transactions"),
    ],
)
def test_an_endpoint_is_named_without_its_object(method: str, url: str, endpoint: str) -> None:
    assert endpoint_of(method, url) == endpoint


@pytest.mark.django_db
def test_a_second_of_calls_goes_at_once_and_the_rest_waits_its_turn() -> None:
    slept: list[float] = []
    for _ in range(3 * CALLS_PER_SECOND):
        pace("POST /v1/refunds", sleep=slept.append)
    beyond = [pace("POST /v1/refunds", sleep=slept.append) for _ in range(2)]
    # Nobody really slept here, so waits add up: two seconds' worth of calls beyond the burst.
    assert beyond[0] > 2.0 - BURST_S
    assert beyond[1] > beyond[0] - 0.05
    assert len(slept) <= 2 * CALLS_PER_SECOND + 2
    assert pace("POST /v1/transfers", sleep=slept.append) == 0.0
    assert StripeRate.objects.count() == 2


@pytest.mark.django_db
def test_who_would_wait_too_long_is_told_to_come_back() -> None:
    pace("GET /v1/invoices")
    StripeRate.objects.update(free_at=Now() + timedelta(seconds=12))
    with pytest.raises(StripeUnavailable, match="too often") as refused:
        pace("GET /v1/invoices")
    assert 11 < refused.value.retry_after_s < 14
