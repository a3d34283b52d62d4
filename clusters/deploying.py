"""Changing what a deployment has: it ends, it takes a model of an endpoint, or gives one up; also after the fact.

What was metered in the meantime follows by itself, as far back as `LATE_MAX`: the usage is moved, never lost.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from clusters.making import EndpointUnknown, ModelBound
from clusters.models import Binding, Deployment, Endpoint
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

LATE_MAX: Final = timedelta(days=62)
"""How far back usage moves by itself (`metering.ownership.LATE_BY_MAX`, which a test holds to be the same)."""
MODEL_CHARS_MAX: Final = 200


class DeploymentNotYours(Problem):
    """The provider has no such deployment."""

    status = 404
    code = "deployment_not_found"
    title = "There is no such deployment of yours"


class WrongDeploymentInstant(Problem):
    """A deployment or a binding cannot begin or end then."""

    status = 422
    code = "wrong_deployment_instant"
    title = "It cannot begin or end then"


class DeploymentOver(Problem):
    """The deployment ends no later than that."""

    status = 409
    code = "deployment_over"
    title = "The deployment is over by then"


class NotBound(Problem):
    """The deployment does not have this model of this endpoint then."""

    status = 409
    code = "not_bound"
    title = "The deployment does not have that model of that endpoint"


def end_deployment(
    *, provider: Organization, deployment_id: UUID, to_at: datetime, actor: str, now: datetime
) -> Deployment:
    """End a deployment and what it is bound to at an instant, before the end that it has, if any.

    The same end again changes nothing. Raises DeploymentNotYours, WrongDeploymentInstant, DeploymentOver.
    """
    with transaction.atomic():
        one = _locked(provider, deployment_id)
        if one.to_at == to_at:
            return one
        _require_order(one.from_at, to_at, "to_at", now)
        if one.to_at is not None and to_at > one.to_at:
            raise DeploymentOver(
                sentence("to_at: it ends at %(to_at)s, and never later.", to_at=one.to_at.isoformat()), field="to_at"
            )
        before, one.to_at = one.to_at, to_at
        one.save(update_fields=["to_at"])
        # What would begin after the end never does; the rest leaves its endpoints to others.
        Binding.objects.filter(deployment=one, from_at__gte=to_at).delete()
        Binding.objects.filter(_open_at(to_at), deployment=one).update(to_at=to_at)
        _audit(one, "deployment.ended", actor, now, before={"to_at": _said(before)}, after={"to_at": _said(to_at)})
    return one


def bind_model(
    *,
    provider: Organization,
    deployment_id: UUID,
    endpoint_id: UUID,
    model: str,
    from_at: datetime,
    actor: str,
    now: datetime,
) -> Binding:
    """Give a deployment a served model of one of the provider's endpoints from an instant on, until its end.

    Raises DeploymentNotYours, EndpointUnknown, WrongDeploymentInstant, DeploymentOver, ModelBound.
    """
    with transaction.atomic():
        one = _locked(provider, deployment_id)
        if not Endpoint.objects.filter(pk=endpoint_id, node__cluster__provider=provider).exists():
            raise EndpointUnknown(
                sentence("endpoint: %(endpoint_id)s is on none of your nodes.", endpoint_id=endpoint_id),
                field="endpoint",
            )
        if from_at < one.from_at:
            detail = sentence("from_at: the deployment begins at %(from_at)s.", from_at=one.from_at.isoformat())
            raise WrongDeploymentInstant(detail, field="from_at")
        _require_order(None, from_at, "from_at", now)
        if one.to_at is not None and from_at >= one.to_at:
            raise DeploymentOver(
                sentence("from_at: it ends at %(to_at)s.", to_at=one.to_at.isoformat()), field="from_at"
            )
        made = Binding(deployment=one, endpoint_id=endpoint_id, model=model, from_at=from_at, to_at=one.to_at)
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError as taken:
            detail = sentence(
                "model: %(model)s of %(endpoint_id)s is taken at some time after %(from_at)s.",
                model=model,
                endpoint_id=endpoint_id,
                from_at=from_at.isoformat(),
            )
            raise ModelBound(detail, field="model") from taken
        after = {"endpoint": str(endpoint_id), "model": model, "from_at": _said(from_at)}
        _audit(one, "deployment.bound", actor, now, after=after)
    return made


def unbind_model(
    *,
    provider: Organization,
    deployment_id: UUID,
    endpoint_id: UUID,
    model: str,
    to_at: datetime,
    actor: str,
    now: datetime,
) -> Binding:
    """Take a served model of an endpoint from a deployment at an instant at which it has it.

    Raises DeploymentNotYours, WrongDeploymentInstant, NotBound.
    """
    with transaction.atomic():
        one = _locked(provider, deployment_id)
        _require_order(None, to_at, "to_at", now)
        bound = Binding.objects.filter(_open_at(to_at), deployment=one, endpoint_id=endpoint_id, model=model)
        found = bound.select_for_update().first()
        if found is None:
            detail = sentence(
                "to_at: it does not have %(model)s of %(endpoint_id)s up to %(to_at)s and beyond.",
                model=model,
                endpoint_id=endpoint_id,
                to_at=to_at.isoformat(),
            )
            raise NotBound(detail, field="to_at")
        assert isinstance(found, Binding)
        before, found.to_at = found.to_at, to_at
        found.save(update_fields=["to_at"])
        said = {"endpoint": str(endpoint_id), "model": model}
        before_said, after_said = {**said, "to_at": _said(before)}, {**said, "to_at": _said(to_at)}
        _audit(one, "deployment.unbound", actor, now, before=before_said, after=after_said)
    return found


def _locked(provider: Organization, deployment_id: UUID) -> Deployment:
    found = Deployment.objects.select_for_update().filter(pk=deployment_id, provider=provider).first()
    if found is None:
        raise DeploymentNotYours(sentence("No deployment that you provide has this id."))
    assert isinstance(found, Deployment)
    return found


def _open_at(at: datetime) -> Q:
    """Bindings that began before an instant and are not over by then."""
    return Q(from_at__lt=at) & (Q(to_at__isnull=True) | Q(to_at__gt=at))


def _require_order(from_at: datetime | None, at: datetime, field: str, now: datetime) -> None:
    if from_at is not None and at <= from_at:
        raise WrongDeploymentInstant(
            sentence("%(field)s: it begins at %(from_at)s.", field=field, from_at=from_at.isoformat()), field=field
        )
    if at < now - LATE_MAX:
        earliest = (now - LATE_MAX).isoformat(timespec="minutes")
        raise WrongDeploymentInstant(
            sentence(
                "%(field)s: usage before %(earliest)s does not move any more; the operator can.",
                field=field,
                earliest=earliest,
            ),
            field=field,
        )


def _said(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _audit(
    one: Deployment,
    action: str,
    actor: str,
    now: datetime,
    *,
    after: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> None:
    AuditEntry.objects.create(
        organization_id=one.provider_id,
        actor=actor,
        action=action,
        subject=one.slug,
        before=before,
        after=after,
        at=now,
    )
