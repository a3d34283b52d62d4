"""Making clusters, and deployments that attribute what runs on them to a tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from clusters.models import Binding, Cluster, Deployment, Endpoint
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID


class ClusterTaken(Problem):
    """A cluster of the provider has this name already."""

    status = 409
    code = "cluster_taken"
    title = "There is a cluster of this name"


class DeploymentTaken(Problem):
    """A deployment of the tenant has this name already."""

    status = 409
    code = "deployment_name_taken"
    title = "The tenant has a deployment of this name"


class EndpointUnknown(Problem):
    """A binding names an endpoint that is not on the provider's nodes."""

    status = 422
    code = "endpoint_unknown"
    title = "There is no such endpoint of yours"


class ModelBound(Problem):
    """An endpoint's model belongs to one deployment at an instant."""

    status = 409
    code = "model_bound"
    title = "The model of the endpoint belongs to another deployment then"


def make_cluster(*, provider: Organization, slug: str, name: str, country: str, actor: str, now: datetime) -> Cluster:
    """Make a provider's cluster. Raises ClusterTaken."""
    assert provider.is_provider
    with transaction.atomic():
        made, is_new = Cluster.objects.get_or_create(
            provider=provider, slug=slug, defaults={"name": name, "country": country, "created_at": now}
        )
        if not is_new:
            raise ClusterTaken(sentence("slug: %(slug)s is %(name)s.", slug=repr(slug), name=made.name), field="slug")
        _audit(provider, actor, ("cluster.made", slug, {"name": name, "country": country}), now)
    return made


def make_deployment(
    *,
    provider: Organization,
    tenant: Organization,
    slug: str,
    name: str,
    from_at: datetime,
    bound: Sequence[tuple[UUID, str]],
    actor: str,
    now: datetime,
) -> Deployment:
    """Make a deployment of a tenant on a provider's endpoints, which takes `bound` (endpoint, served model).

    Raises DeploymentTaken, EndpointUnknown and ModelBound.
    """
    assert provider.is_provider
    own = set(
        Endpoint.objects.filter(node__cluster__provider=provider, pk__in=[pk for pk, _ in bound]).values_list(
            "pk", flat=True
        )
    )
    for place, (endpoint_id, _model) in enumerate(bound):
        if endpoint_id not in own:
            field = f"bindings.{place}.endpoint"
            raise EndpointUnknown(
                sentence("%(field)s: %(endpoint_id)s is on none of your nodes.", field=field, endpoint_id=endpoint_id),
                field=field,
            )
    with transaction.atomic():
        made, is_new = Deployment.objects.get_or_create(
            tenant=tenant,
            slug=slug,
            defaults={"provider": provider, "name": name, "from_at": from_at, "created_at": now},
        )
        if not is_new:
            raise DeploymentTaken(sentence("slug: %(slug)s is taken.", slug=repr(slug)), field="slug")
        for place, (endpoint_id, model) in enumerate(bound):
            _bind(made, endpoint_id, model, from_at, f"bindings.{place}")
        after = {"tenant": tenant.slug, "name": name, "bindings": [[str(pk), model] for pk, model in bound]}
        _audit(provider, actor, ("deployment.made", slug, after), now)
    return made


def _bind(deployment: Deployment, endpoint_id: UUID, model: str, from_at: datetime, field: str) -> None:
    try:
        with transaction.atomic():
            Binding.objects.create(deployment=deployment, endpoint_id=endpoint_id, model=model, from_at=from_at)
    except IntegrityError as taken:
        detail = sentence(
            "%(field)s: %(model)s of %(endpoint_id)s is taken at some time after %(from_at)s.",
            field=field,
            model=model,
            endpoint_id=endpoint_id,
            from_at=from_at,
        )
        raise ModelBound(detail, field=field) from taken


def _audit(organization: Organization, actor: str, said: tuple[str, str, dict[str, Any]], now: datetime) -> None:
    action, subject, after = said
    AuditEntry.objects.create(
        organization=organization, actor=actor, action=action, subject=subject, after=after, at=now
    )
