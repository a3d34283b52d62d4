"""An issued invoice keeps who stood on it, whatever the profiles say later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice, InvoiceParties
from tenants.profiles import ProfileFields, keep_profile
from tests.billing.world import APRIL, MARCH, make_world

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

GIVEN = ProfileFields(legal_name="Sample Compute GmbH", country="DE", email="bills@sample.example", city="Berlin")


def issued(cast: Cast) -> Invoice:
    world = make_world(parties=(cast.provider, cast.tenant))
    world.lease(to_at=APRIL, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().pk, now=APRIL).invoice
    assert invoice is not None
    return invoice


def test_the_versions_in_force_are_frozen(cast: Cast) -> None:
    kept, _made = keep_profile(organization=cast.provider, given=GIVEN, by="petra", now=MARCH)
    parties = issued(cast).parties
    assert parties.seller == kept
    # The tenant kept none: it stands by its name.
    assert (parties.buyer.version, parties.buyer.legal_name) == (1, cast.tenant.name)
    keep_profile(organization=cast.provider, given=replace(GIVEN, city="Bonn"), by="petra", now=APRIL)
    assert InvoiceParties.objects.get().seller.city == "Berlin"


@pytest.mark.parametrize(
    "change", ["UPDATE billing_invoiceparties SET seller_id = buyer_id", "DELETE FROM billing_invoiceparties"]
)
def test_the_database_refuses_changes(cast: Cast, change: str) -> None:
    issued(cast)
    with (
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match="append-only table billing_invoiceparties"),
        transaction.atomic(),
    ):
        cursor.execute(change)
