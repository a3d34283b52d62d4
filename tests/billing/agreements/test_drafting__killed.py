"""A worker that dies before any write of an act of a proposal leaves nothing behind; the next one does all of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from billing.agreements.accepting import accept
from billing.agreements.drafting import decline, edit_draft, offer, propose, withdraw
from billing.models import Acceptance, Amendment, AmendmentState, Contract, ContractState
from tenants.models import AuditEntry
from tests.billing.agreements.agreed import drafted_contract, new_lease, offered, parties, provider, tenant
from tests.billing.killed import Killed, at_write, die
from tests.billing.world import MARCH, World
from tests.kept import kept

pytestmark = pytest.mark.django_db


def stored() -> tuple[object, ...]:
    """All that an act of a proposal may change."""
    return (
        sorted(Amendment.objects.values_list("id", "state", "sha256", "document", "decided_at", "note")),
        sorted(Contract.objects.values_list("id", "state", "version")),
        sorted(Acceptance.objects.values_list("amendment_id", "organization_id")),
        AuditEntry.objects.count(),
    )


def undone_until_done(act: Callable[[], Amendment], least: int) -> Amendment:
    """Let the act die before each of its writes in turn, until it has none left to die at."""
    before, place = stored(), 0
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                done = act()
        except Killed:
            assert stored() == before, f"killed before write {place}"
        else:
            break
    assert place > least
    done.refresh_from_db()
    return done


@kept
def world() -> World:
    return parties()


def test_a_proposal(world: World) -> None:
    change = new_lease(world.make_slices(1))
    done = undone_until_done(
        lambda: propose(contract_id=world.contract.id, changes=[change], by=provider(world), now=MARCH), 1
    )
    assert done.state == AmendmentState.DRAFT
    assert Amendment.objects.count() == 1


def test_an_edit(world: World) -> None:
    made = propose(
        contract_id=world.contract.id, changes=[new_lease(world.make_slices(1))], by=provider(world), now=MARCH
    )
    change = new_lease(world.make_slices(2))
    done = undone_until_done(
        lambda: edit_draft(amendment_id=made.id, changes=[change], by=provider(world), note="two"), 1
    )
    assert done.note == "two"
    assert len(done.changes[0]["slices"]) == 2


def test_an_offer_of_a_drafted_contract(world: World) -> None:
    made = drafted_contract(world, new_lease(world.make_slices(1)))
    done = undone_until_done(lambda: offer(amendment_id=made.id, by=provider(world), now=MARCH), 3)
    assert (done.state, len(done.sha256)) == (AmendmentState.OFFERED, 64)
    assert Contract.objects.get(pk=done.contract_id).state == ContractState.OFFERED


def test_the_first_word(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    done = undone_until_done(
        lambda: accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=MARCH), 2
    )
    assert done.state == AmendmentState.OFFERED
    assert Acceptance.objects.get().organization == world.tenant


def test_a_refusal_of_a_drafted_contract(world: World) -> None:
    drafted = drafted_contract(world, new_lease(world.make_slices(1)))
    made = offer(amendment_id=drafted.id, by=provider(world), now=MARCH)
    done = undone_until_done(lambda: decline(amendment_id=made.id, by=tenant(world), now=MARCH), 3)
    assert (done.state, done.decided_at) == (AmendmentState.DECLINED, MARCH)
    assert Contract.objects.get(pk=done.contract_id).state == ContractState.DRAFT


def test_a_withdrawal(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    done = undone_until_done(lambda: withdraw(amendment_id=made.id, by=provider(world), now=MARCH), 3)
    assert done.state == AmendmentState.WITHDRAWN
