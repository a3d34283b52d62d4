from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.agreements.accepting import OfferExpired, OtherTerms, accept
from billing.agreements.drafting import AmendmentClosed, offer
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.contracting import add_lease
from billing.holding import SliceTaken, WrongTerms
from billing.models import (
    Acceptance,
    Amendment,
    AmendmentState,
    Contract,
    ContractState,
    ContractVersion,
    Term,
    TermAllocation,
    TermDeployment,
    TermWording,
)
from billing.term_versions import VersionChanged, broken_links
from clusters.models import Allocation
from metering.models import UsageCut
from tenants.models import AuditEntry
from tests.billing.agreements.agreed import (
    DAY,
    NOON,
    PRICES,
    accepted,
    drafted_contract,
    lease_wording,
    new_lease,
    offered,
    parties,
    provider,
    share_wording,
    tenant,
)
from tests.billing.killed import Killed, at_write, counts_in, die
from tests.billing.world import APRIL, HOUR, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

TABLES = (
    Acceptance,
    Allocation,
    AuditEntry,
    ContractVersion,
    Term,
    TermAllocation,
    TermDeployment,
    TermWording,
    UsageCut,
)


def counts() -> dict[str, int]:
    return counts_in(TABLES)


world = kept(parties)


@kept
def world_made() -> World:
    return make_world(tokens=PRICES)


world_too = kept(make_world)


def test_with_both_words_a_drafted_contract_is_in_force(world: World) -> None:
    slices = world.make_slices(2)
    drafted = drafted_contract(world, new_lease(slices, from_at="2026-03-05T13:00"))
    made = offer(amendment_id=drafted.id, by=provider(world), now=MARCH)
    first = accept(amendment_id=made.id, by=tenant(world), name=" Alice Sample ", sha256=made.sha256, now=NOON)
    assert first.state == AmendmentState.OFFERED
    assert not Allocation.objects.exists()

    done = accept(amendment_id=made.id, by=provider(world), name="Petra Sample", sha256=made.sha256, now=NOON + HOUR)

    contract = Contract.objects.get(pk=made.contract_id)
    assert (done.state, contract.state, contract.version) == (AmendmentState.ACCEPTED, ContractState.ACTIVE, 1)
    assert done.version is not None
    assert done.version.sha256 == made.sha256 == done.version.amendment.sha256
    assert {(each.name, each.accepted_at) for each in done.acceptances.all()} == {
        ("Alice Sample", NOON),
        ("Petra Sample", NOON + HOUR),
    }
    [term] = contract.terms.all()
    assert (term.kind, term.from_at) == ("lease", NOON)
    held = Allocation.objects.values_list("slice_id", "from_at", "to_at")
    assert set(held) == {(each.id, NOON, None) for each in slices}
    assert broken_links(contract) == []
    ensure_periods(contract=contract, now=MARCH)
    period = contract.periods.get()
    charge_period(period_id=period.id, up_to=NOON + HOUR, now=NOON + HOUR)
    assert sum(charge.amount for charge in period.charges.all()) == 6


def test_accepting_again_changes_nothing(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    for _ in range(2):
        accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=NOON)
    assert Acceptance.objects.count() == 1
    accepted(world, made)
    before = counts()
    accepted(world, made)
    assert counts() == before


def test_another_hash_a_blank_name_and_a_late_word_are_refused(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    assert made.expires_at is not None
    given: dict[str, Any] = {
        "amendment_id": made.id,
        "by": tenant(world),
        "name": "A",
        "sha256": made.sha256,
        "now": NOON,
    }
    with pytest.raises(OtherTerms, match=made.sha256):
        accept(**{**given, "sha256": "0" * 64})
    with pytest.raises(WrongTerms, match="name"):
        accept(**{**given, "name": "  "})
    with pytest.raises(OfferExpired):
        accept(**{**given, "now": made.expires_at})
    assert not Acceptance.objects.exists()


def test_the_database_takes_no_word_for_other_terms_and_no_acceptance_without_both(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    row = Acceptance(
        amendment=made, organization=world.tenant, person="p", name="n", sha256="0" * 64, accepted_at=MARCH
    )
    with pytest.raises(DatabaseError, match="not on offer"), transaction.atomic():
        row.save()
    version = make_world().lease(1).wordings.get().version
    with pytest.raises(DatabaseError, match="0 of its two parties"), transaction.atomic():
        Amendment.objects.filter(pk=made.pk).update(state="accepted", version=version)
    accepted(world, made)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_acceptance SET name = 'other'")


def test_what_has_changed_since_the_offer_is_not_agreed_to(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    world.lease(1, from_at=NOON)
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=NOON)
    with pytest.raises(VersionChanged, match="offer it anew"), transaction.atomic():
        accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=NOON)
    assert Acceptance.objects.count() == 1


def test_a_slice_that_went_to_somebody_else_meanwhile_stops_the_second_word() -> None:
    world, other = parties(), parties()
    slices = world.make_slices(1)
    made = offered(world, new_lease(slices))
    rival = make_world(parties=(world.provider, other.tenant))
    add_lease(
        contract=rival.contract, slices=slices, from_at=NOON, to_at=None, price_per_gpu_hour=Decimal(1), now=MARCH
    )
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=NOON)
    with pytest.raises(SliceTaken), transaction.atomic():
        accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=NOON)
    made.refresh_from_db()
    assert made.state == AmendmentState.OFFERED


def test_a_new_rate_in_the_middle_of_a_period_splits_time_to_the_second(world_too: World) -> None:
    """Four hours at 2.35 up to 16:00:01, and the rest of the day at 3."""
    world = world_too
    lease = world.lease(1, from_at=NOON, to_at=NOON + DAY, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    made = offered(world, {"ref": lease.ref, "from_at": "2026-03-05T16:00:01Z", "wording": lease_wording()})
    accepted(world, made)
    lease.refresh_from_db()
    assert lease.to_at == NOON + DAY
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    [line] = closed.invoice.lines.all()
    exact = Decimal(4 * 3600 + 1) * Decimal("2.35") / 3600 + Decimal(20 * 3600 - 1) * 3 / 3600
    assert abs(line.exact_amount - exact) < Decimal("1e-15")
    assert line.quantity == DAY.total_seconds()
    assert line.unit_price is None


def test_a_new_share_splits_usage_at_the_instant_and_cuts_it_there(world_made: World) -> None:
    world = world_made
    shared = world.share(rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    half_past = NOON + HOUR / 2
    made = offered(world, {"ref": shared.term.ref, "from_at": half_past.isoformat(), "wording": share_wording("10")})
    accepted(world, made)
    assert UsageCut.objects.filter(deployment=shared.deployment, at=half_past).exists()
    shared.use({"output": 1_000_000}, at=NOON, to_at=half_past)
    shared.use({"output": 2_000_000}, at=half_past)
    charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL)
    charges = world.period().charges.order_by("contract_version")
    assert [(charge.contract_version, charge.amount) for charge in charges] == [
        (1, Decimal("0.33")),
        (2, Decimal("0.22")),
    ]


def test_a_lease_is_extended_shortened_and_its_slices_change(world_too: World) -> None:
    world = world_too
    slices = world.make_slices(3)
    lease = add_lease(
        contract=world.contract,
        slices=slices[:2],
        from_at=NOON,
        to_at=NOON + 2 * DAY,
        price_per_gpu_hour=Decimal(3),
        now=MARCH,
    )

    def agree(start: datetime, **change: Any) -> None:
        given = {"ref": lease.ref, "from_at": start.isoformat(), "wording": lease_wording(), **change}
        accepted(world, offered(world, given))
        lease.refresh_from_db()

    agree(NOON + 2 * DAY, to_at=(NOON + 5 * DAY).isoformat())
    assert lease.to_at == NOON + 5 * DAY
    assert set(Allocation.objects.values_list("to_at", flat=True)) == {NOON + 5 * DAY}
    agree(NOON + DAY, to_at=(NOON + 4 * DAY).isoformat(), slices=[str(slices[1].id), str(slices[2].id)])
    held = Allocation.objects.order_by("from_at", "to_at").values_list("slice", "from_at", "to_at")
    assert set(held) == {
        (slices[0].id, NOON, NOON + DAY),
        (slices[1].id, NOON, NOON + 4 * DAY),
        (slices[2].id, NOON + DAY, NOON + 4 * DAY),
    }
    agree(NOON + 3 * DAY, wording=None)
    assert lease.to_at == NOON + 3 * DAY
    assert not Allocation.objects.exclude(to_at__lte=NOON + 3 * DAY).exists()


def test_deployments_go_from_a_term_that_ends_to_one_that_begins(world_made: World) -> None:
    world = world_made
    shared = world.share()
    at = (NOON + DAY).isoformat()
    new = {"from_at": at, "wording": share_wording(), "deployments": [str(shared.deployment.id)]}
    accepted(world, offered(world, new, {"ref": shared.term.ref, "from_at": at, "wording": None}))
    spans = TermDeployment.objects.order_by("from_at").values_list("term__ref", "from_at", "to_at")
    [old, later] = spans
    assert old == (shared.term.ref, MARCH, NOON + DAY)
    assert later[1:] == (NOON + DAY, None)
    version = world.contract.versions.latest("number")
    assert {term["ref"] for term in json.loads(version.document)["terms"]} == {later[0]}


def test_a_worker_that_dies_before_any_write_of_the_last_word_leaves_nothing_behind(world_made: World) -> None:
    world = world_made
    shared = world.share()
    made = offered(
        world,
        new_lease(world.make_slices(1)),
        {"ref": shared.term.ref, "from_at": "2026-03-05T12:20:00Z", "wording": share_wording()},
    )
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=MARCH)
    before = counts()
    place = 0
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=MARCH)
        except Killed:
            assert counts() == before
        else:
            break
    assert place > 12
    made.refresh_from_db()
    assert made.state == AmendmentState.ACCEPTED
    assert world.contract.terms.count() == 2


def test_nobody_accepts_a_draft(world: World) -> None:
    drafted = drafted_contract(world, new_lease(world.make_slices(1)))
    with pytest.raises(AmendmentClosed, match="draft"):
        accept(amendment_id=drafted.id, by=provider(world), name="P", sha256="", now=MARCH)
