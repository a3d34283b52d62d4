"""A look at Stripe asked for by a program: it is kept, says what it compared, or why it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import Reconciliation
from tests.billing.test_payments_api import call

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_operator_looks_now_and_reads_what_was_looked_at(
    cast: Cast, double: StripeDouble, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = double.SECRET_KEY, double.base_url
    answer = call(cast.operator, "reconciliations", {})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["day"], told["found"], told["error"]) == (None, 0, "")
    assert told["finished_at"] is not None
    assert call(cast.operator, "reconciliations").json()["reconciliations"] == [told]
    assert call(cast.provider, "reconciliations", {}).status_code == 404
    assert Reconciliation.objects.get().started_by.startswith("key fk_")


def test_a_stripe_that_does_not_answer_is_said(cast: Cast, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_silent", "http://127.0.0.1:9"
    told = call(cast.operator, "reconciliations", {}).json()
    assert told["finished_at"] is None
    assert told["error"]


def test_without_an_account_there_is_nothing_to_look_at(cast: Cast, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    answer = call(cast.operator, "reconciliations", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_stripe_account")
    assert not Reconciliation.objects.exists()
