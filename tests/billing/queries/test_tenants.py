"""A provider's tenants with their figures, by its own invoices and contracts alone."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.queries.tenants import tenants_of
from tests.billing.issued import Line, make_issued
from tests.billing.world import APRIL
from tests.factories import make_organization

if TYPE_CHECKING:
    from tests.factories import Cast


def test_figures_are_of_the_provider_alone(cast: Cast) -> None:
    issued = make_issued([Line("50.00")], parties=(cast.provider, cast.tenant), number="S-1")
    assert issued.issued_at is not None
    invited = make_organization("invited")
    invited.introduced_by = cast.provider
    invited.save()
    at = issued.issued_at + timedelta(days=1)
    new, old = tenants_of(cast.provider, at)
    assert (new.organization, new.contracts, new.billed, new.open_invoices) == (invited, 0, {}, 0)
    assert (old.organization, old.contracts, old.open_invoices, old.overdue_invoices) == (cast.tenant, 1, 1, 0)
    assert old.billed == {issued.currency: issued.total}
    assert issued.total >= Decimal(50)
    assert tenants_of(cast.outsider, at) == []
    assert [one.organization for one in tenants_of(cast.provider, at, search="INV")] == [invited]
    assert tenants_of(cast.provider, at, tenant=cast.outsider.pk) == []
    late = tenants_of(cast.provider, APRIL + timedelta(days=800), tenant=cast.tenant.pk)[0]
    assert (late.billed, late.open_invoices, late.overdue_invoices) == ({}, 1, 1)
