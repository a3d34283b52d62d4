"""API keys as a file, the same as the page with the same choice; no secret is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from django.views.decorators.http import require_safe

from tenants.acting import on_every_side
from tenants.keys.reading import keys_of, state_of
from tenants.listing.csv_files import csv_answer
from tenants.roles import MANAGE_KEYS

if TYPE_CHECKING:
    from django.http import HttpRequest, StreamingHttpResponse

    from tenants.actors import Actor

HEAD = ("name", "prefix", "state", "scopes", "networks", "created_at", "created_by", "expires_at", "last_used_at")


def _keys_csv(request: HttpRequest, actor: Actor, _side: str) -> StreamingHttpResponse:
    """Send the keys that the page lists."""
    now = timezone.now()  # noqa: TID251  an entry point
    rows = (
        (
            one.name,
            one.prefix,
            state_of(one, now),
            " ".join(one.scopes),
            " ".join(one.networks),
            one.created_at,
            one.created_by,
            one.expires_at,
            one.last_used_at,
        )
        for one in keys_of(actor.organization, now, over=request.GET.get("show") == "all")
    )
    return csv_answer(f"api-keys-{actor.organization.slug}.csv", HEAD, rows)


keys_csv = on_every_side(MANAGE_KEYS, _keys_csv, require_safe)
