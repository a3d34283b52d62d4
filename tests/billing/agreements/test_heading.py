"""The header of a draft: its drafter changes it until it is offered, and what is drafted must still fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.agreements.drafting import offer
from billing.agreements.heading import NotADraft, edit_header, may_edit_header
from billing.contract_headers import Header
from billing.holding import WrongTerms
from billing.models import Contract
from tenants.models import AuditEntry
from tests.billing.agreements.agreed import drafted_contract, header, new_lease, parties, provider, tenant
from tests.billing.world import MARCH, World
from tests.kept import kept

pytestmark = pytest.mark.django_db


def drafted(world: World) -> tuple[Contract, Header]:
    made = drafted_contract(world, new_lease(world.make_slices(1), to_at="2026-04-05T12:00:00Z"))
    return made.contract, header(world)


world = kept(parties)


def test_its_drafter_changes_name_dates_and_references_and_it_is_noted(world: World) -> None:
    contract, said = drafted(world)
    end = MARCH + timedelta(days=90)
    changed = replace(said, name="Spring cluster", to_at=end, tenant_reference="PO-7", due_days=30)
    edit_header(contract_id=contract.id, header=changed, by=provider(world), now=MARCH)
    contract.refresh_from_db()
    assert (contract.name, contract.to_at, contract.tenant_reference) == ("Spring cluster", end, "PO-7")
    noted = AuditEntry.objects.get(action="contract.header_edited")
    assert (noted.organization, noted.subject) == (world.provider, contract.number)
    assert noted.after == {
        "to_at": end.isoformat(),
        "due_days": 30,
        "name": "Spring cluster",
        "tenant_reference": "PO-7",
    }
    assert noted.before == {"to_at": None, "due_days": 14, "name": "", "tenant_reference": ""}
    edit_header(contract_id=contract.id, header=changed, by=provider(world), now=MARCH)
    assert AuditEntry.objects.filter(action="contract.header_edited").count() == 1


def test_the_fee_stays_what_it_was_as_the_draft_was_made(world: World) -> None:
    contract, said = drafted(world)
    changed = replace(said, operator_fee_percent=Decimal(9), name="x")
    edit_header(contract_id=contract.id, header=changed, by=provider(world), now=MARCH)
    contract.refresh_from_db()
    assert contract.operator_fee_percent == 0


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"currency": "US"}, "currency"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"to_at": MARCH}, "to_at"),
        ({"name": "two\nlines"}, "name"),
        ({"tenant_reference": "x" * 101}, "tenant_reference"),
        # The drafted lease begins on 5 March and ends a month later.
        ({"from_at": MARCH + timedelta(days=40)}, "changes[0].from_at"),
        ({"currency": "EUR", "price_book": None}, ""),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field_and_changes_nothing(
    changed: dict[str, object], field: str, world: World
) -> None:
    contract, said = drafted(world)
    if field:
        with pytest.raises(WrongTerms) as refused:
            edit_header(contract_id=contract.id, header=replace(said, **changed), by=provider(world), now=MARCH)  # type: ignore[arg-type]  # wrong on purpose
        assert refused.value.extra["field"] == field
    else:
        edit_header(contract_id=contract.id, header=replace(said, **changed), by=provider(world), now=MARCH)  # type: ignore[arg-type]  # of any field
    assert AuditEntry.objects.filter(action="contract.header_edited").exists() == (not field)


def test_once_it_is_offered_and_by_anybody_else_it_stays(world: World) -> None:
    made = drafted_contract(world, new_lease(world.make_slices(1)))
    said = replace(header(world), name="later")
    assert may_edit_header(made.contract, world.provider)
    assert not may_edit_header(made.contract, world.tenant)
    with pytest.raises(NotADraft):
        edit_header(contract_id=made.contract_id, header=said, by=tenant(world), now=MARCH)
    offer(amendment_id=made.id, by=provider(world), now=MARCH)
    with pytest.raises(NotADraft):
        edit_header(contract_id=made.contract_id, header=said, by=provider(world), now=MARCH)
    assert not AuditEntry.objects.filter(action="contract.header_edited").exists()
