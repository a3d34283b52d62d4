"""Engine against gateway: differences, what explains them, what does not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from metering import witness
from metering.checks import Cause, Explained
from metering.event_items import Event
from metering.events import accept_events
from metering.models import Meter, Witness
from metering.rollup_events import roll_up_events
from metering.witness import each_residual_hour, residual_hours, residual_totals
from tests.factories import make_cluster, make_deployment, make_endpoint, make_node
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON
from tests.metering.forging import forge
from tests.metering.test_queries import store

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tests.factories import Cast

HOUR = timedelta(hours=1)
WINDOW: dict[str, Any] = {"from_at": NOON, "to_at": NOON + 24 * HOUR}


def both(deployment: Deployment, hour: int, engine: int | None, gateway: int | None) -> None:
    at = NOON + hour * HOUR
    if engine is not None:
        store(deployment, at, engine)
    if gateway is not None:
        store(deployment, at, gateway, witness=Witness.GATEWAY)


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_a_request_over_the_full_hour_is_explained_as_in_flight(cast: Cast, deployment: Deployment) -> None:
    both(deployment, 0, 1_050, 1_000)
    both(deployment, 1, 970, 1_000)
    first, second = residual_hours(organization=cast.tenant, **WINDOW)
    assert (first.residual.difference, first.residual.unexplained) == (50, 20)
    assert (second.residual.difference, second.residual.unexplained) == (-30, 0)
    assert [(part.cause, part.tokens) for part in first.residual.explained] == [(Cause.IN_FLIGHT, 30)]
    (whole,) = residual_totals(organization=cast.tenant, **WINDOW)
    assert (whole.residual.engine, whole.residual.gateway, whole.residual.unexplained) == (2_020, 2_000, 20)


def test_a_difference_that_stays_is_unexplained(cast: Cast, deployment: Deployment) -> None:
    both(deployment, 0, 118, 59)
    (found,) = residual_hours(organization=cast.provider, **WINDOW)
    assert (found.residual.unexplained, found.residual.explained) == (59, ())
    assert (found.deployment, found.quantity, found.hour_at) == (deployment.slug, "output", NOON)


def test_what_one_witness_alone_saw_is_there(cast: Cast, deployment: Deployment) -> None:
    both(deployment, 0, 10, None)
    both(deployment, 5, None, 20)
    found = residual_hours(organization=cast.tenant, **WINDOW)
    assert [one.residual.difference for one in found] == [10, -20]


def test_hours_apart_explain_nothing_of_each_other(cast: Cast, deployment: Deployment) -> None:
    both(deployment, 0, 10, 0)
    both(deployment, 2, 0, 10)
    assert [one.residual.explained for one in residual_hours(organization=cast.tenant, **WINDOW)] == [(), ()]


def test_held_readings_are_told_apart(cast: Cast, deployment: Deployment) -> None:
    both(deployment, 0, 70, 100)
    store(deployment, NOON, 30, quality="Q")
    (found,) = residual_totals(organization=cast.tenant, **WINDOW)
    assert (found.residual.engine, found.quarantined) == (70, 30)


def test_others_and_nobodys_usage_is_not_compared(cast: Cast) -> None:
    both(make_deployment(cast.provider, cast.tenant), 0, 1, 2)
    store(None, NOON, 5)
    assert residual_hours(organization=cast.outsider, **WINDOW) == []
    assert len(residual_hours(organization=cast.tenant, **WINDOW)) == 1


def test_who_only_reported_is_shown_no_difference(cast: Cast, deployment: Deployment) -> None:
    both(deployment, 0, 5, 5)
    forge(Meter.objects.filter(witness=Witness.GATEWAY), reporter=cast.operator)
    assert residual_totals(organization=cast.operator, **WINDOW) == []
    assert [one.residual.difference for one in residual_totals(organization=cast.tenant, **WINDOW)] == [0]


def test_two_deployments_and_models_do_not_mix(cast: Cast) -> None:
    first, second = make_deployment(cast.provider, cast.tenant), make_deployment(cast.provider, cast.tenant)
    both(first, 0, 5, 0)
    both(second, 1, 0, 5)
    store(first, NOON + HOUR, 5, witness=Witness.GATEWAY, model="other-model")
    found = residual_hours(organization=cast.tenant, **WINDOW)
    assert all(one.residual.explained == () for one in found)
    assert len(found) == 3
    chosen = residual_hours(organization=cast.tenant, **WINDOW, filters={"deployment": second.slug})
    assert [one.deployment for one in chosen] == [second.slug]


def test_hours_read_some_deployments_at_a_time_are_all_hours_in_their_order(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_deployment(cast.provider, cast.tenant) for _ in range(3)]
    for place, one in enumerate(made):
        both(one, 0, 1_000 + place, 1_000)
        both(one, 1, 1_000, 1_000 + place)
    both(make_deployment(cast.provider, cast.outsider), 0, 5, 5)
    monkeypatch.setattr(witness, "DEPLOYMENTS_AT_ONCE", 2)
    for organization in (cast.provider, cast.tenant, cast.outsider, cast.operator):
        for filters in ({}, {"deployment": made[2].slug}, {"deployment": "no-such"}, {"class": "output"}):
            found = list(each_residual_hour(organization=organization, **WINDOW, filters=filters))
            assert found == residual_hours(organization=organization, **WINDOW, filters=filters)
    assert len(list(each_residual_hour(organization=cast.tenant, **WINDOW))) == 6


def test_three_queries_for_any_number_of_deployments(cast: Cast, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        both(make_deployment(cast.provider, cast.tenant), 0, 1, 1)
    with django_assert_num_queries(3):
        residual_totals(organization=cast.tenant, **WINDOW)


def sampled(deployment: Deployment, hour: int, *, tokens: int, samples: int) -> None:
    """One request with several answers, as its gateway's event is rolled up."""
    at = NOON + hour * HOUR
    one = Event(0, "gateway-1", f"e-{hour}", at, MODEL, (tokens, 0, 0, 20, 0), deployment.slug, "", "", samples)
    assert accept_events(reporter=deployment.tenant, events=[one], now=at).accepted == 1
    assert roll_up_events(now=at) == 1


def test_a_prompt_with_two_answers_is_explained_by_n(cast: Cast) -> None:
    """G7: prompt 59, n = 2, the register rises by 118, usage says 59."""
    deployment = make_deployment(cast.provider, cast.tenant, make_endpoint(make_node(make_cluster(cast.provider))))
    store(deployment, NOON, 118, quantity="input")
    sampled(deployment, 0, tokens=59, samples=2)
    for read in (residual_hours, residual_totals):
        [found] = read(organization=cast.tenant, **WINDOW, filters={"class": "input"})
        assert found.residual.explained == (Explained(Cause.REPEATED_PROMPT, 59),)
        assert (found.residual.gateway, found.residual.unexplained) == (59, 0)


def test_five_aborted_streams_are_explained_by_what_the_engine_finished(cast: Cast, deployment: Deployment) -> None:
    """G8: the prompt register rises by 3,010, the engine's own per-request one by nothing."""
    store(deployment, NOON, 3_010, quantity="input")
    store(deployment, NOON, 0, quantity="finished_input")
    store(deployment, NOON, 0, witness=Witness.GATEWAY, quantity="input")
    [found] = residual_hours(organization=cast.provider, **WINDOW)
    assert found.residual.explained == (Explained(Cause.ABORTED_PREFILL, 3_010),)
    assert (found.quantity, found.residual.unexplained) == ("input", 0)
    [only] = residual_totals(organization=cast.provider, **WINDOW, filters={"class": "input"})
    assert only.residual == found.residual
    assert residual_totals(organization=cast.provider, **WINDOW, filters={"class": "output"}) == []
