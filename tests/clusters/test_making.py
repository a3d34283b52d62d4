"""Clusters and deployments are made by a provider, once by a name, on its own servers alone, and noted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from clusters.making import ClusterTaken, DeploymentTaken, EndpointUnknown, ModelBound, make_cluster, make_deployment
from clusters.models import Binding, Cluster, Deployment
from tenants.models import AuditEntry
from tests import factories
from tests.factories import EPOCH
from tests.kept import kept

if TYPE_CHECKING:
    from clusters.models import Endpoint
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@kept
def server(cast: Cast) -> Endpoint:
    return factories.make_endpoint(factories.make_node(factories.make_cluster(cast.provider)))


def make(cast: Cast, slug: str = "chat", *bound: tuple[UUID, str], days: int = 0) -> Deployment:
    return make_deployment(
        provider=cast.provider,
        tenant=cast.tenant,
        slug=slug,
        name="Chat",
        from_at=EPOCH + days * DAY,
        bound=bound,
        actor="petra@example.com",
        now=EPOCH,
    )


def north(cast: Cast, name: str = "North") -> Cluster:
    return make_cluster(
        provider=cast.provider, slug="north", name=name, country="DE", actor="petra@example.com", now=EPOCH
    )


def test_a_cluster_is_kept_and_noted(cast: Cast) -> None:
    made = north(cast)
    kept = Cluster.objects.get(pk=made.pk)
    assert (kept.provider, kept.slug, kept.name, kept.country, kept.created_at) == (
        cast.provider,
        "north",
        "North",
        "DE",
        EPOCH,
    )
    entry = AuditEntry.objects.get(action="cluster.made")
    assert (entry.organization, entry.actor, entry.subject) == (cast.provider, "petra@example.com", "north")
    assert entry.after == {"name": "North", "country": "DE"}


def test_a_name_is_one_cluster_of_a_provider_and_another_s_of_another(cast: Cast) -> None:
    north(cast)
    with pytest.raises(ClusterTaken, match=r"slug: 'north' is North\.") as refused:
        north(cast, "Nordsite")
    assert refused.value.extra == {"field": "slug"}
    assert Cluster.objects.get(slug="north").name == "North"
    assert AuditEntry.objects.filter(action="cluster.made").count() == 1
    other = make_cluster(
        provider=cast.outsider, slug="north", name="Theirs", country="FR", actor="charlie@example.com", now=EPOCH
    )
    assert other.provider == cast.outsider


def test_a_tenant_makes_no_cluster(cast: Cast) -> None:
    with pytest.raises(AssertionError):
        make_cluster(provider=cast.tenant, slug="x", name="X", country="DE", actor="alice", now=EPOCH)


def test_a_deployment_takes_the_models_that_it_names(cast: Cast, server: Endpoint) -> None:
    made = make(cast, "chat", (server.pk, "small"), (server.pk, "large"))
    assert (made.provider, made.tenant, made.from_at, made.to_at) == (cast.provider, cast.tenant, EPOCH, None)
    bound = Binding.objects.filter(deployment=made).values_list("endpoint_id", "model", "from_at", "to_at")
    assert set(bound) == {(server.pk, "small", EPOCH, None), (server.pk, "large", EPOCH, None)}
    entry = AuditEntry.objects.get(action="deployment.made")
    assert (entry.organization, entry.subject) == (cast.provider, "chat")
    assert entry.after == {
        "tenant": "tenant",
        "name": "Chat",
        "bindings": [[str(server.pk), "small"], [str(server.pk), "large"]],
    }


def test_a_deployment_may_wait_for_its_servers(cast: Cast) -> None:
    assert not Binding.objects.filter(deployment=make(cast)).exists()


def test_a_name_is_one_deployment_of_a_tenant(cast: Cast) -> None:
    make(cast)
    with pytest.raises(DeploymentTaken, match="'chat' is taken") as refused:
        make(cast, days=3)
    assert refused.value.extra == {"field": "slug"}
    assert Deployment.objects.get(tenant=cast.tenant, slug="chat").from_at == EPOCH


def test_a_server_of_another_provider_is_as_unknown_as_none(cast: Cast, server: Endpoint) -> None:
    theirs = factories.make_endpoint(factories.make_node(factories.make_cluster(cast.outsider, "theirs")))
    for wrong in (theirs.pk, UUID(int=9)):
        with pytest.raises(EndpointUnknown, match=r"bindings\.1\.endpoint") as refused:
            make(cast, "chat", (server.pk, "small"), (wrong, "small"))
        assert refused.value.extra == {"field": "bindings.1.endpoint"}
    assert not Deployment.objects.exists()
    assert not Binding.objects.exists()


def test_a_model_of_a_server_belongs_to_one_deployment_and_nothing_is_left_of_the_other(
    cast: Cast, server: Endpoint
) -> None:
    make(cast, "chat", (server.pk, "small"))
    with pytest.raises(ModelBound, match="small of") as refused:
        make(cast, "search", (server.pk, "large"), (server.pk, "small"), days=2)
    assert refused.value.extra == {"field": "bindings.1"}
    assert list(Deployment.objects.values_list("slug", flat=True)) == ["chat"]
    assert Binding.objects.count() == 1
    assert AuditEntry.objects.filter(action="deployment.made").count() == 1


def test_after_a_binding_ended_the_model_may_be_another_s(cast: Cast, server: Endpoint) -> None:
    first = make(cast, "chat", (server.pk, "small"))
    Binding.objects.filter(deployment=first).update(to_at=EPOCH + 2 * DAY)
    with pytest.raises(ModelBound):
        make(cast, "early", (server.pk, "small"), days=1)
    assert make(cast, "late", (server.pk, "small"), days=2).bindings.count() == 1


def test_the_same_model_twice_in_one_call_is_refused(cast: Cast, server: Endpoint) -> None:
    with pytest.raises(ModelBound) as refused:
        make(cast, "chat", (server.pk, "small"), (server.pk, "small"))
    assert refused.value.extra == {"field": "bindings.1"}
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("problem", "status"),
    [(ClusterTaken, 409), (DeploymentTaken, 409), (ModelBound, 409), (EndpointUnknown, 422)],
)
def test_each_refusal_has_its_own_code(problem: type[ClusterTaken], status: int) -> None:
    assert problem.status == status
    codes = [one.code for one in (ClusterTaken, DeploymentTaken, ModelBound, EndpointUnknown)]
    assert codes.count(problem.code) == 1
