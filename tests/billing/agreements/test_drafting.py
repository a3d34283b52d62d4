from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.agreements.accepting import accept
from billing.agreements.drafting import (
    Actor,
    AmendmentClosed,
    AmendmentOpen,
    AmendmentUnknown,
    decline,
    edit_draft,
    expire_offers,
    offer,
    propose,
    withdraw,
)
from billing.bases import read_basis, window_of
from billing.basis import rate
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.holding import SliceTaken, WrongTerms
from billing.models import Amendment, AmendmentState, Contract, ContractState, Term
from billing.money import to_charge
from billing.term_binding import DeploymentTaken
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
from tests.billing.world import APRIL, H100, MARCH, World, make_world
from tests.factories import make_deployment, make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db


world = kept(parties)


def test_a_draft_is_its_drafter_s_alone_until_it_is_offered(world: World) -> None:
    drafted = drafted_contract(world, new_lease(world.make_slices(2)))
    contract = drafted.contract
    assert (contract.state, contract.version, drafted.number) == (ContractState.DRAFT, 0, 1)
    assert list(Contract.objects.for_org(world.tenant)) == [world.contract]
    assert contract in Contract.objects.for_org(world.provider)
    assert not Amendment.objects.for_org(world.tenant).exists()
    with pytest.raises(AmendmentUnknown):
        decline(amendment_id=drafted.id, by=tenant(world), now=MARCH)

    made = offer(amendment_id=drafted.id, by=provider(world), now=MARCH, days=3)

    contract.refresh_from_db()
    assert contract.state == ContractState.OFFERED
    assert (made.base_version, made.expires_at) == (0, MARCH + 3 * DAY)
    assert contract in Contract.objects.for_org(world.tenant)
    assert [entry.action for entry in AuditEntry.objects.all()] == ["amendment.offered"]


def test_an_offer_is_fixed_word_by_word(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    with pytest.raises(AmendmentClosed, match="offered"):
        edit_draft(amendment_id=made.id, changes=made.changes, by=provider(world))
    for statement in (
        "UPDATE billing_amendment SET changes = '[]'",
        "UPDATE billing_amendment SET sha256 = 'other'",
        "UPDATE billing_amendment SET state = 'draft'",
        "DELETE FROM billing_amendment",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_draft_can_be_edited_and_thrown_away_by_its_drafter_only(world: World) -> None:
    slices = world.make_slices(1)
    drafted = propose(contract_id=world.contract.id, changes=[new_lease(slices)], by=provider(world), now=MARCH)
    edited = edit_draft(
        amendment_id=drafted.id, changes=[{**new_lease(slices), "wording": lease_wording("4")}], by=provider(world)
    )
    assert edited.changes[0]["wording"]["price_per_gpu_hour"] == "4"
    with pytest.raises(AmendmentUnknown):
        withdraw(amendment_id=drafted.id, by=tenant(world), now=MARCH)
    assert withdraw(amendment_id=drafted.id, by=provider(world), now=MARCH).state == AmendmentState.WITHDRAWN


def test_one_amendment_is_open_at_a_time(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    with pytest.raises(AmendmentOpen, match="not decided"):
        propose(contract_id=world.contract.id, changes=made.changes, by=tenant(world), now=MARCH)
    decline(amendment_id=made.id, by=tenant(world), now=MARCH)
    assert propose(contract_id=world.contract.id, changes=made.changes, by=tenant(world), now=MARCH).number == 2


def test_a_contract_that_is_declined_is_a_draft_again_and_an_offer_that_is_withdrawn_too(world: World) -> None:
    drafted = drafted_contract(world, new_lease(world.make_slices(1)))
    offer(amendment_id=drafted.id, by=provider(world), now=MARCH)
    with pytest.raises(AmendmentClosed, match="to change"):
        withdraw(amendment_id=drafted.id, by=tenant(world), now=MARCH)
    declined = decline(amendment_id=drafted.id, by=tenant(world), now=MARCH)
    assert (declined.state, declined.decided_by) == (AmendmentState.DECLINED, tenant(world).person)
    drafted.contract.refresh_from_db()
    assert drafted.contract.state == ContractState.DRAFT
    again = propose(contract_id=drafted.contract.id, changes=drafted.changes, by=provider(world), now=MARCH)
    assert offer(amendment_id=again.id, by=provider(world), now=MARCH).number == 2
    withdraw(amendment_id=again.id, by=provider(world), now=MARCH)
    with pytest.raises(AmendmentClosed):
        decline(amendment_id=again.id, by=tenant(world), now=MARCH)


def test_offers_expire(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    assert made.expires_at is not None
    assert expire_offers(now=made.expires_at - timedelta(seconds=1)) == 0
    assert expire_offers(now=made.expires_at) == 1
    assert expire_offers(now=made.expires_at) == 0
    made.refresh_from_db()
    assert made.state == AmendmentState.EXPIRED
    with pytest.raises(AmendmentClosed, match="expired"):
        accept(amendment_id=made.id, by=tenant(world), name="A", sha256=made.sha256, now=MARCH)


def test_an_outsider_sees_no_amendment(world: World) -> None:
    made = offered(world, new_lease(world.make_slices(1)))
    charlie = Actor(make_organization("outsider"), "charlie@outsider.example")
    for act in (withdraw, decline):
        with pytest.raises(AmendmentUnknown):
            act(amendment_id=made.id, by=charlie, now=MARCH)


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"from_at": "2026-02-01T00:00:00Z"}, "changes[0].from_at", "before the contract begins"),
        ({"to_at": "2026-03-05T12:00:00Z"}, "changes[0].to_at", "empty"),
        ({"to_at": "2026-03-05T11:00:00Z"}, "changes[0].to_at", "empty"),
        ({"currency": "EUR"}, "changes[0].currency", "EUR is not"),
        ({"ref": "L-9999"}, "changes[0].ref", "no term L-9999"),
        ({"wording": None}, "changes[0].wording", "Only a term that there is"),
        ({"wording": lease_wording("-1")}, "changes[0].wording.price_per_gpu_hour", "negative"),
        ({"wording": {"kind": "lease", "price": "1"}}, "changes[0].wording", "unknown field"),
        ({"wording": {"kind": "gift"}}, "changes[0].wording", "gift"),
        ({"wording": share_wording("100.1")}, "changes[0].wording.share_percent", "100"),
        ({"wording": share_wording()}, "changes[0].deployments", "at least one"),
        ({"slices": []}, "changes[0].slices", "at least one slice"),
        ({"slices": ["00000000-0000-0000-0000-000000000001"]}, "changes[0].slices", "1 of 1"),
        ({"slices": ["x"]}, "changes[0]", "UUID"),
        ({"from_at": "yesterday"}, "changes[0].from_at", "no time"),
        ({"from_at": "2026-03-29T02:30"}, "changes[0].from_at", "does not exist"),
        ({"from_at": "2026-10-25T02:30"}, "changes[0].from_at", "twice"),
        ({"colour": "red"}, "changes[0]", "colour"),
    ],
)
def test_what_is_wrong_is_refused_with_field_reason_and_example(
    changed: dict[str, Any], field: str, reason: str, world: World
) -> None:
    before = Contract.objects.count()
    with pytest.raises(WrongTerms) as refused:
        drafted_contract(world, {**new_lease(world.make_slices(1)), **changed})
    assert str(refused.value.extra["field"]).startswith(field)
    assert reason in str(refused.value.extra["reason"])
    assert refused.value.extra["example"] is not None
    assert refused.value.status == 422
    assert (Contract.objects.count(), Amendment.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"currency": "XYZ"}, "currency"),
        ({"currency": "EUR"}, "price_book"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"to_at": MARCH}, "to_at"),
        ({"operator_fee_percent": 101}, "operator_fee_percent"),
        ({"period_length_s": 60}, "period_length_s"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(changed: dict[str, Any], field: str, world: World) -> None:
    with pytest.raises(WrongTerms) as refused:
        drafted_contract(world, new_lease(world.make_slices(1)), **changed)
    assert refused.value.extra["field"] == field


def test_slices_and_deployments_that_others_have_are_refused() -> None:
    world = make_world(tokens=PRICES)
    lease, shared = world.lease(1, from_at=NOON), world.share()
    slice_id = str(lease.allocations.get().allocation.slice_id)
    taken = {"from_at": "2026-03-06T00:00:00Z", "wording": lease_wording(), "slices": [slice_id]}
    with pytest.raises(SliceTaken) as refused:
        propose(contract_id=world.contract.id, changes=[taken], by=provider(world), now=MARCH)
    assert refused.value.extra["field"] == "changes[0].slices"
    bound = {
        "from_at": "2026-03-06T00:00:00Z",
        "wording": share_wording(),
        "deployments": [str(shared.deployment.id)],
    }
    with pytest.raises(DeploymentTaken, match=shared.term.ref):
        propose(contract_id=world.contract.id, changes=[bound], by=provider(world), now=MARCH)
    ending = {"ref": shared.term.ref, "from_at": "2026-03-06T00:00:00Z", "wording": None}
    assert propose(contract_id=world.contract.id, changes=[bound, ending], by=provider(world), now=MARCH).pk
    foreign = make_deployment(world.provider, make_organization("somebody"))
    with pytest.raises(WrongTerms, match="between the contract's parties"):
        drafted_contract(world, {**bound, "deployments": [str(foreign.id)]})


def test_changes_that_contradict_each_other_are_refused(world: World) -> None:
    slices = world.make_slices(1)
    with pytest.raises(WrongTerms, match="at the same time"):
        drafted_contract(world, new_lease(slices), new_lease(slices, from_at="2026-03-07T00:00:00Z"))
    first = new_lease(slices, to_at="2026-03-07T00:00:00Z")
    assert drafted_contract(world, first, new_lease(slices, from_at="2026-03-07T00:00:00Z")).pk
    lease = world.lease(1, from_at=NOON)
    twice = [{"ref": lease.ref, "from_at": f"2026-03-0{day}T00:00:00Z", "wording": None} for day in (6, 7)]
    with pytest.raises(WrongTerms, match="changed twice"):
        propose(contract_id=world.contract.id, changes=twice, by=provider(world), now=MARCH)
    other_kind = {"ref": lease.ref, "from_at": "2026-03-07T00:00:00Z", "wording": share_wording()}
    with pytest.raises(WrongTerms, match="cannot become"):
        propose(contract_id=world.contract.id, changes=[other_kind], by=provider(world), now=MARCH)


def test_what_is_invoiced_is_not_changed_any_more() -> None:
    world = make_world(gpus={H100: "2"})
    lease = world.lease(1, from_at=NOON, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    for start, wrong in (("2026-03-31T23:59:59Z", True), ("2026-04-01T00:00:00Z", False)):
        change = {"ref": lease.ref, "from_at": start, "wording": lease_wording()}
        if wrong:
            with pytest.raises(WrongTerms, match="is invoiced") as refused:
                propose(contract_id=world.contract.id, changes=[change], by=provider(world), now=APRIL)
            assert refused.value.extra["example"] == APRIL.isoformat()
        else:
            assert propose(contract_id=world.contract.id, changes=[change], by=provider(world), now=APRIL).pk


def test_a_term_that_handed_something_on_ends_in_an_open_period_which_settles_it() -> None:
    world = make_world(gpus={H100: "2"})
    world.lease(1, from_at=NOON, rolled_to_at=APRIL)
    committed = {"kind": "commitment", "amount_per_year": "73000.00"}
    accepted(world, offered(world, {"from_at": MARCH.isoformat(), "wording": committed}))
    term = Term.objects.get(kind="commitment")
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    end = {"ref": term.ref, "from_at": APRIL.isoformat(), "wording": None}
    with pytest.raises(WrongTerms, match="committed_amount_seconds, used_amount, which is settled") as refused:
        propose(contract_id=world.contract.id, changes=[end], by=provider(world), now=APRIL)
    assert refused.value.extra["field"] == "changes[0].from_at"
    later = {**end, "from_at": refused.value.extra["example"]}
    accepted(world, offered(world, later, now=APRIL), now=APRIL)
    april = world.contract.periods.get(from_at=APRIL)
    basis = read_basis(window_of(april))
    [line] = [each for each in rate(basis).lines if each.term_kind == "commitment"]
    facts: list[Any] = [fact for one in basis.terms for fact in one.facts]
    held = next(fact.value for fact in facts if getattr(fact, "name", "") == "used_amount")
    used = held + sum(each.amount for each in rate(basis).lines if each.term_kind == "lease")
    assert line.amount == to_charge(200 * Fraction(31 * 86_400 + 1, 86_400) - Fraction(used))


@pytest.mark.parametrize("changes", [[], "x", None, [1], {"a": 1}])
def test_a_proposal_is_a_list_of_changes(changes: Any, world: World) -> None:
    with pytest.raises(WrongTerms, match="changes"):
        propose(contract_id=world.contract.id, changes=changes, by=provider(world), now=MARCH)
