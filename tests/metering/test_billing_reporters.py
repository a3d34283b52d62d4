"""One organization's reports bill a deployment: whose came first, until it hands over. The others' are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction

from metering.billing_reporters import AHEAD, EVER, HandOverRefused, Reporting, hand_over
from metering.checking import check_reporters
from metering.completeness import source_reaches
from metering.control_models import Alert, BillingReporter
from metering.event_models import ExplainingHour
from metering.models import Quality, UsageHour, Witness
from metering.rebuild_events import event_differences
from metering.rollup_events import roll_up_events
from metering.witness import residual_totals
from tenants.models import AuditEntry
from tests.factories import make_deployment, make_organization
from tests.kept import kept
from tests.metering.fleet import NOON, total
from tests.metering.test_events import NOW, event, send
from tests.metering.test_queries import store

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tests.factories import Cast

HOUR = timedelta(hours=1)
FIRST, SECOND, PLACE = UUID(int=1), UUID(int=2), UUID(int=3)
EVERYTHING = {"from_at": None, "to_at": None}


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def by_quality() -> dict[str, int]:
    return {quality: total(quantity="input", quality=quality) for quality in (Quality.ACTUAL, Quality.CONTROL)}


def test_who_bills_at_an_hour_is_the_last_that_was_named_before_its_end() -> None:
    reporting = Reporting([(PLACE, NOON, SECOND), (PLACE, EVER, FIRST)])
    assert [reporting.bills(PLACE, FIRST, at) for at in (NOON - HOUR, NOON, NOON + HOUR)] == [True, False, False]
    assert [reporting.bills(PLACE, SECOND, at) for at in (NOON - HOUR, NOON, NOON + HOUR)] == [False, True, True]
    assert reporting.bills(None, SECOND, NOON)
    assert reporting.bills(UUID(int=9), SECOND, NOON)


def test_what_a_second_party_reports_is_kept_and_does_not_bill(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event("a"), event("b", source="gateway-2"))
    assert roll_up_events(now=NOW) == 2
    send(cast.provider, event("x", tenant=cast.tenant.slug, deployment=deployment.slug, samples=3))
    send(cast.tenant, event("c"))
    assert roll_up_events(now=NOW) == 2
    # Two sources of one organization are added, another organization is not.
    assert by_quality() == {"A": 300, "C": 100}
    (named,) = BillingReporter.objects.all()
    assert (named.deployment, named.reporter, named.from_at, named.named_by) == (deployment, cast.tenant, EVER, "")
    # Building usage anew comes to the same, and its answers to several samples explain nothing.
    assert event_differences(**EVERYTHING) == []
    assert not ExplainingHour.objects.exists()


def test_who_came_first_in_one_chunk_is_told_by_the_receipt(cast: Cast, deployment: Deployment) -> None:
    send(cast.provider, event("x", tenant=cast.tenant.slug), now=NOW)
    send(cast.tenant, event("a"), now=NOW - timedelta(seconds=1))
    roll_up_events(now=NOW)
    assert BillingReporter.objects.get().reporter == cast.tenant
    assert by_quality() == {"A": 100, "C": 100}


def test_events_of_no_deployment_name_nobody(cast: Cast) -> None:
    send(cast.tenant, event("a"))
    send(cast.operator, event("b", tenant=cast.tenant.slug))
    roll_up_events(now=NOW)
    assert not BillingReporter.objects.exists()
    assert by_quality() == {"A": 200, "C": 0}


def test_the_comparison_and_closing_look_at_the_reports_that_bill(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 20)
    send(cast.tenant, event("a"))
    roll_up_events(now=NOW)
    send(cast.provider, event("x", source="theirs", tenant=cast.tenant.slug))
    roll_up_events(now=NOW)
    window: dict[str, Any] = {"from_at": NOON, "to_at": NOON + HOUR}
    found = residual_totals(organization=cast.tenant, filters={"class": "output"}, **window)
    assert [(one.residual.engine, one.residual.gateway) for one in found] == [(20, 20)]
    reaches = source_reaches(deployment_ids=[deployment.id], tenant=cast.tenant, **window)
    assert [(one.reporter, one.source) for one in reaches] == [(cast.tenant.slug, "gateway-1")]


def test_both_parties_are_told_of_each_day(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event("a"))
    roll_up_events(now=NOW)
    assert check_reporters(now=NOW) == 0
    send(cast.provider, event("x", tenant=cast.tenant.slug), event("y", tenant=cast.tenant.slug))
    roll_up_events(now=NOW)
    assert [check_reporters(now=NOW), check_reporters(now=NOW + HOUR)] == [1, 1]
    (alert,) = Alert.objects.all()
    assert (alert.kind, alert.measured, alert.bound, alert.rule) == ("second_reporter", 2, 0, cast.provider.slug)
    assert (alert.provider, alert.tenant, alert.deployment) == (cast.provider, cast.tenant, deployment)
    assert alert.from_at == NOON.replace(hour=0)


def test_a_hand_over_counts_from_its_hour_on_and_moves_nothing(cast: Cast, deployment: Deployment) -> None:
    at = NOON + 2 * HOUR
    send(cast.tenant, event("a"))
    roll_up_events(now=NOW)
    hand_over(deployment=deployment, to=cast.provider, from_at=at, by=cast.tenant, actor="somebody", now=NOW)
    later = at + timedelta(minutes=5)
    for number, minutes in enumerate((-1, 1)):
        when = (at + timedelta(minutes=minutes)).isoformat()
        send(cast.tenant, event(f"t-{number}", occurred_at=when), now=later)
        send(cast.provider, event(f"p-{number}", occurred_at=when, tenant=cast.tenant.slug), now=later)
    roll_up_events(now=later)
    billed = UsageHour.objects.filter(quantity="input", quality="A", witness=Witness.GATEWAY).order_by("hour_at")
    assert [(one.hour_at, one.meter.reporter, one.value) for one in billed] == [
        (NOON, cast.tenant, 100),
        (at - HOUR, cast.tenant, 100),
        (at, cast.provider, 100),
    ]
    assert event_differences(**EVERYTHING) == []
    told = AuditEntry.objects.filter(action="deployment.reporter_named")
    assert {entry.organization for entry in told} == {cast.provider, cast.tenant}


def test_only_who_bills_hands_over_to_a_party_from_a_full_hour_ahead(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, event("a"))
    roll_up_events(now=NOW)
    at = NOON + 2 * HOUR
    stranger = make_organization("stranger")
    for refused in (
        {"by": cast.provider},
        {"to": stranger},
        {"from_at": at + timedelta(minutes=30)},
        {"from_at": NOON + HOUR},
    ):
        whole = {"deployment": deployment, "to": cast.provider, "from_at": at, "by": cast.tenant, **refused}
        with pytest.raises(HandOverRefused):
            hand_over(actor="somebody", now=NOON + timedelta(minutes=5), **whole)  # type: ignore[arg-type]
    assert NOON + timedelta(minutes=5) + AHEAD > NOON + HOUR
    hand_over(deployment=deployment, to=cast.operator, from_at=at, by=None, actor="operator", now=NOW)
    with pytest.raises(HandOverRefused, match="settled"):
        hand_over(deployment=deployment, to=cast.tenant, from_at=at, by=None, actor="operator", now=NOW)


def test_the_database_refuses_to_change_who_billed(cast: Cast, deployment: Deployment) -> None:
    row = BillingReporter.objects.create(deployment=deployment, reporter=cast.tenant, from_at=EVER, named_at=NOW)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        BillingReporter.objects.filter(id=row.id).update(reporter=cast.provider)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        row.delete()
