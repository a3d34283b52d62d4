"""The life of a lease: each step once, whatever is retried, and never two holders of a slice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from msgspec import structs

from billing.charging import ensure_periods
from billing.holding import SliceTaken, WrongTerms
from billing.lease_steps import InThePast
from billing.leasing import (
    LeaseOver,
    due_steps,
    end_lease_early,
    extend_lease,
    hold_lease_over,
    record_steps,
)
from billing.models import (
    BillingPeriod,
    Contract,
    LeaseEndReason,
    LeaseEvent,
    LeaseStep,
    PeriodState,
    Term,
    TermFact,
)
from billing.rating.lease_wording import AtEnd, EarlyEnd, ExtensionPrice, LeaseWording
from billing.term_versions import broken_links
from billing.terms import gpu_hour_price
from clusters.models import Allocation
from tenants.models import AuditEntry
from tests.billing.let import DAY, END, FIXED, NOW, START, fresh, make_floor, reserved, steps, wish
from tests.billing.world import APRIL, World
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_floor()


lease = kept(reserved)


@kept
def lease_made(world: World) -> Term:
    return reserved(world, wording=FIXED)


@kept
def lease_too(world: World) -> Term:
    return reserved(world, wording=RENEWS)


def test_a_lease_is_extended_with_the_slices_it_has(lease_made: Term) -> None:
    lease = lease_made
    for _ in range(2):
        extend_lease(lease=lease, to_at=END + 7 * DAY, by="alice", now=START)
    now = fresh(lease)
    assert now.to_at == END + 7 * DAY
    assert set(Allocation.objects.values_list("to_at", flat=True)) == {END + 7 * DAY}
    assert [gpu_hour_price(now, at) for at in (START, END)] == [Decimal(2), Decimal(2)]
    assert steps(lease) == ["reserved", "extended"]


def test_an_extension_at_the_price_in_force_is_at_what_the_book_says_then(world: World) -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2), extension_price=ExtensionPrice.IN_FORCE)
    lease = reserved(world, wording=wording)
    extend_lease(lease=lease, to_at=END + DAY, by="alice", now=START)
    assert [gpu_hour_price(fresh(lease), at) for at in (START, END)] == [Decimal(2), Decimal("2.35")]


def test_an_extension_over_somebodys_reservation_is_refused_and_changes_nothing(world: World) -> None:
    lease = reserved(world, wish(4))
    reserved(world, wish(1, END, END + DAY))
    with pytest.raises(SliceTaken):
        extend_lease(lease=lease, to_at=END + DAY, by="alice", now=START)
    assert fresh(lease).to_at == END
    assert steps(lease) == ["reserved"]
    assert broken_links(world.contract) == []


def test_a_lease_is_neither_shortened_by_an_extension_nor_extended_when_it_is_over(lease: Term) -> None:
    with pytest.raises(WrongTerms) as shorter:
        extend_lease(lease=lease, to_at=END - DAY, by="alice", now=START)
    assert shorter.value.extra == {"field": "to", "example": (END + timedelta(days=7)).isoformat()}
    with pytest.raises(LeaseOver):
        extend_lease(lease=lease, to_at=END + DAY, by="alice", now=END + DAY / 2)


def test_an_early_end_frees_the_slices_and_states_what_was_agreed(world: World) -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2), early_end=EarlyEnd.NOTICE, early_end_notice_days=3)
    lease = reserved(world, wording=wording)
    at = START + 2 * DAY
    for _ in range(2):
        end_lease_early(lease=lease, at=at, by="alice", now=START + DAY)
    assert fresh(lease).to_at == at
    assert set(Allocation.objects.values_list("to_at", flat=True)) == {at}
    (fact,) = TermFact.objects.filter(term=lease)
    assert fact.document["agreed_to_at"] == END.isoformat().replace("+00:00", "Z")
    assert steps(lease) == ["reserved", "ended_early"]


def test_a_lease_that_has_not_begun_is_taken_back_whole(lease: Term) -> None:
    end_lease_early(lease=lease, at=NOW + DAY, by="alice", now=NOW)
    assert not Allocation.objects.exists()
    assert fresh(lease).to_at == START
    assert not TermFact.objects.exists()


def test_nothing_ends_in_the_past_or_after_its_end(lease: Term) -> None:
    soonest = START + DAY + timedelta(seconds=1)
    with pytest.raises(InThePast) as past:
        end_lease_early(lease=lease, at=START, by="alice", now=START + DAY + timedelta(microseconds=7))
    assert past.value.extra == {"field": "at", "example": soonest.isoformat()}
    end_lease_early(lease=lease, at=soonest, by="alice", now=START + DAY + timedelta(microseconds=7))
    with pytest.raises(LeaseOver) as over:
        end_lease_early(lease=lease, at=END + DAY, by="alice", now=START)
    assert over.value.extra == {"field": "at", "example": soonest.isoformat()}


def test_the_sweep_records_each_step_once(lease: Term) -> None:
    assert due_steps(now=START - DAY, limit=10) == []
    assert due_steps(now=START, limit=10) == [lease.pk]
    assert [record_steps(term_id=lease.pk, now=START) for _ in range(2)] == [[LeaseStep.STARTED], []]
    assert due_steps(now=END - DAY, limit=10) == []
    assert [record_steps(term_id=lease.pk, now=END + DAY) for _ in range(2)] == [[LeaseStep.ENDED], []]
    assert due_steps(now=END + 9 * DAY, limit=10) == []
    assert steps(lease) == ["reserved", "started", "ended"]


RENEWS = LeaseWording(price_per_gpu_hour=Decimal(2), at_end=AtEnd.RENEW, renew_days=7)


def test_a_lease_that_renews_goes_on_until_somebody_else_has_the_slices(world: World) -> None:
    lease = reserved(world, wish(4), RENEWS)
    record_steps(term_id=lease.pk, now=START)
    assert record_steps(term_id=lease.pk, now=END) == [LeaseStep.RENEWED]
    assert record_steps(term_id=lease.pk, now=END) == []
    assert fresh(lease).to_at == END + 7 * DAY
    reserved(world, wish(1, END + 7 * DAY, END + 9 * DAY))
    assert record_steps(term_id=lease.pk, now=END + 8 * DAY) == [LeaseStep.ENDED]
    assert fresh(lease).to_at == END + 7 * DAY


def end_of(lease: Term) -> str:
    return LeaseEvent.objects.get(term=lease, step=LeaseStep.ENDED).reason


def test_a_lease_that_could_not_renew_says_why_it_ended(world: World) -> None:
    lease = reserved(world, wish(4), RENEWS)
    reserved(world, wish(1, END, END + DAY))
    for _ in range(2):
        record_steps(term_id=lease.pk, now=END + DAY)
    assert end_of(lease) == LeaseEndReason.SLICE_TAKEN
    kept_in = AuditEntry.objects.filter(action="lease.not_renewed")
    assert set(kept_in.values_list("organization_id", flat=True)) == {world.provider.id, world.tenant.id}
    said = {"lease": lease.ref, "ended_at": END.isoformat(), "reason": "slice_taken"}
    assert [entry.after for entry in kept_in] == [said, said]


def test_a_lease_whose_contract_does_not_run_on_says_so(world: World) -> None:
    lease = reserved(world, wish(1), RENEWS)
    Contract.objects.filter(pk=world.contract.pk).update(to_at=END + DAY)
    record_steps(term_id=lease.pk, now=END)
    assert end_of(lease) == LeaseEndReason.CONTRACT_NOT_OPEN


def test_a_lease_whose_card_has_no_price_any_more_says_so(world: World) -> None:
    lease = reserved(world, wish(1), structs.replace(RENEWS, extension_price=ExtensionPrice.IN_FORCE))
    Contract.objects.filter(pk=world.contract.pk).update(price_book=None)
    record_steps(term_id=lease.pk, now=END)
    assert end_of(lease) == LeaseEndReason.NO_PRICE


def test_a_lease_that_ends_by_its_terms_or_early_says_so_and_is_no_entry_of_the_log(
    world: World, lease_made: Term
) -> None:
    early = reserved(world, wish(1), RENEWS)
    end_lease_early(lease=early, at=START + DAY, by="alice", now=START)
    for lease in (lease_made, early):
        record_steps(term_id=lease.pk, now=END)
    assert [end_of(lease) for lease in (lease_made, early)] == ["not_renewing", "ended_early"]
    assert not AuditEntry.objects.filter(action="lease.not_renewed").exists()


def test_a_lease_taken_back_before_it_began_is_swept_once(world: World) -> None:
    lease = reserved(world, wish(1), RENEWS)
    end_lease_early(lease=lease, at=NOW, by="alice", now=NOW)
    record_steps(term_id=lease.pk, now=END)
    assert end_of(lease) == LeaseEndReason.ENDED_EARLY
    assert LeaseStep.STARTED not in steps(lease)
    assert lease.pk not in due_steps(now=END, limit=10)


def test_a_sweep_that_was_away_for_weeks_renews_up_to_now(lease_too: Term) -> None:
    lease = lease_too
    record_steps(term_id=lease.pk, now=END + 15 * DAY)
    assert fresh(lease).to_at == END + 21 * DAY


def test_a_sweep_that_was_away_renews_as_often_as_the_slices_are_free(world: World) -> None:
    lease = reserved(world, wish(4), RENEWS)
    reserved(world, wish(1, END + 16 * DAY, END + 18 * DAY))
    for _ in range(3):
        record_steps(term_id=lease.pk, now=END + 22 * DAY)
    assert sorted(steps(lease)) == ["ended", "renewed", "reserved", "started"]
    assert fresh(lease).to_at == END + 14 * DAY


def test_a_lease_that_was_ended_early_is_not_renewed(lease_too: Term) -> None:
    lease = lease_too
    end_lease_early(lease=lease, at=START + DAY, by="alice", now=START)
    assert LeaseStep.RENEWED not in record_steps(term_id=lease.pk, now=END)


def test_what_is_held_past_the_end_is_held_over(lease_made: Term) -> None:
    lease = lease_made
    with pytest.raises(WrongTerms):
        hold_lease_over(lease=lease, to_at=END + DAY, by="petra", now=START)
    for days in (1, 2, 2):
        hold_lease_over(lease=lease, to_at=END + days * DAY, by="petra", now=END + 3 * DAY)
    assert fresh(lease).to_at == END + 2 * DAY
    (fact,) = TermFact.objects.filter(term=lease)
    assert fact.document == {"fact": "lease_agreed", "to_at": END.isoformat().replace("+00:00", "Z")}
    assert steps(lease).count("held_over") == 2


def test_a_lease_that_is_held_over_into_the_future_is_so_once(lease_made: Term) -> None:
    for _ in range(2):
        hold_lease_over(lease=lease_made, to_at=END + 9 * DAY, by="petra", now=END + DAY)
    assert steps(lease_made).count("held_over") == 1
    with pytest.raises(WrongTerms, match="has not come to its end"):
        hold_lease_over(lease=lease_made, to_at=END + 10 * DAY, by="petra", now=END + DAY)


def test_time_that_is_invoiced_cannot_be_held_over(world: World, lease_made: Term) -> None:
    ensure_periods(contract=world.contract, now=APRIL)
    BillingPeriod.objects.filter(contract=world.contract, to_at=APRIL).update(state=PeriodState.CLOSED)
    with pytest.raises(WrongTerms, match="What was used before 2026-04-01T00:00:00") as refused:
        hold_lease_over(lease=lease_made, to_at=APRIL + DAY, by="petra", now=APRIL + DAY)
    assert refused.value.extra["field"] == "to"
    assert refused.value.extra["example"]
    assert fresh(lease_made).to_at == END


def test_steps_are_facts(world: World) -> None:
    reserved(world)
    for statement in ("UPDATE billing_leaseevent SET step = 'ended'", "DELETE FROM billing_leaseevent"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
