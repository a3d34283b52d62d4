"""What an organization does with its endpoints: adds and changes them, turns secrets, tries them, sends again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.hooks.emitting import send_to
from tenants.hooks.kinds import TEST, checked_kinds
from tenants.hooks.outbound import Network, checked_url
from tenants.hooks.signing import new_secret
from tenants.ids import new_id
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDPOINTS_MAX: Final = 20
OVERLAP: Final = timedelta(hours=24)
"""For so long after a turn the old secret signs too, so that a receiver can be given the new one meanwhile."""


class TooManyEndpoints(Problem):
    """The organization has as many endpoints as it may have."""

    status = 409
    code = "too_many_endpoints"
    title = "There are too many endpoints"


class EndpointOff(Problem):
    """The endpoint is turned off, so nothing is sent there."""

    status = 409
    code = "endpoint_off"
    title = "The endpoint is turned off"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: an organization, and whom of it the audit log names."""

    organization: Organization
    name: str


@transaction.atomic
def add_endpoint(
    *, actor: Actor, url: str, kinds: Sequence[str], networks: Sequence[Network], now: datetime
) -> WebhookEndpoint:
    """Make an endpoint with a new secret. Raises `WrongAddress`, `UnknownKind` and `TooManyEndpoints`."""
    checked = checked_url(url, networks), checked_kinds(kinds)
    # The organization's row is what two calls at once wait for.
    Organization.objects.select_for_update(no_key=True).get(pk=actor.organization.pk)
    kept = WebhookEndpoint.objects.filter(organization=actor.organization, removed_at__isnull=True).count()
    if kept >= ENDPOINTS_MAX:
        raise TooManyEndpoints(
            sentence(
                "There are %(kept)s endpoints; at most %(most)s are kept. Remove one first.",
                kept=kept,
                most=ENDPOINTS_MAX,
            )
        )
    made = WebhookEndpoint.objects.create(
        organization=actor.organization, url=checked[0], kinds=checked[1], secret=new_secret(), created_at=now
    )
    _audit(actor, "webhook_endpoint.added", made, now, url=made.url, kinds=made.kinds)
    return made


@transaction.atomic
def change_endpoint(
    *, actor: Actor, endpoint_id: UUID, url: str, kinds: Sequence[str], networks: Sequence[Network], now: datetime
) -> WebhookEndpoint:
    """Give an endpoint another address or other kinds, and turn it on. Raises as `add_endpoint`, and DoesNotExist."""
    endpoint = _locked(actor, endpoint_id)
    endpoint.url, endpoint.kinds = checked_url(url, networks), checked_kinds(kinds)
    endpoint.disabled_at, endpoint.disabled_because = None, ""
    endpoint.save(update_fields=["url", "kinds", "disabled_at", "disabled_because"])
    _audit(actor, "webhook_endpoint.changed", endpoint, now, url=endpoint.url, kinds=endpoint.kinds)
    return endpoint


@transaction.atomic
def turn_off(*, actor: Actor, endpoint_id: UUID, now: datetime) -> WebhookEndpoint:
    """Send nothing more to an endpoint until it is changed or turned on. Raises DoesNotExist."""
    endpoint = _locked(actor, endpoint_id)
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_because = now, f"{actor.name} turned it off."
        endpoint.save(update_fields=["disabled_at", "disabled_because"])
        _audit(actor, "webhook_endpoint.disabled", endpoint, now, url=endpoint.url)
    return endpoint


@transaction.atomic
def turn_secret(*, actor: Actor, endpoint_id: UUID, now: datetime) -> WebhookEndpoint:
    """Give an endpoint a new secret; the old one signs beside it for a day. Raises DoesNotExist."""
    endpoint = _locked(actor, endpoint_id)
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, now + OVERLAP
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    _audit(actor, "webhook_endpoint.secret_turned", endpoint, now, url=endpoint.url)
    return endpoint


@transaction.atomic
def remove_endpoint(*, actor: Actor, endpoint_id: UUID, now: datetime) -> None:
    """Take an endpoint away; what was sent there stays on record. Raises DoesNotExist."""
    endpoint = _locked(actor, endpoint_id)
    endpoint.removed_at = now
    endpoint.secret = endpoint.old_secret = ""
    endpoint.save(update_fields=["removed_at", "secret", "old_secret"])
    _audit(actor, "webhook_endpoint.removed", endpoint, now, url=endpoint.url)


@transaction.atomic
def send_test(*, actor: Actor, endpoint_id: UUID, now: datetime) -> WebhookDelivery:
    """Send an endpoint an event that means nothing. Raises DoesNotExist and `EndpointOff`."""
    endpoint = _locked(actor, endpoint_id)
    _require_on(endpoint)
    body: dict[str, Any] = {"message": "Somebody asked for a test.", "by": actor.name}
    event = WebhookEvent.objects.create(
        organization=actor.organization,
        kind=TEST,
        subject_id=endpoint.pk,
        occasion=str(new_id()),
        body=body,
        at=now,
    )
    send_to([endpoint], event, now)
    return WebhookDelivery.objects.get(endpoint=endpoint, event=event)


@transaction.atomic
def replay(*, actor: Actor, delivery_id: UUID, now: datetime) -> WebhookDelivery:
    """Send an event to its endpoint again, under the same id. Raises DoesNotExist and `EndpointOff`.

    One that waits for its next try is tried now.
    """
    delivery = (
        WebhookDelivery.objects.select_for_update(of=("self",))
        .select_related("endpoint", "event")
        .get(pk=delivery_id, endpoint__organization=actor.organization, endpoint__removed_at__isnull=True)
    )
    _require_on(delivery.endpoint)
    delivery.state, delivery.attempts, delivery.due_at = DeliveryState.WAITING, 0, now
    delivery.save(update_fields=["state", "attempts", "due_at"])
    return delivery


@transaction.atomic
def replay_since(*, actor: Actor, endpoint_id: UUID, since: datetime, now: datetime) -> int:
    """Send every event since an instant again; return how many. Raises as `replay`.

    Those that wait for another try are tried now; those whose first try has yet to come are left to it.
    """
    endpoint = _locked(actor, endpoint_id)
    _require_on(endpoint)
    since_then = WebhookDelivery.objects.filter(endpoint=endpoint, event__at__gte=since)
    comes_anyway = Q(state=DeliveryState.WAITING) & (Q(due_at__lte=now) | Q(tries__isnull=True))
    return since_then.exclude(comes_anyway).update(state=DeliveryState.WAITING, attempts=0, due_at=now)


def _locked(actor: Actor, endpoint_id: UUID) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update().get(
        pk=endpoint_id, organization=actor.organization, removed_at__isnull=True
    )


def _require_on(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise EndpointOff(
            sentence(
                "%(url)s: %(disabled_because)s Turn it on first.",
                url=endpoint.url,
                disabled_because=endpoint.disabled_because,
            )
        )


def _audit(actor: Actor, action: str, endpoint: WebhookEndpoint, now: datetime, **after: object) -> None:
    AuditEntry.objects.create(
        organization=actor.organization,
        actor=actor.name,
        action=action,
        subject=str(endpoint.pk),
        after=after,
        at=now,
    )
