"""Having the taxes of a draft tried again, killed before any write or asked by two at once; who may not, does not."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import BillingPeriod, TaxQuestion
from billing.tax.deciding import TaxWaits
from billing.tax.retrying import NOT_DUE, TaxNotRetryable, TaxStep, TaxStepState, note_wait, retry_tax, tax_step
from tenants.models import AuditEntry
from tests.billing.killed import killed_everywhere
from tests.billing.tax.taxed import own_rate, two_leases
from tests.billing.tax.test_retrying import LATER, call, rateless, refused
from tests.billing.world import APRIL, MARCH

if TYPE_CHECKING:
    from tests.billing.world import World
    from tests.factories import Cast

__all__ = ["rateless", "refused"]

pytestmark = pytest.mark.django_db


@pytest.mark.unmeasured
def test_it_is_asked_again_whole_or_not_at_all(refused: World) -> None:
    act = partial(retry_tax, period_id=refused.period().pk, actor="petra", now=LATER)
    killed_everywhere(act, (TaxQuestion, AuditEntry, BillingPeriod), least=2)
    assert TaxQuestion.objects.get().attempts == 1
    assert AuditEntry.objects.filter(action="tax.retried").count() == 1


def test_each_asking_has_a_number_of_its_own_and_an_entry(refused: World) -> None:
    for attempt in (1, 2, 3):
        step = retry_tax(period_id=refused.period().pk, actor="petra", now=LATER)
        assert (step.state, step.attempts) == (TaxStepState.WAITING, attempt)
    entries = AuditEntry.objects.filter(action="tax.retried").order_by("pk")
    states = [entry.before["state"] for entry in entries if entry.before is not None]
    assert states == ["failed", "waiting", "waiting"]


def test_a_draft_that_waits_for_nothing_is_not_tried_again(cast: Cast) -> None:
    world = two_leases(cast)
    ensure_periods(contract=world.contract, now=MARCH)
    assert tax_step(world.period()) == NOT_DUE
    with pytest.raises(TaxNotRetryable, match=f"The taxes of the draft of {world.contract.number} do not wait"):
        retry_tax(period_id=world.period().pk, actor="petra", now=APRIL)
    assert not AuditEntry.objects.filter(action="tax.retried").exists()
    assert call(world, "post", "/steps/tax/retry", world.provider).json()["code"] == "tax_not_retryable"


def test_a_period_that_is_not_there_is_said_so() -> None:
    with pytest.raises(BillingPeriod.DoesNotExist):
        retry_tax(period_id=uuid4(), actor="petra", now=APRIL)


def test_strangers_find_no_draft(cast: Cast, rateless: World) -> None:
    for organization in (cast.outsider, cast.operator):
        assert call(rateless, "post", "/steps/tax/retry", organization).status_code == 404
        assert call(rateless, "get", "", organization).status_code == 404
    assert not AuditEntry.objects.filter(action="tax.retried").exists()


def test_once_the_rate_is_there_the_bill_is_issued_and_nothing_waits(cast: Cast, rateless: World) -> None:
    assert tax_step(rateless.period()).retry
    own_rate(cast.provider, "JP", "10", date(2026, 1, 1))
    closing = close_period(period_id=rateless.period().pk, now=LATER)
    assert closing.invoice is not None
    assert tax_step(rateless.period()) == NOT_DUE


def test_the_same_wait_is_written_once(rateless: World, django_assert_num_queries: object) -> None:
    period = rateless.period()
    missing = dict(period.tax_wait)
    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        note_wait(period=period, waits=TaxWaits(missing))
    with django_assert_num_queries(1):  # type: ignore[operator]  # as above
        note_wait(period=period, waits=TaxWaits({**missing, "country": "FR"}))
    assert tax_step(rateless.period()).country == "FR"


@pytest.mark.parametrize(("state", "retry"), [("not_due", False), ("waiting", True), ("failed", True)])
def test_what_waits_or_failed_can_be_tried_again(state: str, retry: bool) -> None:
    assert TaxStep(TaxStepState(state)).retry is retry
