"""Checking hours when they are over and again when they change; each finding once, settled when it passes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from metering.adjustment_models import AdjustmentCause
from metering.finding_models import UsageFinding
from metering.findings import count_findings, finding_page, findings_for
from metering.models import UsageHour
from metering.rebuild import rebuild_node
from metering.tasks import validate_usage
from metering.validating import nodes_to_validate, validate_node
from tenants.limits.reader import limited, read_for
from tenants.listing.paging import Page
from tests.factories import make_deployment, make_endpoint
from tests.kept import kept
from tests.metering.fleet import NOON, NOON_MS, URL, FakeAgent, column, make_agent, meter, roll_up
from tests.metering.forging import forge

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000
DAYS = 4


@kept
def agent(cast: Cast) -> FakeAgent:
    """Four days at 100,000 an hour, but five times as much in one hour of the last day."""
    make_deployment(cast.provider, cast.tenant, make_endpoint((agent := make_agent(cast.provider)).node, url=URL))
    hours = range(24 * DAYS + 1)
    values = [100_000 * hour + (400_000 if hour > 80 else 0) for hour in hours]
    agent.ship(
        column(meter(), values, [NOON_MS + HOUR_MS * hour for hour in hours]), now=NOON + timedelta(days=DAYS + 1)
    )
    roll_up(agent.node)
    return agent


def found() -> list[tuple[str, int, int, str]]:
    return list(UsageFinding.objects.order_by("rule").values_list("rule", "observed", "expected", "state"))


def test_a_spike_is_found_once_and_nothing_is_edited(agent: FakeAgent) -> None:
    before = list(UsageHour.objects.order_by("id").values_list())
    assert sum(validate_usage(hint="ignored") for _ in range(3)) == 24 * DAYS + 1
    assert found() == [("spike", 500_000, 180_000, "open")]
    assert UsageFinding.objects.get().hour_at == NOON + 80 * HOUR
    assert nodes_to_validate() == []
    assert validate_node(node_id=agent.node.id, now=NOON) == 0
    assert list(UsageHour.objects.order_by("id").values_list()) == before


def test_a_forged_hour_does_not_fit_its_register_until_it_is_put_right(agent: FakeAgent) -> None:
    forge(UsageHour.objects.filter(hour_at=NOON + 5 * HOUR), value=99_000)
    later = NOON + timedelta(days=30)
    for hour in range(3):
        validate_node(node_id=agent.node.id, now=later + hour * HOUR)
    assert ("sum", 24 * DAYS * 100_000 + 400_000 - 1_000, 24 * DAYS * 100_000 + 400_000, "open") in found()
    rebuild_node(
        node=agent.node, from_at=None, to_at=None, cause=AdjustmentCause.REBUILT, reason="A sample.", now=later
    )
    hours = range(24 * DAYS + 1, 24 * DAYS + 26)
    values = [100_000 * hour + 400_000 for hour in hours]
    times = [NOON_MS + HOUR_MS * hour for hour in hours]
    agent.ship(column(meter(), values, times, first_seq=24 * DAYS + 2), now=NOON + timedelta(days=DAYS + 3))
    roll_up(agent.node)
    validate_node(node_id=agent.node.id, now=later + 5 * HOUR)
    assert {rule: state for rule, *_, state in found()}["sum"] == "settled"


def test_an_hour_that_changes_is_checked_again(agent: FakeAgent) -> None:
    for _ in range(3):
        validate_usage()
    forge(UsageHour.objects.filter(hour_at=NOON + 80 * HOUR), value=100_000, updated_at=NOON + timedelta(days=9_000))
    validate_node(node_id=agent.node.id, now=NOON + timedelta(days=9_001))
    assert found() == [("spike", 500_000, 180_000, "settled")]


def test_an_hour_that_was_committed_after_it_was_looked_at_is_checked_again(agent: FakeAgent) -> None:
    looked_at = NOON + timedelta(days=9_000)
    for _ in range(3):
        validate_node(node_id=agent.node.id, now=looked_at)
    stamped = looked_at - timedelta(minutes=1)
    forge(UsageHour.objects.filter(hour_at=NOON + 80 * HOUR), value=100_000, updated_at=stamped)
    validate_node(node_id=agent.node.id, now=looked_at + HOUR)
    assert found() == [("spike", 500_000, 180_000, "settled")]


def test_both_parties_see_a_finding_and_nobody_else(cast: Cast, agent: FakeAgent) -> None:
    for _ in range(3):
        validate_usage()
    window = {"from_at": NOON, "to_at": NOON + timedelta(days=DAYS)}
    seen = [
        len(findings_for(organization=one, **window))  # type: ignore[arg-type]  # by name
        for one in (cast.provider, cast.tenant, cast.outsider)
    ]
    assert seen == [1, 1, 0]
    (finding,) = findings_for(organization=cast.tenant, **window)  # type: ignore[arg-type]  # by name
    assert (finding.rule, finding.observed, finding.looks_for[:8]) == ("spike", 500_000, "the hour")


def test_a_tenant_does_not_see_findings_of_an_hour_that_is_anothers_too(cast: Cast, agent: FakeAgent) -> None:
    for _ in range(3):
        validate_usage()
    row = UsageHour.objects.get(hour_at=NOON + 80 * HOUR)
    row.pk, row.tenant, row.version = None, cast.outsider, 9
    row.id = UsageHour().id
    row.save(force_insert=True)
    window = {"from_at": NOON, "to_at": NOON + timedelta(days=DAYS)}
    for one, count in ((cast.provider, 1), (cast.tenant, 0), (cast.outsider, 0)):
        assert len(findings_for(organization=one, **window)) == count  # type: ignore[arg-type]  # by name
        # A request reads its own rows alone: that the hour is another's too has to be seen all the same.
        with limited(changes=False):
            read_for(organization_id=one.pk)
            assert len(findings_for(organization=one, **window)) == count  # type: ignore[arg-type]  # by name
            page = finding_page(organization=one, page=Page(limit=9), **window)
            assert len(page.rows) == count
            assert sum(each.count for each in count_findings(organization=one, **window)) == count


def test_a_tenant_learns_nothing_of_who_had_the_endpoint_before(agent: FakeAgent, cast: Cast) -> None:
    for _ in range(3):
        validate_usage()
    spike = UsageFinding.objects.get()
    UsageFinding.objects.create(
        node=agent.node, meter=spike.meter, hour_at=spike.hour_at, rule="sum", severity="error", observed=7, expected=8,
        state="open", found_at=NOON, updated_at=NOON,
    )  # fmt: skip
    window = {"from_at": NOON, "to_at": NOON + timedelta(days=9)}

    def rules() -> list[str]:
        return [one.rule for one in findings_for(organization=cast.tenant, **window)]  # type: ignore[arg-type]  # by name

    assert rules() == ["spike", "sum"]
    before = UsageHour.objects.filter(hour_at=spike.hour_at - timedelta(days=3))
    forge(before, tenant=cast.outsider)
    assert rules() == []
    assert len(findings_for(organization=cast.provider, **window)) == 2  # type: ignore[arg-type]  # by name
    forge(before, tenant=cast.tenant)
    spike.meter.hours.create(
        witness="engine", quantity="output", hour_at=NOON - timedelta(days=90), from_at=NOON - timedelta(days=90),
        to_at=NOON - timedelta(days=89), tenant=cast.outsider, quality="A", rule="r", value=1, updated_at=NOON,
    )  # fmt: skip
    assert rules() == ["spike"]
