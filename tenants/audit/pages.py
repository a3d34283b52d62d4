"""The page of the audit log, the same for tenants, providers and the operator."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Empty, Pagination
from tenants.acting import on_every_side
from tenants.audit.choosing import choice_of
from tenants.audit.reading import ORDER, entries_of
from tenants.audit.words import changes
from tenants.listing.cursors import WrongCursor, read_cursor
from tenants.listing.paging import Page, page_rows
from tenants.roles import READ_AUDIT

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.actors import Actor
    from tenants.models import AuditEntry

SHOWN: Final = 50


def _audit(request: HttpRequest, actor: Actor, side: str) -> HttpResponse:
    """Show who did what, the latest first, by the choice in the address."""
    asked = request.GET.copy()
    cursor = asked.pop("cursor", [""])[-1]
    try:
        page = Page(SHOWN, read_cursor(cursor) if cursor else None)
        paged = page_rows(entries_of(actor.organization, choice_of(asked)), page, ORDER)
    except WrongCursor as error:
        raise Http404 from error
    locale = active_locale()
    path, kept = request.path, asked.urlencode()
    following = asked.copy()
    if paged.next_cursor:
        following["cursor"] = paged.next_cursor
    context = {
        "asked": {name: asked.get(name, "") for name in ("actor", "action", "subject", "from", "to")},
        "rows": [_row(one, locale) for one in paged.rows],
        "empty": _empty(bool(kept)),
        "csv_url": f"{reverse(f'{side}-audit-csv')}?{kept}",
        "pagination": Pagination(
            _("%(count)s entries, the latest first") % {"count": len(paged.rows)},
            previous_url=f"{path}?{kept}" if cursor else "",
            next_url=f"{path}?{following.urlencode()}" if paged.next_cursor else "",
        ),
    }
    return render(request, "tenants/audit.html", context)


def _empty(chosen: bool) -> Empty:
    if chosen:
        return Empty(_("No entry fits"), _("Ask for less: leave out a field, or widen the days."), icon="search")
    return Empty(_("Nothing was done yet"), _("What people and programs change stands here from then on."))


def _row(entry: AuditEntry, locale: str) -> dict[str, Any]:
    return {
        "at": moment(entry.at, UTC, locale=locale),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "changes": changes(entry.before, entry.after),
    }


audit = on_every_side(READ_AUDIT, _audit, require_safe)
