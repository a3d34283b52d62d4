"""A value put in by one person and approved by another: linked rows, an audit log, and nothing overwritten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction

from metering.adjustment_models import Substitution, UsageAdjustment
from metering.finding_models import UsageFinding
from metering.models import UsageHour
from metering.rebuild import hours_against_registers, node_differences
from metering.substituting import (
    AlreadyProposed,
    FiguresChanged,
    SecondPersonNeeded,
    UsageUnknown,
    WrongSubstitution,
    decide_substitution,
    propose_substitution,
)
from metering.substitutions import substitutions_for
from metering.validating import validate_node
from tenants.models import AuditEntry, Role
from tests.factories import make_deployment, make_endpoint, make_user
from tests.kept import kept
from tests.metering.fleet import NOON, NOON_MS, URL, FakeAgent, column, make_agent, meter, roll_up, total
from tests.metering.forging import forge

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization, User
    from tests.factories import Cast

STEP_MS = 10_000
REASON = "The gateway's log shows what the engine lost."
LATER = NOON + timedelta(days=1)


@kept
def agent(cast: Cast) -> FakeAgent:
    """100 actual and 30 held tokens in one hour."""
    agent = make_agent(cast.provider)
    make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    agent.ship(
        column(meter(), [0, 100], [NOON_MS, NOON_MS + STEP_MS]),
        column(meter(), [130], [NOON_MS + 2 * STEP_MS], first_seq=3, epoch="epoch-2"),
    )
    roll_up(agent.node)
    return agent


@kept
def paul(cast: Cast) -> User:
    return make_user("paul@example.com", cast.provider, Role.ADMIN)


def propose(cast: Cast, value: int = 125, **changes: Any) -> Substitution:
    row = UsageHour.objects.filter(from_at=NOON).earliest("id")
    fields = {
        "provider": cast.provider, "by": cast.petra, "meter_id": row.meter_id, "from_at": NOON, "value": value,
        "reason": REASON, "now": LATER, **changes,
    }  # fmt: skip
    return propose_substitution(**fields)


def decide(cast: Cast, made: Substitution, by: User, *, approve: bool = True) -> Substitution:
    return decide_substitution(provider=cast.provider, by=by, substitution_id=made.id, approve=approve, now=LATER)


def billed() -> int:
    return total(quality="A") + total(quality="E") + total(quality="S")


def test_an_approved_value_takes_the_place_of_what_was_metered_and_held(
    cast: Cast, agent: FakeAgent, paul: User
) -> None:
    made = propose(cast)
    assert (made.value_before, made.tenant, billed()) == (100, cast.tenant, 100)
    done = decide(cast, made, paul)
    assert (billed(), total(quality="S"), total(quality="Q"), total()) == (125, 125, 0, 125)
    assert done.adjustment is not None
    metered = set(UsageHour.objects.filter(adjustment=None).values_list("id", flat=True))
    rows = UsageHour.objects.filter(adjustment=done.adjustment)
    assert sorted(rows.values_list("quality", "value")) == [("A", -100), ("Q", -30), ("S", 125)]
    assert {row.adjusts_id for row in rows} <= metered
    assert done.adjustment.made_by == paul


def test_both_steps_are_in_the_audit_log_with_before_and_after(cast: Cast, agent: FakeAgent, paul: User) -> None:
    decide(cast, propose(cast), paul)
    entries = AuditEntry.objects.filter(organization=cast.provider, action__startswith="substitution").order_by("id")
    assert [(one.actor, one.action) for one in entries] == [
        (cast.petra.email, "substitution.proposed"),
        (paul.email, "substitution.approved"),
    ]
    for one in entries:
        assert one.before == {"value": "100"}
        assert one.after is not None
        assert (one.after["value"], one.after["reason"]) == ("125", REASON)


def test_who_proposed_cannot_approve_not_even_around_the_code(cast: Cast, agent: FakeAgent) -> None:
    made = propose(cast)
    with pytest.raises(SecondPersonNeeded):
        decide(cast, made, cast.petra)
    with pytest.raises(IntegrityError), transaction.atomic():
        Substitution.objects.update(decided_by=cast.petra)
    assert billed() == 100


def test_a_substitution_is_withdrawn_by_another(cast: Cast, agent: FakeAgent, paul: User) -> None:
    decide(cast, propose(cast), paul)
    decide(cast, propose(cast, value=100), paul)
    assert (billed(), total(quality="S")) == (100, 100)
    assert UsageAdjustment.objects.count() == 2
    decide(cast, propose(cast, value=0), paul)
    assert billed() == 0


def test_what_is_derived_is_not_disturbed(cast: Cast, agent: FakeAgent, paul: User) -> None:
    decide(cast, propose(cast), paul)
    assert node_differences(node=agent.node, from_at=None, to_at=None) == []
    assert hours_against_registers()[1] == []


def test_figures_that_changed_since_must_be_looked_at_again(cast: Cast, agent: FakeAgent, paul: User) -> None:
    made = propose(cast)
    agent.ship(column(meter(), [150], [NOON_MS + 3 * STEP_MS], first_seq=4, epoch="epoch-2"))
    roll_up(agent.node)
    with pytest.raises(FiguresChanged):
        decide(cast, made, paul)
    assert decide(cast, made, paul, approve=False).state == "refused"
    assert billed() == 120


def test_one_proposal_a_part_and_one_decision_each(cast: Cast, agent: FakeAgent, paul: User) -> None:
    made = propose(cast)
    with pytest.raises(AlreadyProposed):
        propose(cast)
    decide(cast, made, paul, approve=False)
    with pytest.raises(AlreadyProposed):
        decide(cast, made, paul)
    assert billed() == 100


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"value": -1}, WrongSubstitution),
        ({"value": 2**62 + 1}, WrongSubstitution),
        ({"reason": "  because "}, WrongSubstitution),
        ({"from_at": NOON + timedelta(minutes=1)}, UsageUnknown),
        ({"meter_id": UsageHour().id}, UsageUnknown),
    ],
)
def test_what_cannot_be_taken_is_refused(cast: Cast, agent: FakeAgent, changes: Any, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        propose(cast, **changes)
    assert Substitution.objects.count() == 0


def test_another_provider_sees_and_changes_nothing(cast: Cast, agent: FakeAgent, paul: User) -> None:
    with pytest.raises(UsageUnknown):
        propose(cast, provider=cast.outsider, by=cast.charlie)
    made = propose(cast)
    with pytest.raises(UsageUnknown):
        decide_substitution(provider=cast.outsider, by=cast.charlie, substitution_id=made.id, approve=True, now=LATER)

    def seen(organization: Organization) -> int:
        return len(substitutions_for(organization=organization, from_at=NOON, to_at=LATER))

    assert [seen(one) for one in (cast.provider, cast.tenant, cast.outsider)] == [1, 0, 0]
    decide(cast, made, paul)
    assert [seen(one) for one in (cast.provider, cast.tenant, cast.outsider)] == [1, 1, 0]


def test_what_is_metered_later_is_found_until_another_substitution_takes_it_away(
    cast: Cast, agent: FakeAgent, paul: User
) -> None:
    decide(cast, propose(cast), paul)
    hour = timedelta(hours=1)
    agent.ship(
        column(meter(), [137, 140], [NOON_MS + 3 * STEP_MS, NOON_MS + 3_600_000], first_seq=4, epoch="epoch-2"),
        metered_to_ms=NOON_MS + 3_700_000,
    )
    roll_up(agent.node)
    late = billed() - 125
    assert late == 10

    def found(now: datetime) -> list[tuple[int, str]]:
        validate_node(node_id=agent.node.id, now=now)
        return list(UsageFinding.objects.filter(rule="substituted").values_list("observed", "state"))

    assert found(LATER + hour) == [(late, "open")]
    decide(cast, propose(cast), paul)
    assert billed() == 125
    forge(UsageHour.objects.filter(quality="S"), updated_at=LATER + 2 * hour)
    assert found(LATER + 3 * hour) == [(late, "settled")]


def test_an_hour_in_which_nothing_was_metered_gets_a_value_for_whoever_would_have_had_it(
    cast: Cast, agent: FakeAgent, paul: User
) -> None:
    hour_at = NOON + timedelta(hours=2)
    made = propose(cast, value=70, from_at=hour_at)
    assert (made.value_before, made.tenant, made.to_at - made.from_at) == (0, cast.tenant, timedelta(hours=1))
    assert made.deployment is not None
    decide(cast, made, paul)
    assert (total(from_at=hour_at), billed()) == (70, 170)
    row = UsageHour.objects.get(from_at=hour_at)
    assert (row.quality, row.adjusts_id, row.deployment) == ("S", None, made.deployment)
    assert node_differences(node=agent.node, from_at=None, to_at=None) == []
    assert hours_against_registers()[1] == []
    decide(cast, propose(cast, value=0, from_at=hour_at), paul)
    assert billed() == 100


def test_an_hour_that_is_not_over_or_metered_meanwhile_is_refused(cast: Cast, agent: FakeAgent, paul: User) -> None:
    hour_at = NOON + timedelta(hours=2)
    with pytest.raises(UsageUnknown):
        propose(cast, from_at=hour_at, now=hour_at + timedelta(minutes=59))
    with pytest.raises(UsageUnknown):
        propose(cast, from_at=hour_at + timedelta(minutes=5))
    made = propose(cast, value=70, from_at=hour_at)
    later = NOON_MS + 2 * 3_600_000
    agent.ship(column(meter(), [130, 150], [later, later + STEP_MS], first_seq=4, epoch="epoch-2"))
    roll_up(agent.node)
    with pytest.raises(FiguresChanged):
        decide(cast, made, paul)
