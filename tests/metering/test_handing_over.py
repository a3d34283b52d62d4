"""A party hands on the right to bill: only whose it is by then, each its own deployments, and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.billing_reporters import AHEAD, EVER, HandOverRefused, hand_over
from metering.checking import check_reporters
from metering.control_models import Alert, BillingReporter
from metering.handing_over import (
    DeploymentUnknown,
    alerts_to_hand_over,
    hand_over_deployment,
    hand_over_told,
    instants_ahead,
    reporters_of,
)
from metering.rollup_events import roll_up_events
from tenants.listing.cursors import read_cursor
from tenants.listing.paging import Page
from tenants.models import AuditEntry
from tests.examples import examples
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.fleet import NOON, total
from tests.metering.test_events import NOW, event, send

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)
AT = NOON + 3 * HOUR
LATER = AT + 48 * HOUR


@kept
def deployment(cast: Cast) -> Deployment:
    """A deployment that both parties report; the tenant did first."""
    made = make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, event("a"))
    roll_up_events(now=NOW)
    send(cast.provider, event("x", tenant=cast.tenant.slug))
    roll_up_events(now=NOW)
    check_reporters(now=NOW)
    return made


def ask(cast: Cast, deployed: Deployment, **other: Any) -> Any:
    whole = {
        "organization": cast.tenant,
        "tenant": cast.tenant.slug,
        "deployment": deployed.slug,
        "to": cast.provider.slug,
        "from_at": AT,
        "actor": "somebody",
        "now": NOW,
    }
    return hand_over_deployment(**{**whole, **other})


def listed(organization: Organization, from_at: datetime = EVER, to_at: datetime = LATER) -> list[tuple[str, bool]]:
    found = reporters_of(organization=organization, from_at=from_at, to_at=to_at, page=Page(10)).rows
    return [(one.reporter, one.handed_over) for one in found]


def test_whose_reports_bill_hands_over_and_both_parties_read_it(cast: Cast, deployment: Deployment) -> None:
    # An instant of another offset is the same instant.
    named = ask(cast, deployment, from_at=AT.astimezone(timezone(timedelta(hours=8))))
    assert (named.reporter, named.from_at, named.handed_over) == (cast.provider.slug, AT, True)
    chain = [(cast.tenant.slug, False), (cast.provider.slug, True)]
    assert listed(cast.tenant) == listed(cast.provider) == chain
    assert listed(cast.outsider) == []
    # A window tells who bills in it: who did before does not stand in it.
    assert listed(cast.tenant, AT, LATER) == chain[1:]
    assert listed(cast.tenant, AT - HOUR, AT) == chain[:1]
    assert listed(cast.tenant, AT - HOUR, AT + HOUR) == chain


def test_the_other_party_is_told_which_organization_and_not_which_person(cast: Cast, deployment: Deployment) -> None:
    ask(cast, deployment)
    told = AuditEntry.objects.filter(action="deployment.reporter_named")
    assert {(one.organization, one.actor) for one in told} == {
        (cast.tenant, "somebody"),
        (cast.provider, cast.tenant.slug),
    }


def test_asking_again_is_the_same_and_writes_nothing(cast: Cast, deployment: Deployment) -> None:
    first = ask(cast, deployment)
    again = ask(cast, deployment, now=AT + HOUR)
    assert again == first
    assert BillingReporter.objects.count() == 2
    assert AuditEntry.objects.filter(action="deployment.reporter_named").count() == 2


def test_nobody_takes_what_another_has(cast: Cast, deployment: Deployment) -> None:
    with pytest.raises(HandOverRefused, match="only whose do"):
        ask(cast, deployment, organization=cast.provider)
    # The receiver can hand it on only after it has it, and who gave it has nothing left to give.
    ask(cast, deployment)
    with pytest.raises(HandOverRefused, match="only whose do"):
        ask(cast, deployment, from_at=AT + HOUR, to=cast.operator.slug)
    ask(cast, deployment, organization=cast.provider, to=cast.tenant.slug, from_at=AT + HOUR)
    assert listed(cast.tenant)[-1] == (cast.tenant.slug, True)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"from_at": AT + timedelta(minutes=1)}, "full UTC hour"),
        ({"from_at": NOON}, "an hour ahead"),
        ({"from_at": datetime(1, 1, 1, tzinfo=UTC)}, "an hour ahead"),
        ({"to": "outsider"}, "is no party"),
        ({"to": "nobody-at-all"}, "is no party"),
        ({"to": "tenant"}, "bill then already"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    cast: Cast, deployment: Deployment, other: dict[str, Any], said: str
) -> None:
    assert (cast.outsider.slug, cast.tenant.slug) == ("outsider", "tenant")
    with pytest.raises(HandOverRefused, match=said):
        ask(cast, deployment, **other)
    assert listed(cast.tenant) == [(cast.tenant.slug, False)]
    assert not AuditEntry.objects.filter(action="deployment.reporter_named").exists()


def test_whoever_is_no_party_is_refused_in_the_same_words(cast: Cast, deployment: Deployment) -> None:
    words = []
    for slug in (cast.outsider.slug, "nobody-at-all"):
        with pytest.raises(HandOverRefused) as refused:
            ask(cast, deployment, to=slug)
        words.append(refused.value.detail.replace(slug, ""))
    assert words[0] == words[1]


def test_a_deployment_of_others_does_not_exist(cast: Cast, deployment: Deployment) -> None:
    for other in ({"organization": cast.outsider}, {"tenant": "outsider"}, {"deployment": "nothing"}):
        with pytest.raises(DeploymentUnknown):
            ask(cast, deployment, **other)
    alert = Alert.objects.get()
    for who, alert_id in ((cast.outsider, alert.id), (cast.tenant, uuid4())):
        with pytest.raises(DeploymentUnknown):
            hand_over_told(organization=who, alert_id=alert_id, from_at=AT, actor="x", now=NOW)


def test_from_an_alert_it_goes_to_who_it_tells_of(cast: Cast, deployment: Deployment) -> None:
    alert = Alert.objects.get()
    ids = [alert.id]
    assert alerts_to_hand_over(organization=cast.tenant, alert_ids=ids) == {alert.id}
    assert alerts_to_hand_over(organization=cast.provider, alert_ids=ids) == set()
    assert alerts_to_hand_over(organization=cast.tenant, alert_ids=[]) == set()
    named = hand_over_told(organization=cast.tenant, alert_id=alert.id, from_at=AT, actor="alice", now=NOW)
    assert (named.deployment, named.reporter) == (deployment.slug, cast.provider.slug)
    # It is given away: no button is left, though the hand-over has yet to begin; nor for whom the alert tells of.
    assert alerts_to_hand_over(organization=cast.tenant, alert_ids=ids) == set()
    assert alerts_to_hand_over(organization=cast.provider, alert_ids=ids) == set()


def test_an_alert_of_another_kind_hands_nothing_over(cast: Cast, deployment: Deployment) -> None:
    Alert.objects.update(kind="unpriced")
    alert = Alert.objects.get()
    assert alerts_to_hand_over(organization=cast.tenant, alert_ids=[alert.id]) == set()
    with pytest.raises(DeploymentUnknown):
        hand_over_told(organization=cast.tenant, alert_id=alert.id, from_at=AT, actor="alice", now=NOW)


def test_who_reports_first_after_a_hand_over_was_named_bills_until_it_begins(cast: Cast) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    hand_over(deployment=deployment, to=cast.provider, from_at=AT, by=None, actor="operator", now=NOW)
    # Both tell of the same request before the hand-over begins: it is billed once.
    send(cast.tenant, event("a"))
    send(cast.provider, event("x", tenant=cast.tenant.slug), now=NOW + timedelta(seconds=1))
    roll_up_events(now=NOW)
    assert [total(quantity="input", quality=quality) for quality in ("A", "C")] == [100, 100]
    assert listed(cast.tenant) == [(cast.tenant.slug, False), (cast.provider.slug, True)]


def test_reading_who_bills_takes_one_query_and_pages(cast: Cast, deployment: Deployment) -> None:
    for number in range(3):
        other = make_deployment(cast.provider, cast.tenant)
        BillingReporter.objects.create(
            deployment=other, reporter=cast.provider, from_at=EVER, named_at=NOW + number * HOUR
        )
    with CaptureQueriesContext(connection) as asked:
        first = reporters_of(organization=cast.provider, from_at=EVER, to_at=LATER, page=Page(2))
    assert len(asked) == 1
    assert first.next_cursor is not None
    rest = Page(9, read_cursor(first.next_cursor))
    found = [*first.rows, *reporters_of(organization=cast.provider, from_at=EVER, to_at=LATER, page=rest).rows]
    every = reporters_of(organization=cast.provider, from_at=EVER, to_at=LATER, page=Page(9))
    assert len(every.rows) == 4
    assert found == every.rows


@settings(max_examples=examples(25))
@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  hypothesis wants it so
def test_the_instants_offered_are_ones_that_are_taken(now: datetime) -> None:
    hour, day, month = instants_ahead(now)
    assert now + AHEAD <= hour < now + AHEAD + HOUR
    assert hour <= day < hour + timedelta(days=1)
    assert day <= month < day + timedelta(days=31)
    assert (hour.minute, hour.second, hour.microsecond) == (0, 0, 0)
    assert day == day.replace(hour=0, minute=0, second=0, microsecond=0)
    assert month == day.replace(year=month.year, month=month.month, day=1)
