"""What of the metering is told, at the borders of time: who was served in a gap, what is news, and each thing once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.models import Binding
from metering.control_models import AlertKind, Silence
from metering.models import UsageGap
from metering.telling import KEPT, _first_id, tell_metering
from tenants.hook_models import WebhookDelivery, WebhookEvent
from tests.billing.killed import killed_everywhere
from tests.examples import examples
from tests.factories import EPOCH, make_accelerator, make_allocation, make_deployment, make_endpoint, make_slice
from tests.kept import kept
from tests.metering.test_telling import HOUR, NOW, alert, gap, listen, node_of, told

if TYPE_CHECKING:
    from clusters.models import Node
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def served(cast: Cast, from_at: datetime, to_at: datetime | None) -> tuple[Node, str]:
    """A node whose endpoint served the tenant over a span."""
    node = node_of(cast.provider)
    endpoint = make_endpoint(node)
    make_deployment(cast.provider, cast.tenant, endpoint)
    Binding.objects.update(from_at=from_at, to_at=to_at)
    return node, endpoint.url


@kept
def node(cast: Cast) -> Node:
    return node_of(cast.provider)


@pytest.mark.parametrize(
    ("from_at", "to_at", "is_told"),
    [
        (NOW - 3 * HOUR, None, True),
        (NOW - 3 * HOUR, NOW - 2 * HOUR, False),
        (NOW - 3 * HOUR, NOW - 2 * HOUR + SECOND, True),
        (NOW - HOUR, None, False),
        (NOW - HOUR - SECOND, None, True),
        (NOW - 90 * SECOND * 60, NOW - 80 * SECOND * 60, True),
    ],
)
def test_a_gap_is_told_to_whom_the_endpoint_served_in_it(
    cast: Cast, from_at: datetime, to_at: datetime | None, is_told: bool
) -> None:
    """The gap is of [NOW - 2 h, NOW - 1 h): who came as it ended, or went as it began, missed nothing."""
    node, url = served(cast, from_at, to_at)
    listen(cast.tenant)
    gap(node, "endpoint", url)
    assert tell_metering(now=NOW) == is_told
    assert bool(told(cast.tenant)) is is_told


@pytest.mark.parametrize("from_at", [NOW - HOUR, NOW - 3 * HOUR])
def test_a_provider_who_listens_does_not_bring_a_tenant_who_was_not_served(cast: Cast, from_at: datetime) -> None:
    node, url = served(cast, from_at, None if from_at == NOW - HOUR else NOW - 2 * HOUR)
    listen(cast.provider, cast.tenant)
    gap(node, "endpoint", url)
    assert tell_metering(now=NOW) == 1
    assert [kind for kind, _ in told(cast.provider)] == ["meter.gap"]
    assert told(cast.tenant) == []


def test_a_gap_of_another_endpoint_or_of_the_node_is_not_the_tenants(cast: Cast) -> None:
    node, _url = served(cast, NOW - 3 * HOUR, None)
    listen(cast.tenant)
    gap(node)
    gap(node, "endpoint", "http://127.0.0.1:1")
    assert tell_metering(now=NOW) == 0


@pytest.mark.parametrize(
    ("from_at", "to_at", "is_told"),
    [
        (NOW - 5 * HOUR, None, True),
        (NOW - 5 * HOUR, NOW, False),
        (NOW - 5 * HOUR, NOW + SECOND, True),
        (NOW, None, True),
        (NOW + SECOND, None, False),
    ],
)
def test_a_lost_node_is_told_to_whom_it_serves_at_that_instant(
    cast: Cast, from_at: datetime, to_at: datetime | None, is_told: bool
) -> None:
    node, _url = served(cast, from_at, to_at)
    listen(cast.tenant)
    Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    assert tell_metering(now=NOW) == is_told


@pytest.mark.parametrize(
    ("from_at", "to_at", "is_told"),
    [(NOW - HOUR, None, True), (NOW - HOUR, NOW, False), (NOW + SECOND, NOW + HOUR, False)],
)
def test_a_lost_node_is_told_to_who_holds_a_part_of_it(
    cast: Cast, from_at: datetime, to_at: datetime | None, is_told: bool, node: Node
) -> None:
    make_allocation(make_slice(make_accelerator(node)), cast.tenant, from_at, to_at)
    listen(cast.tenant)
    Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    assert tell_metering(now=NOW) == is_told


@pytest.mark.parametrize(("found_at", "is_told"), [(NOW - KEPT, False), (NOW - KEPT + SECOND, True), (NOW, True)])
def test_what_was_found_a_day_ago_is_history(cast: Cast, found_at: datetime, is_told: bool) -> None:
    listen(cast.provider)
    Silence.objects.create(node=node_of(cast.provider), from_at=EPOCH, found_at=found_at)
    alert(cast.provider, cast.tenant, found_at=found_at)
    assert tell_metering(now=NOW) == 2 * is_told


@settings(max_examples=examples(25))
@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  with its zone beside
def test_the_first_identifier_of_an_instant_is_of_version_seven_and_holds_its_milliseconds(at: datetime) -> None:
    first = _first_id(at)
    assert first.version == 7
    assert first.int >> 80 == int(at.timestamp() * 1_000)
    assert first <= UUID(int=first.int | ((1 << 62) - 1))
    assert _first_id(at + timedelta(milliseconds=2)) > first


def test_each_is_told_once_however_many_sweep_and_whoever_listens_later(cast: Cast) -> None:
    listen(cast.provider)
    node = node_of(cast.provider)
    Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    gap(node)
    alert(cast.provider, cast.tenant)
    assert [tell_metering(now=NOW + minute * 60 * SECOND) for minute in range(3)] == [3, 0, 0]
    listen(cast.tenant)
    assert tell_metering(now=NOW) == 0, "what was told to one party is told"
    assert {kind for kind, _ in told(cast.provider)} == {"node.lost", "meter.gap", "meter.residual"}


@pytest.mark.parametrize("kind", [kind for kind in AlertKind if kind is not AlertKind.RESIDUAL])
def test_no_other_alert_is_a_difference_of_witnesses(cast: Cast, kind: AlertKind) -> None:
    listen(cast.provider, cast.tenant)
    alert(cast.provider, cast.tenant, kind=kind)
    assert tell_metering(now=NOW) == 0


def test_who_wants_other_kinds_is_not_told(cast: Cast) -> None:
    listen(cast.provider, kinds=("node.lost",))
    node = node_of(cast.provider)
    gap(node)
    alert(cast.provider, cast.tenant)
    assert tell_metering(now=NOW) == 0
    Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    assert tell_metering(now=NOW) == 1


@pytest.mark.unmeasured
def test_a_telling_that_dies_before_any_write_is_told_by_the_next_sweep(cast: Cast) -> None:
    listen(cast.provider, cast.tenant)
    alert(cast.provider, cast.tenant)
    killed_everywhere(partial(tell_metering, now=NOW), (WebhookEvent, WebhookDelivery), least=4)
    assert WebhookEvent.objects.count() == 2
    assert UsageGap.objects.count() == 0
