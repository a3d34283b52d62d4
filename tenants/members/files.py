"""Members as a file, the same as the page with the same filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.http import require_safe

from tenants.acting import on_every_side
from tenants.listing.csv_files import csv_answer
from tenants.members.reading import members_of
from tenants.roles import READ_MEMBERS

if TYPE_CHECKING:
    from django.http import HttpRequest, StreamingHttpResponse

    from tenants.actors import Actor

HEAD = ("name", "email", "role", "member_since", "last_sign_in", "active")


def _members_csv(request: HttpRequest, actor: Actor, _side: str) -> StreamingHttpResponse:
    """Send the members that the page lists."""
    search, role = request.GET.get("q", "").strip()[:200], request.GET.get("role", "")
    found = members_of(actor.organization, search=search, role=role)
    rows = (
        (one.user.name, one.user.email, one.role, one.created_at, one.user.last_login, one.user.is_active)
        for one in found
    )
    return csv_answer(f"members-{actor.organization.slug}.csv", HEAD, rows)


members_csv = on_every_side(READ_MEMBERS, _members_csv, require_safe)
