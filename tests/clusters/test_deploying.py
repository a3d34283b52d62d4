"""A deployment ends, takes and gives up models by its provider alone, also late, and each step is noted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from clusters.deploying import (
    LATE_MAX,
    DeploymentNotYours,
    DeploymentOver,
    NotBound,
    WrongDeploymentInstant,
    bind_model,
    end_deployment,
    unbind_model,
)
from clusters.making import EndpointUnknown, ModelBound
from clusters.models import Binding, Deployment, Endpoint
from metering.ownership import LATE_BY_MAX
from tenants.models import AuditEntry
from tests.factories import EPOCH, make_cluster, make_deployment, make_endpoint, make_node
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NOW = EPOCH + 10 * DAY
MODEL = "sample-model"


@kept
def server(cast: Cast) -> Endpoint:
    return make_endpoint(make_node(make_cluster(cast.provider)))


@kept
def chat(cast: Cast, server: Endpoint) -> Deployment:
    return make_deployment(cast.provider, cast.tenant, server, MODEL)


def end(cast: Cast, chat: Deployment, to_at: datetime, **changes: Any) -> Deployment:
    by = {"provider": cast.provider, "deployment_id": chat.pk, "actor": "petra", "now": NOW, **changes}
    return end_deployment(to_at=to_at, **by)


def bind(cast: Cast, chat: Deployment, server: Endpoint, from_at: datetime, **changes: Any) -> Binding:
    by = {"provider": cast.provider, "deployment_id": chat.pk, "endpoint_id": server.pk, "actor": "petra", "now": NOW}
    return bind_model(from_at=from_at, **{"model": "other", **by, **changes})


def unbind(cast: Cast, chat: Deployment, server: Endpoint, to_at: datetime, **changes: Any) -> Binding:
    by = {"provider": cast.provider, "deployment_id": chat.pk, "endpoint_id": server.pk, "actor": "petra", "now": NOW}
    return unbind_model(to_at=to_at, **{"model": MODEL, **by, **changes})


def noted() -> list[tuple[str, object, object]]:
    entries = AuditEntry.objects.filter(action__startswith="deployment.").order_by("id")
    return [(one.action, one.before, one.after) for one in entries]


def test_an_end_ends_what_it_is_bound_to_and_leaves_the_endpoint_to_others(
    cast: Cast, chat: Deployment, server: Endpoint
) -> None:
    bind(cast, chat, server, NOW + 5 * DAY)
    ended = end(cast, chat, NOW)
    assert ended.to_at == NOW
    assert list(Binding.objects.values_list("model", "to_at")) == [(MODEL, NOW)]
    Binding.objects.create(
        deployment=make_deployment(cast.provider, cast.tenant), endpoint=server, model=MODEL, from_at=NOW
    )
    assert noted()[-1] == ("deployment.ended", {"to_at": None}, {"to_at": NOW.isoformat()})


def test_the_same_end_again_is_harmless_an_earlier_one_counts_a_later_one_never(cast: Cast, chat: Deployment) -> None:
    for _ in range(2):
        end(cast, chat, NOW + DAY)
    assert len(noted()) == 1
    assert end(cast, chat, NOW - DAY).to_at == NOW - DAY
    with pytest.raises(DeploymentOver):
        end(cast, chat, NOW)
    assert Binding.objects.get().to_at == NOW - DAY


@pytest.mark.parametrize("at", [EPOCH, EPOCH - DAY])
def test_it_ends_after_it_began(cast: Cast, chat: Deployment, at: datetime) -> None:
    with pytest.raises(WrongDeploymentInstant) as refused:
        end(cast, chat, at)
    assert refused.value.extra["field"] == "to_at"


def test_what_would_no_longer_move_is_refused(cast: Cast, chat: Deployment, server: Endpoint) -> None:
    now = EPOCH + 100 * DAY
    late = {"now": now}
    for call in (end,):
        with pytest.raises(WrongDeploymentInstant, match="does not move any more"):
            call(cast, chat, now - LATE_MAX - DAY, **late)
    for act in (bind, unbind):
        with pytest.raises(WrongDeploymentInstant, match="does not move any more"):
            act(cast, chat, server, now - LATE_MAX - DAY, **late)
    assert end(cast, chat, now - LATE_MAX, **late).to_at == now - LATE_MAX
    assert LATE_MAX == LATE_BY_MAX


def test_a_model_is_taken_until_the_end_of_the_deployment(cast: Cast, chat: Deployment, server: Endpoint) -> None:
    end(cast, chat, NOW + 5 * DAY)
    made = bind(cast, chat, server, NOW - DAY)
    assert (made.from_at, made.to_at) == (NOW - DAY, NOW + 5 * DAY)
    assert noted()[-1][2] == {"endpoint": str(server.pk), "model": "other", "from_at": (NOW - DAY).isoformat()}
    with pytest.raises(DeploymentOver):
        bind(cast, chat, server, NOW + 5 * DAY, model="third")
    with pytest.raises(WrongDeploymentInstant):
        bind(cast, chat, server, EPOCH - DAY, model="third")


def test_a_model_that_another_has_then_is_refused_and_moves_once_it_is_given_up(
    cast: Cast, chat: Deployment, server: Endpoint
) -> None:
    second = make_deployment(cast.provider, cast.tenant)
    with pytest.raises(ModelBound) as refused:
        bind(cast, second, server, NOW, model=MODEL)
    assert refused.value.extra["field"] == "model"
    assert unbind(cast, chat, server, NOW).to_at == NOW
    bind(cast, second, server, NOW, model=MODEL)
    assert noted()[-2][1:] == (
        {"endpoint": str(server.pk), "model": MODEL, "to_at": None},
        {"endpoint": str(server.pk), "model": MODEL, "to_at": NOW.isoformat()},
    )
    with pytest.raises(NotBound):
        unbind(cast, chat, server, NOW + DAY)
    with pytest.raises(NotBound):
        unbind(cast, chat, server, NOW - DAY, model="none")


def test_of_another_providers_nothing_is_changed(cast: Cast, chat: Deployment, server: Endpoint) -> None:
    theirs = {"provider": cast.outsider}
    for act in (lambda: end(cast, chat, NOW, **theirs), lambda: bind(cast, chat, server, NOW, **theirs)):
        with pytest.raises(DeploymentNotYours):
            act()
    with pytest.raises(DeploymentNotYours):
        unbind(cast, chat, server, NOW, **theirs)
    with pytest.raises(EndpointUnknown):
        bind(cast, chat, server, NOW, endpoint_id=UUID(int=0))
    foreign = make_endpoint(make_node(make_cluster(cast.outsider, slug="theirs")), url="http://10.0.0.9:8000")
    with pytest.raises(EndpointUnknown):
        bind(cast, chat, foreign, NOW)
    assert noted() == []
