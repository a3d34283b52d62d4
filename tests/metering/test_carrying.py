"""A person's value goes where the usage of its hour goes: to another owner, into other parts, and back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.models import Binding, Deployment, Endpoint
from metering.adjustment_models import AdjustmentCause, Substitution, UsageAdjustment
from metering.carrying import shares
from metering.finding_models import UsageFinding
from metering.models import UsageCut, UsageHour
from metering.rebuild import hours_against_registers, node_differences
from metering.restating import restate_node
from metering.substituting import decide_substitution, propose_substitution
from metering.substitutions import substitutions_for
from metering.validating import validate_node
from tenants.models import Role
from tests.examples import examples
from tests.factories import make_deployment, make_organization, make_user
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON, NOON_MS, FakeAgent, column, make_agent, meter, roll_up, total

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization, User
    from tests.factories import Cast

MINUTE = timedelta(minutes=1)
STEP_MS = 10_000
LATER = NOON + timedelta(hours=2)
REASON = "The gateway's log shows what the engine lost."


@settings(max_examples=examples(25))
@given(st.integers(-(2**62), 2**62), st.lists(st.integers(0, 2**40), min_size=1, max_size=6).filter(any))
def test_shares_add_up_and_are_right_to_a_unit(value: int, weights: list[int]) -> None:
    found = shares(value, weights)
    assert sum(found) == value
    for weight, share in zip(weights, found, strict=True):
        assert abs(share * sum(weights) - value * weight) < 2 * sum(weights)
        assert share * value >= 0
        assert weight or not share


@kept
def agent(cast: Cast) -> FakeAgent:
    """A node whose register rises by 1,000 every 10 s for an hour."""
    agent = make_agent(cast.provider)
    times = [NOON_MS + STEP_MS * tick for tick in range(361)]
    agent.ship(column(meter(), [1_000 * tick for tick in range(361)], times))
    roll_up(agent.node)
    return agent


@kept
def first(cast: Cast, agent: FakeAgent) -> Deployment:
    """A deployment that had the whole hour, whose 360,000 two people made 300,000."""
    made = make_deployment(cast.provider, cast.tenant)
    bind(made, 0)
    restate(agent)
    substitute(cast, 300_000)
    return made


@kept
def other(cast: Cast) -> Organization:
    return make_organization("other-tenant", is_tenant=True)


def bind(deployment: Deployment, minute: int) -> None:
    Binding.objects.create(
        deployment=deployment, endpoint=Endpoint.objects.get(), model=MODEL, from_at=NOON + minute * MINUTE
    )


def restate(agent: FakeAgent) -> None:
    restate_node(node_id=agent.node.id, now=LATER)


def substitute(cast: Cast, value: int, from_at: datetime = NOON, now: datetime = LATER) -> Substitution:
    paul = second_person(cast)
    meter_id = UsageHour.objects.earliest("id").meter_id
    made = propose_substitution(
        provider=cast.provider, by=cast.petra, meter_id=meter_id, from_at=from_at, value=value, reason=REASON, now=now
    )
    return decide_substitution(provider=cast.provider, by=paul, substitution_id=made.id, approve=True, now=now)


def second_person(cast: Cast) -> User:
    found = cast.provider.memberships.filter(user__email="paul@example.com").first()
    return found.user if found else make_user("paul@example.com", cast.provider, Role.ADMIN)


def hand_over(cast: Cast, first: Deployment, other: Organization, minute: int) -> Deployment:
    """Another tenant's deployment has the endpoint from a minute on."""
    Binding.objects.filter(deployment=first).update(to_at=NOON + minute * MINUTE)
    made = make_deployment(cast.provider, other)
    bind(made, minute)
    return made


def billed(deployment: Deployment | None) -> int:
    return sum(total(deployment=deployment, quality=quality) for quality in "AES")


def holds(agent: FakeAgent) -> None:
    """What is derived comes out again, the sums are the registers', and nothing stands beside a person's value."""
    assert node_differences(node=agent.node, from_at=None, to_at=None) == []
    assert hours_against_registers()[1] == []
    validate_node(node_id=agent.node.id, now=LATER + timedelta(days=1))
    assert not UsageFinding.objects.filter(rule="substituted", state="open").exists()


def test_a_value_goes_with_its_hour_to_another_owner(
    cast: Cast, agent: FakeAgent, first: Deployment, other: Organization
) -> None:
    Binding.objects.filter(deployment=first).delete()
    second = make_deployment(cast.provider, other)
    bind(second, 0)
    restate(agent)
    assert (billed(first), billed(second), billed(None)) == (0, 300_000, 0)
    assert (total(deployment=first, quality="S"), total(deployment=second, quality="S")) == (0, 300_000)
    holds(agent)


def test_a_value_is_shared_out_where_its_hour_is_parted(
    cast: Cast, agent: FakeAgent, first: Deployment, other: Organization
) -> None:
    second = hand_over(cast, first, other, 15)
    restate(agent)
    assert (billed(first), billed(second), billed(None)) == (75_000, 225_000, 0)
    holds(agent)
    before = UsageHour.objects.count()
    restate(agent)
    assert UsageHour.objects.count() == before


def test_a_price_cut_parts_it_too_and_its_end_joins_it_again(agent: FakeAgent, first: Deployment) -> None:
    cut = UsageCut.objects.create(deployment=first, at=NOON + 45 * MINUTE)
    restate(agent)
    parts = {at: sum(total(from_at=at, quality=quality) for quality in "AES") for at in (NOON, cut.at)}
    assert parts == {NOON: 225_000, cut.at: 75_000}
    holds(agent)
    UsageCut.objects.all().delete()
    restate(agent)
    assert (total(from_at=NOON), total(from_at=cut.at), billed(first)) == (300_000, 0, 300_000)
    holds(agent)


def test_it_comes_back_to_the_unit(cast: Cast, agent: FakeAgent, first: Deployment, other: Organization) -> None:
    second = hand_over(cast, first, other, 7)
    restate(agent)
    assert billed(first) + billed(second) == 300_000
    Binding.objects.filter(deployment=second).delete()
    Binding.objects.filter(deployment=first).update(to_at=None)
    restate(agent)
    assert (billed(first), billed(second)) == (300_000, 0)
    holds(agent)


def test_an_hour_without_any_reading_is_shared_out_by_time(
    cast: Cast, agent: FakeAgent, first: Deployment, other: Organization
) -> None:
    hour_at, now = NOON + timedelta(hours=2), NOON + timedelta(hours=4)
    substitute(cast, 70, from_at=hour_at, now=now)
    agent.ship(column(meter(), [360_000], [NOON_MS + 3 * 3_600_000 + STEP_MS], first_seq=362))
    roll_up(agent.node)
    second = hand_over(cast, first, other, 120 + 45)
    restate(agent)
    at = hour_at + 45 * MINUTE
    assert (billed(first), billed(second), total(from_at=at)) == (300_000 + 52, 18, 18)
    holds(agent)


def test_who_has_the_usage_now_reads_it_and_who_decided_stays_on_record(
    cast: Cast, agent: FakeAgent, first: Deployment, other: Organization
) -> None:
    hand_over(cast, first, other, 15)
    restate(agent)

    def seen(organization: Organization) -> list[tuple[str | None, int, int]]:
        rows = substitutions_for(organization=organization, from_at=NOON, to_at=LATER)
        return sorted((row.tenant, row.value_before, row.value) for row in rows)

    assert seen(other) == [(other.name, 270_000, 225_000)]
    assert seen(cast.tenant) == [(cast.tenant.name, 90_000, 75_000), (cast.tenant.name, 360_000, 300_000)]
    assert len(seen(cast.provider)) == 3
    made = Substitution.objects.filter(tenant=other).get()
    assert (made.proposed_by, made.decided_by, made.reason) == (cast.petra, second_person(cast), REASON)
    assert made.adjustment is not None
    assert made.adjustment.made_by is None


def test_it_can_be_withdrawn_where_it_went(
    cast: Cast, agent: FakeAgent, first: Deployment, other: Organization
) -> None:
    second = hand_over(cast, first, other, 15)
    restate(agent)
    substitute(cast, 270_000, from_at=NOON + 15 * MINUTE)
    assert (billed(first), billed(second)) == (75_000, 270_000)
    holds(agent)


def test_rebuilding_moves_it_as_restating_does(
    cast: Cast, agent: FakeAgent, first: Deployment, other: Organization
) -> None:
    second = hand_over(cast, first, other, 30)
    call_command("rebuild_usage", "--node", agent.node.name, "--apply", "A late contract.")
    assert (billed(first), billed(second)) == (150_000, 150_000)
    holds(agent)
    causes = UsageAdjustment.objects.order_by("made_at", "id").values_list("cause", flat=True)
    assert set(causes) == {AdjustmentCause.RESTATED, AdjustmentCause.SUBSTITUTED, AdjustmentCause.REBUILT}
