"""Setting schedules of dunning: whose counts, since when, what is refused, and that open cases are looked at anew."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.dunning.policies import (
    WrongDunning,
    follow_provider,
    own_schedule,
    own_schedules,
    schedule_of,
    set_policy,
)
from billing.dunning.schedule import Action, Planned
from billing.models import DunningCase, DunningPolicy, Invoice
from tenants.models import AuditEntry
from tests.billing.dunning.overdue import BY, STEPS, after, make_overdue, sweep, taken
from tests.billing.issued import ISSUED_AT
from tests.factories import make_contract
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Contract
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
REMIND = [{"after_days": 1, "action": "remind"}]
SECOND = timedelta(seconds=1)


@kept
def contract(cast: Cast) -> Contract:
    return make_contract(cast.provider, cast.tenant)


def put(cast: Cast, steps: list[dict[str, Any]], contract: Contract | None = None, later: int = 0) -> DunningPolicy:
    now = ISSUED_AT + later * SECOND
    return set_policy(provider=cast.provider, steps=steps, by=BY, now=now, contract=contract)


def days(cast: Cast, contract: Contract | None = None) -> list[int]:
    return [step.after_days for step in schedule_of(cast.provider.pk, contract.pk if contract else None)]


invoice = kept(make_overdue)


def test_without_a_schedule_nothing_is_ever_sent(cast: Cast, contract: Contract) -> None:
    assert schedule_of(cast.provider.pk) == ()
    assert schedule_of(cast.provider.pk, contract.pk) == ()


def test_the_latest_schedule_counts_and_those_before_it_stay(cast: Cast) -> None:
    put(cast, REMIND)
    put(cast, STEPS, later=1)
    assert days(cast) == [3, 5, 10, 17]
    assert DunningPolicy.objects.count() == 2


def test_of_two_set_in_one_instant_the_one_stored_later_counts(cast: Cast) -> None:
    put(cast, STEPS)
    put(cast, REMIND)
    assert days(cast) == [1]


def test_a_contracts_own_schedule_counts_for_it_alone_whenever_the_providers_was_set(
    cast: Cast, contract: Contract
) -> None:
    other = make_contract(cast.provider, cast.tenant)
    put(cast, REMIND, contract)
    assert (days(cast, contract), days(cast, other), days(cast)) == ([1], [], [])
    put(cast, STEPS, later=1)
    assert (days(cast, contract), days(cast, other)) == ([1], [3, 5, 10, 17])


def test_an_empty_schedule_of_a_contract_keeps_the_providers_away(cast: Cast, contract: Contract) -> None:
    put(cast, STEPS)
    put(cast, [], contract, later=1)
    assert days(cast, contract) == []
    assert days(cast) == [3, 5, 10, 17]


def test_the_schedule_of_another_provider_is_none_of_ours(cast: Cast, contract: Contract) -> None:
    set_policy(provider=cast.outsider, steps=REMIND, by=BY, now=ISSUED_AT)
    assert schedule_of(cast.provider.pk, contract.pk) == ()
    assert schedule_of(cast.outsider.pk) == (Planned(1, Action.REMIND),)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"after_days": 366, "action": "remind"}], "step 1: after_days"),
        ([*REMIND, {"after_days": 2, "action": "shout"}], "step 2: action"),
        ([{"after_days": 9, "action": "suspend"}], "suspend: expected a notice"),
        ([{}], "step 1: after_days"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused_by_name_and_nothing_is_stored(
    cast: Cast, steps: list[dict[str, Any]], words: str
) -> None:
    put(cast, REMIND)
    with pytest.raises(WrongDunning, match=words) as refused:
        put(cast, steps, later=1)
    assert (refused.value.code, refused.value.status) == ("wrong_dunning", 422)
    assert refused.value.extra == {"field": "steps"}
    assert days(cast) == [1]
    assert AuditEntry.objects.filter(action="dunning.schedule_set").count() == 1


def test_who_set_which_schedule_for_what_is_noted(cast: Cast, contract: Contract) -> None:
    put(cast, STEPS)
    put(cast, REMIND, contract, later=1)
    entries = AuditEntry.objects.filter(action="dunning.schedule_set").order_by("at")
    assert [(entry.actor, entry.subject) for entry in entries] == [(BY, "provider"), (BY, contract.number)]
    assert [entry.after for entry in entries] == [{"steps": STEPS}, {"steps": REMIND}]


def test_open_cases_are_looked_at_anew_and_steps_that_were_taken_stay_taken(cast: Cast, invoice: Invoice) -> None:
    sweep(after(invoice, 3))
    waiting = DunningCase.objects.get(invoice=invoice)
    assert waiting.next_at == after(invoice, 5)
    set_policy(
        provider=cast.provider,
        steps=[STEPS[0], {"after_days": 4, "action": "remind"}],
        by=BY,
        now=after(invoice, 4),
    )
    waiting.refresh_from_db()
    assert waiting.next_at == after(invoice, 4)
    assert sweep(after(invoice, 4)) == ["remind"]
    assert taken() == [("remind", 3), ("remind", 4)]


def test_the_cases_of_another_provider_are_left_as_they_are(cast: Cast, invoice: Invoice) -> None:
    sweep(after(invoice, 3))
    before = DunningCase.objects.get(invoice=invoice).next_at
    set_policy(provider=cast.outsider, steps=REMIND, by=BY, now=after(invoice, 4))
    assert DunningCase.objects.get(invoice=invoice).next_at == before


def test_a_contract_follows_its_provider_again_from_then_on(cast: Cast, contract: Contract) -> None:
    put(cast, STEPS)
    assert follow_provider(contract=contract, by=BY, now=ISSUED_AT) is None
    put(cast, REMIND, contract, later=1)
    assert (days(cast, contract), own_schedules(cast.provider)) == ([1], [contract])
    assert follow_provider(contract=contract, by=BY, now=ISSUED_AT + 2 * SECOND) is not None
    assert (days(cast, contract), own_schedules(cast.provider)) == ([3, 5, 10, 17], [])
    assert own_schedule(cast.provider.pk, contract.pk) is None
    assert follow_provider(contract=contract, by=BY, now=ISSUED_AT + 3 * SECOND) is None
    assert AuditEntry.objects.filter(action="dunning.schedule_ended", subject=contract.number).count() == 1
    put(cast, [], contract, later=4)
    assert (days(cast, contract), own_schedule(cast.provider.pk, contract.pk)) == ([], ())


def test_an_open_case_of_a_contract_is_looked_at_anew_when_it_follows_again(cast: Cast) -> None:
    invoice = make_overdue(cast)
    put(cast, [], invoice.contract)
    sweep(after(invoice, 3))
    assert taken() == []
    follow_provider(contract=invoice.contract, by=BY, now=after(invoice, 4))
    assert DunningCase.objects.get().next_at == after(invoice, 4)
    sweep(after(invoice, 4))
    assert len(taken()) == 1
