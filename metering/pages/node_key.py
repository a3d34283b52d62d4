"""Revoking a node's key by hand: with a reason, by whoever may manage the fleet; and what became of it."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.enrolment import revoke
from clusters.models import Node
from metering.fleet import FleetNode
from portal.figures import moment
from portal.locales import active_locale
from tenants.acting import person_acting
from tenants.models import AuditEntry, Organization
from tenants.roles import MANAGE_LEASES, NotAllowed, allows

REASON_CHARS_MAX = 200


class RevokeForm(forms.Form):
    """Why a node's key is revoked."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        min_length=5,
        max_length=REASON_CHARS_MAX,
        help_text=gettext_lazy("Kept in the audit log and shown here, for example: the server was sold."),
    )


def revoked_here(request: HttpRequest, organization: Organization, node: FleetNode) -> tuple[RevokeForm, bool]:
    """Return the form, and whether a POST of it revoked the node's key. Raises NotAllowed for other roles."""
    posted = request.method == "POST"
    if posted and not allows(person_acting(request).role, MANAGE_LEASES):
        raise NotAllowed(MANAGE_LEASES)
    form = RevokeForm(request.POST if posted else None)
    if not form.is_bound or not form.is_valid():
        return form, False
    found = get_object_or_404(Node, pk=node.id, cluster__provider=organization)
    revoke(
        node=found,
        now=datetime.now(UTC),
        actor=person_acting(request).name,
        reason=form.cleaned_data["reason"],
    )
    return form, True


def key_context(request: HttpRequest, organization: Organization, node: FleetNode, form: RevokeForm) -> dict[str, Any]:
    """Return what the page says of the key: that it was revoked, by whom and why; or the form that does it."""
    if node.revoked_at is not None:
        return {"revoked": _revoked(organization, node)}
    in_force = node.enrolled_at is not None
    return {"revoke_form": form if in_force and allows(person_acting(request).role, MANAGE_LEASES) else None}


def _revoked(organization: Organization, node: FleetNode) -> dict[str, str]:
    locale = active_locale()
    assert node.revoked_at is not None
    entries = AuditEntry.objects.filter(organization=organization, action="node.revoked", subject=str(node.id))
    last = entries.order_by("-at", "-id").first()
    reason = str((last.after or {}).get("reason", "")) if last else ""
    return {
        "at": moment(node.revoked_at, UTC, locale=locale),
        "by": last.actor if last else "",
        "reason": reason or _("no reason given"),
    }
