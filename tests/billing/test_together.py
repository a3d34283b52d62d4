"""Who is asked for invoices together is said by the provider; reminders count from the day of the whole."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.dunning.policies import set_policy
from billing.dunning.stepping import begin_cases
from billing.models import Invoice, TogetherRule
from billing.together import NoTenantOfYours, collective_of, due_of, is_together, set_together
from tenants.models import AuditEntry
from tests.billing.collective.gathered import asks_together, gathered, waits
from tests.billing.dunning.overdue import BY, STEPS
from tests.billing.issued import ISSUED_AT, make_issued
from tests.factories import make_contract, make_organization, make_price_book

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_it_is_off_until_said_and_said_again_changes_nothing(cast: Cast) -> None:
    make_contract(cast.provider, cast.tenant, make_price_book(cast.provider))
    pair = {"provider_id": cast.provider.pk, "tenant_id": cast.tenant.pk}
    assert not is_together(**pair)
    for _ in range(2):
        asks_together(cast.provider, cast.tenant)
    assert is_together(**pair)
    assert not is_together(provider_id=cast.outsider.pk, tenant_id=cast.tenant.pk)
    asks_together(cast.provider, cast.tenant, is_on=False)
    assert not is_together(**pair)
    assert TogetherRule.objects.count() == 1
    said = AuditEntry.objects.filter(action="together.set").order_by("pk").values_list("before", "after")
    assert list(said) == [({"is_on": False}, {"is_on": True}), ({"is_on": True}, {"is_on": False})]


@pytest.mark.parametrize("slug", ["outsider", "nobody", ""])
def test_only_a_tenant_of_the_provider_can_be_named(cast: Cast, slug: str) -> None:
    with pytest.raises(NoTenantOfYours):
        set_together(provider=cast.provider, tenant_slug=slug, is_on=True, by="petra", now=ISSUED_AT)
    assert not TogetherRule.objects.exists()


def test_an_invoice_alone_is_due_as_it_says_and_a_part_as_the_whole_says(cast: Cast) -> None:
    parties = (cast.provider, cast.tenant)
    alone = make_issued(parties=(cast.provider, make_organization("elsewhere")))
    first, last = waits(parties, "100.00"), waits(parties, "23.45", minutes=60 * 24)
    made = gathered()
    assert (due_of(alone), collective_of(alone.pk)) == (alone.due_at, None)
    assert due_of(first) == due_of(last) == made.due_at == last.due_at
    assert collective_of(first.pk) == made


def test_nobody_is_reminded_of_a_part_before_the_whole_is_due(cast: Cast) -> None:
    parties = (cast.provider, cast.tenant)
    first, last = waits(parties, "100.00"), waits(parties, "23.45", minutes=60 * 24)
    gathered()
    set_policy(provider=cast.provider, steps=STEPS, by=BY, now=ISSUED_AT)
    assert first.due_at is not None
    assert last.due_at is not None
    assert begin_cases(now=first.due_at + timedelta(hours=1), limit=10) == 0
    assert begin_cases(now=last.due_at, limit=10) == 2
    assert Invoice.objects.filter(dunning__is_open=True).count() == 2
