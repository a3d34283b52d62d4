"""A contract ends by agreement: nothing before both words, everything with the second, to the second."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from billing.agreements.accepting import accept
from billing.agreements.drafting import AmendmentClosed, decline, edit_draft, offer, propose, withdraw
from billing.agreements.ending import end_changes, read_end
from billing.agreements.standing import preview_of
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.contract_ends import earliest_end
from billing.contracting import add_lease
from billing.holding import WrongTerms
from billing.models import (
    Acceptance,
    Amendment,
    AmendmentState,
    BillingPeriod,
    Contract,
    ContractState,
    ContractVersion,
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
    provider,
    share_wording,
    tenant,
)
from tests.billing.killed import Killed, at_write, die
from tests.billing.world import APRIL, HOUR, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

END = datetime(2026, 3, 10, 12, 20, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def drafted_end(world: World, at: datetime = END, now: datetime = MARCH) -> Amendment:
    return propose(contract_id=world.contract.id, changes=(), by=provider(world), now=now, ends_at=at)


def offered_contract_end(world: World, at: datetime = END, now: datetime = MARCH) -> Amendment:
    return offer(amendment_id=drafted_end(world, at, now).id, by=provider(world), now=now)


def state_of(world: World) -> dict[str, Any]:
    """What an end moves, and what it must not move before both have accepted."""
    contract = Contract.objects.get(pk=world.contract.pk)
    return {
        "contract": (contract.state, contract.to_at, contract.version),
        "periods": list(contract.periods.order_by("from_at").values_list("from_at", "to_at", "whole_seconds")),
        "terms": list(contract.terms.order_by("ref").values_list("ref", "from_at", "to_at")),
        "held": sorted(Allocation.objects.values_list("slice_id", "from_at", "to_at")),
        "bound": sorted(TermDeployment.objects.values_list("deployment_id", "from_at", "to_at")),
        "rows": [table.objects.count() for table in (ContractVersion, TermWording, Acceptance, AuditEntry)],
    }


@kept
def world() -> World:
    """A lease and a share since March, a lease from the twentieth on, and the period of March."""
    made = make_world(tokens=PRICES)
    made.lease(1, rolled_to_at=APRIL)
    made.share(rolled_to_at=APRIL)
    made.lease(1, from_at=datetime(2026, 3, 20, tzinfo=UTC))
    ensure_periods(contract=made.contract, now=MARCH)
    return made


def test_with_the_second_word_the_contract_ends_with_all_that_it_holds(world: World) -> None:
    made = offered_contract_end(world)
    before = state_of(world)
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=NOON)
    assert {**state_of(world), "rows": None} == {**before, "rows": None}

    done = accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=NOON + HOUR)

    after = state_of(world)
    assert (done.state, done.decided_at, done.ends_at) == (AmendmentState.ACCEPTED, NOON + HOUR, END)
    assert after["contract"] == (ContractState.TERMINATED, END, before["contract"][2] + 1)
    assert after["periods"] == [(MARCH, END, (APRIL - MARCH).total_seconds())]
    assert sorted(to_at for _, _, to_at in after["terms"]) == [END, END, datetime(2026, 3, 20, tzinfo=UTC)]
    assert [to_at for _, _, to_at in after["held"]] == [END]
    assert [to_at for _, _, to_at in after["bound"]] == [END]
    assert set(UsageCut.objects.filter(at=END).values_list("deployment_id", flat=True)) == {after["bound"][0][0]}


def test_the_version_says_the_new_end_and_is_the_text_that_both_accepted(world: World) -> None:
    made = offered_contract_end(world)
    document = json.loads(made.document)
    assert document["header"]["to_at"] == document["effective_at"] == END.isoformat()
    assert document["terms"] == []
    assert {each["ref"] for each in document["changes"]} == set(world.contract.terms.values_list("ref", flat=True))
    assert all(each["said"][0]["wording"] is None for each in document["changes"])
    world.contract.refresh_from_db()
    assert world.contract.to_at is None

    done = accepted(world, made)

    assert done.version is not None
    assert (done.version.document, done.version.sha256) == (made.document, made.sha256)
    assert done.version.number == world.contract.versions.count()
    assert broken_links(world.contract) == []
    ended = AuditEntry.objects.get(action="contract.terminated")
    assert ended.after is not None
    assert (ended.after["to_at"], ended.actor) == (END.isoformat(), f"amendment {made.number}")


def test_the_last_bill_covers_the_time_up_to_the_end_and_no_other_follows() -> None:
    world = make_world()
    world.lease(1, price="3600", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=NOON + 7 * DAY, now=NOON + 7 * DAY)
    end = MARCH + 3 * HOUR + 7 * SECOND
    accepted(world, offered_contract_end(world, end, NOON), now=NOON + 8 * DAY)

    closed = close_period(period_id=world.period().id, now=APRIL)

    assert closed.invoice is not None
    assert closed.invoice.total == 3 * 3600 + 7
    assert ensure_periods(contract=world.contract, now=MAY) == []
    assert state_of(world)["contract"][:2] == (ContractState.TERMINATED, end)


def test_what_is_owed_per_period_is_owed_for_the_part_that_is_left() -> None:
    """10 of 31 days of 310.00."""
    world = make_world()
    flat = {**new_lease(world.make_slices(1), from_at=MARCH.isoformat())}
    flat["wording"] = {"kind": "lease", "accelerator_model": lease_wording()["accelerator_model"]}
    flat["wording"]["flat_amount_per_period"] = "310"
    accepted(world, offered(world, flat))
    ensure_periods(contract=world.contract, now=MARCH)
    accepted(world, offered_contract_end(world, MARCH + 10 * DAY))
    charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL)
    assert sum(charge.amount for charge in world.period().charges.all()) == Decimal(100)


def test_a_period_that_was_cut_before_keeps_the_length_of_the_whole_one() -> None:
    world = make_world(from_at=NOON)
    world.lease(1, from_at=NOON)
    ensure_periods(contract=world.contract, now=NOON)
    accepted(world, offered_contract_end(world))
    assert state_of(world)["periods"] == [(NOON, END, (APRIL - MARCH).total_seconds())]


def test_an_end_months_ahead_leaves_the_periods_until_then_to_come(world: World) -> None:
    end = datetime(2026, 5, 10, tzinfo=UTC)
    accepted(world, offered_contract_end(world, end))
    assert state_of(world)["periods"] == [(MARCH, APRIL, None)]
    ensure_periods(contract=world.contract, now=MAY + 40 * DAY)
    spans = list(world.contract.periods.order_by("from_at").values_list("from_at", "to_at"))
    assert spans == [(MARCH, APRIL), (APRIL, MAY), (MAY, end)]


def test_a_contract_without_terms_ends_too() -> None:
    world = make_world()
    made = offered_contract_end(world)
    assert made.changes == []
    accepted(world, made)
    assert state_of(world)["contract"][:2] == (ContractState.TERMINATED, END)


@pytest.mark.parametrize(
    ("at", "reason"),
    [(MARCH - DAY, "too early"), (MARCH, "too early"), (APRIL - DAY, "too early"), (APRIL - SECOND, "too early")],
)
def test_too_early_is_refused_with_field_reason_and_an_example_that_would_do(
    world: World, at: datetime, reason: str
) -> None:
    BillingPeriod.objects.update(state="closed", closed_at=APRIL)
    with pytest.raises(WrongTerms, match=reason) as refused:
        drafted_end(world, at)
    assert refused.value.extra["field"] == "ends_at"
    assert reason in str(refused.value.extra["reason"])
    example = read_end(world.contract, str(refused.value.extra["example"]))
    assert example == earliest_end(world.contract) == APRIL
    assert not Amendment.objects.exists()
    assert drafted_end(world, example).ends_at == example


def test_in_the_period_that_runs_the_first_second_is_the_earliest(world: World) -> None:
    with pytest.raises(WrongTerms, match="too early") as refused:
        drafted_end(world, MARCH)
    example = read_end(world.contract, str(refused.value.extra["example"]))
    assert example == MARCH + SECOND
    accepted(world, offered_contract_end(world, example))
    assert state_of(world)["periods"][0][:2] == (MARCH, example)


@pytest.mark.parametrize("later", [timedelta(), SECOND, 30 * DAY])
def test_an_end_that_would_come_by_itself_is_no_proposal(later: timedelta) -> None:
    world = make_world(to_at=APRIL)
    with pytest.raises(WrongTerms, match="by itself") as refused:
        drafted_end(world, APRIL + later)
    assert refused.value.extra["field"] == "ends_at"
    assert drafted_end(world, APRIL - SECOND).effective_at == APRIL - SECOND


def test_only_a_contract_in_force_ends(world: World) -> None:
    made = drafted_contract(world, new_lease(world.make_slices(1)))
    withdraw(amendment_id=made.id, by=provider(world), now=MARCH)
    with pytest.raises(WrongTerms, match="only a contract in force") as refused:
        propose(contract_id=made.contract_id, changes=(), by=provider(world), now=MARCH, ends_at=END)
    assert refused.value.extra["field"] == "ends_at"
    accepted(world, offered_contract_end(world))
    with pytest.raises(AmendmentClosed, match="terminated"):
        drafted_end(world, END - DAY)
    with pytest.raises(WrongTerms, match="terminated"):
        end_changes(Contract.objects.get(pk=world.contract.pk), END - DAY)


def test_a_local_time_that_is_twice_or_never_is_refused_with_both_instants(world: World) -> None:
    world.contract.time_zone = "Europe/Berlin"
    assert read_end(world.contract, "2026-04-10T00:00") == datetime(2026, 4, 9, 22, tzinfo=UTC)
    for text in ("2026-03-29T02:30", "2026-10-25T02:30", "soon"):
        with pytest.raises(WrongTerms) as refused:
            read_end(world.contract, text)
        assert refused.value.extra["field"] == "ends_at"
        assert " or " in str(refused.value.extra["example"])
    with pytest.raises(WrongTerms, match="changes in nothing else") as refused:
        read_end(world.contract, "2026-04-10T00:00", [lease_wording()])
    assert refused.value.extra["field"] == "changes"


def test_a_period_that_closed_since_the_offer_stops_the_second_word(world: World) -> None:
    made = offered_contract_end(world)
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=NOON)
    close_period(period_id=world.period().id, now=APRIL + 5 * DAY)
    before = state_of(world)
    with pytest.raises(WrongTerms, match="too early") as refused, transaction.atomic():
        accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=NOON)
    assert refused.value.extra["field"] == "ends_at"
    assert state_of(world) == before
    made.refresh_from_db()
    assert made.state == AmendmentState.OFFERED
    assert preview_of(made, APRIL) is None


def test_a_term_agreed_since_the_offer_was_in_nobody_s_words(world: World) -> None:
    made = offered_contract_end(world)
    world.lease(1, from_at=NOON)
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=NOON)
    before = state_of(world)
    with pytest.raises(VersionChanged, match="offer it anew"), transaction.atomic():
        accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=NOON)
    assert state_of(world) == before


def test_a_term_agreed_between_draft_and_offer_ends_too(world: World) -> None:
    made = drafted_end(world)
    late = world.lease(1, from_at=NOON)
    made = offer(amendment_id=made.id, by=provider(world), now=MARCH)
    assert {each["ref"] for each in made.changes} == set(world.contract.terms.values_list("ref", flat=True))
    accepted(world, made)
    late.refresh_from_db()
    assert late.to_at == END


def test_a_term_that_is_over_or_was_taken_back_is_not_in_it(world: World) -> None:
    over = world.lease(1, to_at=NOON)
    never = world.lease(1, from_at=NOON + 20 * DAY)
    accepted(world, offered(world, {"ref": never.ref, "from_at": (NOON + 20 * DAY).isoformat(), "wording": None}))
    made = offered_contract_end(world)
    assert {over.ref, never.ref}.isdisjoint(each["ref"] for each in made.changes)
    accepted(world, made)
    over.refresh_from_db()
    assert over.to_at == NOON


def test_a_draft_of_an_end_becomes_another_one_or_a_change_and_back(world: World) -> None:
    made = drafted_end(world)
    share = world.contract.terms.get(kind="token_share")
    later = edit_draft(amendment_id=made.id, changes=(), by=provider(world), note="later", ends_at=END + DAY)
    assert (later.ends_at, later.effective_at, later.note) == (END + DAY, END + DAY, "later")
    assert {each["from_at"][:10] for each in later.changes} == {"2026-03-11", "2026-03-20"}
    change = {"ref": share.ref, "from_at": NOON.isoformat(), "wording": share_wording()}
    other = edit_draft(amendment_id=made.id, changes=[change], by=provider(world))
    assert (other.ends_at, other.effective_at, len(other.changes)) == (None, NOON, 1)
    again = edit_draft(amendment_id=made.id, changes=[change], by=provider(world), ends_at=END)
    assert (again.ends_at, len(again.changes)) == (END, 3)
    with pytest.raises(WrongTerms, match="too early"):
        edit_draft(amendment_id=made.id, changes=(), by=provider(world), ends_at=MARCH)
    assert Amendment.objects.get().ends_at == END


def test_a_refused_or_withdrawn_end_leaves_the_contract_as_it_was(world: World) -> None:
    before = state_of(world)
    refused = offered_contract_end(world)
    decline(amendment_id=refused.id, by=tenant(world), now=NOON)
    taken_back = offered_contract_end(world)
    withdraw(amendment_id=taken_back.id, by=provider(world), now=NOON)
    assert {**state_of(world), "rows": None} == {**before, "rows": None}
    accepted(world, offered_contract_end(world))
    assert state_of(world)["contract"][1] == END


def test_the_slices_are_free_for_others_from_the_end_on_and_not_before(world: World) -> None:
    accepted(world, offered_contract_end(world))
    held = Allocation.objects.get()
    rival = make_world(parties=(world.provider, make_world().tenant))
    given: dict[str, Any] = {"slices": [held.slice], "to_at": None, "price_per_gpu_hour": Decimal(1), "now": MARCH}
    with pytest.raises(Exception, match="held"), transaction.atomic():
        add_lease(contract=rival.contract, from_at=END - SECOND, **given)
    assert add_lease(contract=rival.contract, from_at=END, **given).from_at == END


def test_the_preview_says_each_term_s_end_in_words_and_what_the_last_period_would_not_have_cost(world: World) -> None:
    shared = world.contract.terms.get(kind="token_share")
    charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL)
    made = drafted_end(world, APRIL + 9 * DAY, APRIL)
    found = preview_of(made, APRIL + HOUR)
    assert found is not None
    assert found.before == Decimal("2.35") * 24 * (31 + 12)
    assert found.after == 0
    assert {each.ref for each in found.terms} == set(world.contract.terms.values_list("ref", flat=True))
    assert all(each.ends and not each.is_new for each in found.terms)
    [row] = [each for each in found.terms if each.ref == shared.ref]
    percent = next(each for each in row.words if each.field == "share_percent")
    assert (percent.before, percent.after) == ("30", None)
    assert state_of(world)["contract"][1] is None


def test_a_worker_that_dies_before_any_write_of_the_last_word_ends_nothing() -> None:
    world = make_world(tokens=PRICES)
    world.share()
    ensure_periods(contract=world.contract, now=MARCH)
    made = offered_contract_end(world)
    accept(amendment_id=made.id, by=tenant(world), name="Alice", sha256=made.sha256, now=MARCH)
    before = state_of(world)
    place = 0
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                accept(amendment_id=made.id, by=provider(world), name="Petra", sha256=made.sha256, now=MARCH)
        except Killed:
            assert state_of(world) == before
        else:
            break
    assert place > 12
    assert state_of(world)["contract"][:2] == (ContractState.TERMINATED, END)


def test_accepting_an_end_again_changes_nothing(world: World) -> None:
    made = offered_contract_end(world)
    accepted(world, made)
    after = state_of(world)
    accepted(world, made)
    assert state_of(world) == after
