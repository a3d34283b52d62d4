"""The sample world's books, made through the product's own use cases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db.models import Sum

from billing.models import Contract, PriceVersion, TermAllocation, TermWording
from billing.terms import gpu_hour_price
from clusters.enrolment import enrol
from clusters.models import Binding, Node
from forecourt.demo.plan import CARDS_PER_NODE, instant
from forecourt.demo.seeding import (
    LEASE_RATE,
    SHARE_PERCENT,
    TENANT_OF_STREAM,
    TENANTS,
    Seeded,
    seed_contracts,
    seed_parties,
)
from metering.hours import HOUR_MS
from metering.models import Witness
from tenants.api_keys import find_key
from tenants.models import Membership
from tests.forecourt.demo.worlds import NOW, small_plan

if TYPE_CHECKING:
    from forecourt.demo.plan import Plan

pytestmark = pytest.mark.django_db


def seeded(plan: Plan) -> Seeded:
    world = seed_parties(plan, NOW)
    for number, node in enumerate(plan.nodes):
        enrol(
            secret=world.token(node, NOW),
            public_key=bytes([number] * 32),
            node_name=node.name,
            agent_version="0.1.0",
            now=NOW,
        )
    seed_contracts(plan, world, NOW)
    return world


def test_people_keys_and_tokens() -> None:
    plan = small_plan()
    world = seed_parties(plan, NOW)
    assert set(world.parties.tenants) == set(TENANTS)
    reached = Membership.objects.filter(user__email="demo@sample.example").values_list("organization__slug", flat=True)
    assert set(reached) == {"operator", "sample-provider", *TENANTS}
    assert set(world.gateway_keys) == set(TENANT_OF_STREAM)
    for stream, secret in world.gateway_keys.items():
        key = find_key(secret, NOW)
        assert key is not None
        assert key.organization.slug == TENANT_OF_STREAM[stream]
        assert "events:write" in key.scopes
    assert len({world.token(node, NOW) for node in plan.nodes}) == len(plan.nodes)


def test_shares_leases_and_jobs() -> None:
    plan = small_plan()
    world = seeded(plan)
    assert set(world.contracts) == {*TENANTS, "sample-jobs"}
    assert Contract.objects.count() == 4
    wordings = TermWording.objects.filter(term__kind="token_share")
    shares = [row.document for row in wordings if row.document is not None]
    assert sorted(Decimal(one["share_percent"]) for one in shares) == sorted(SHARE_PERCENT.values())
    assert {one["witness"] for one in shares} == {Witness.ENGINE, Witness.GATEWAY}
    bound = Binding.objects.values_list("endpoint__url", flat=True)
    assert set(bound) == {one.url for node in plan.nodes for one in node.endpoints}
    assert PriceVersion.objects.get().effective_at <= instant(plan.month_from_ms)


def test_the_lease_of_the_worked_case() -> None:
    plan = small_plan()
    lease = seeded(plan).leases["month"]
    assert gpu_hour_price(lease, lease.from_at) == LEASE_RATE
    held = TermAllocation.objects.filter(term=lease)
    assert lease.from_at == instant(plan.month_from_ms) + timedelta(days=9, hours=6)
    assert lease.to_at == instant(plan.month_to_ms)
    assert held.count() == CARDS_PER_NODE


def test_the_job_list_is_placed_to_the_second() -> None:
    world = seeded(small_plan())
    held = TermAllocation.objects.filter(term=world.leases["jobs"]).select_related("allocation__slice")
    assert held.count() >= len(world.jobs.jobs)
    milliseconds = 0
    for one in (link.allocation for link in held):
        assert one.to_at is not None
        milliseconds += int((one.to_at - one.from_at) / timedelta(seconds=1)) * one.slice.share_permille
    assert milliseconds == world.jobs.gpu_ms


def test_the_nodes_enrolled_before_their_first_reading() -> None:
    plan = small_plan()
    seeded(plan)
    enrolled = Node.objects.filter(public_key__isnull=False)
    assert {node.enrolled_at for node in enrolled} == {instant(plan.from_ms)}


def test_a_node_that_reads_hourly_is_not_taken_for_one_that_misses_reads() -> None:
    seeded(small_plan())
    enrolled = Node.objects.filter(public_key__isnull=False)
    assert enrolled
    assert {node.presence.usual_pause_ms for node in enrolled} == {HOUR_MS}


def test_no_fee_is_forgotten() -> None:
    seeded(small_plan())
    fees = Contract.objects.aggregate(total=Sum("operator_fee_percent"))["total"]
    assert fees == 3 * Decimal("2.5")
