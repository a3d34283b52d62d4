"""The entries of the audit log that fit an address, as a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from django.views.decorators.http import require_safe

from tenants.acting import on_every_side
from tenants.audit.choosing import choice_of
from tenants.audit.reading import entries_of
from tenants.listing.csv_files import csv_answer
from tenants.roles import READ_AUDIT

if TYPE_CHECKING:
    from django.http import HttpRequest, StreamingHttpResponse

    from tenants.actors import Actor

HEAD: Final = ("at", "actor", "action", "subject", "before", "after")
ROWS_AT_A_TIME: Final = 2_000


def _audit_csv(request: HttpRequest, actor: Actor, _side: str) -> StreamingHttpResponse:
    """Send every entry that fits the page's choice."""
    found = entries_of(actor.organization, choice_of(request.GET))
    rows = (
        (one.at, one.actor, one.action, one.subject, _json(one.before), _json(one.after))
        for one in found.iterator(chunk_size=ROWS_AT_A_TIME)
    )
    return csv_answer(f"audit-{actor.organization.slug}.csv", HEAD, rows)


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


audit_csv = on_every_side(READ_AUDIT, _audit_csv, require_safe)
