"""A tenant's keys and projects: which keys there are, when they were used, and the project that each is in."""

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from metering.key_queries import KnownKey, known_keys, projects_of
from metering.pages.files import csv_file
from metering.projects import ProjectRefused, UnknownKey, make_project, mark_key, put_key, rename_project
from portal.figures import moment
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, address, first_row, pagination, read_page
from portal.parts import Empty, Pill
from tenants.models import Organization, User
from tenants.roles import MANAGE_PROJECTS, READ_USAGE, allows
from tenants.scoping import acting_membership, tenant_page

TEXT_CHARS_MAX: Final = 200
CSV_HEAD: Final = ("key", "id", "project", "first_counted_at", "last_used_at", "deleted_at")


@require_safe
@tenant_page(READ_USAGE)
def tenant_projects(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List a tenant's keys with their projects, those that a text is looked for in."""
    now = datetime.now(UTC)
    text, keys = _found(request, organization, now)
    page = read_page(request.GET.get("page", ""))
    projects = projects_of(organization)
    membership = acting_membership(request)
    counted = {one.slug: sum(key.project == one.slug for key in keys) for one in projects}
    context: dict[str, Any] = {
        "text": text,
        "rows": [_row(one) for one in keys[first_row(page) : first_row(page) + ROWS_PER_PAGE]],
        "keys": keys,
        "projects": [(one, counted[one.slug]) for one in projects],
        "manages": membership is not None and allows(membership.role, MANAGE_PROJECTS),
        "today": now.date(),
        "pagination": pagination(request.path, {"q": text}, page, len(keys)),
        "export_url": address(reverse("tenant-projects-csv"), {"q": text}),
        "empty": _nothing(text),
    }
    return render(request, "metering/projects.html", context)


@require_safe
@tenant_page(READ_USAGE)
def tenant_projects_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give the keys as a file, those that the page with the same address lists on all its pages."""
    _text, keys = _found(request, organization, datetime.now(UTC))
    return csv_file("keys.csv", CSV_HEAD, map(_csv_row, keys))


@require_POST
@tenant_page(MANAGE_PROJECTS)
def tenant_projects_act(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Make or rename a project, put a key into one, or say that a key is deleted; and go back to the list."""
    assert isinstance(request.user, User)
    by = {"tenant": organization, "actor": request.user.email, "now": datetime.now(UTC)}
    try:
        messages.success(request, _done(request, by))
    except (UnknownKey, ValueError) as unknown:
        raise Http404 from unknown
    except ProjectRefused:
        messages.error(request, _("Give the project a name of 1 to 100 characters."))
    return redirect("tenant-projects")


def _done(request: HttpRequest, by: dict[str, Any]) -> str:
    given = request.POST.get
    action = given("do", "")
    if action == "make":
        made = make_project(name=given("name", ""), **by)
        return _("The project %(name)s is made. Put keys into it.") % {"name": made.name}
    if action == "rename":
        renamed = rename_project(slug=given("project", ""), name=given("name", ""), **by)
        return _("The project is called %(name)s now.") % {"name": renamed.name}
    if action == "put":
        from_at = _instant(given("from", ""), by["now"])
        put_key(key_id=UUID(given("key", "")), project=given("project", ""), from_at=from_at, **by)
        return _("From that day on the key's use belongs to the project that you chose.")
    if action in {"delete", "restore"}:
        mark_key(key_id=UUID(given("key", "")), deleted=action == "delete", **by)
        return _("The key is marked as deleted. Its history stays.") if action == "delete" else _("The key is back.")
    raise ValueError(action)


def _instant(text: str, now: datetime) -> datetime:
    """Return when a day begins in UTC, as usage hours do; now where none is named."""
    if not text:
        return now
    day = date.fromisoformat(text)
    if not 2000 <= day.year <= 2999:
        raise ValueError(text)
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC"))


def _found(request: HttpRequest, organization: Organization, now: datetime) -> tuple[str, list[KnownKey]]:
    text = request.GET.get("q", "").strip()[:TEXT_CHARS_MAX]
    return text, known_keys(organization, now=now, text=text)


def _row(one: KnownKey) -> dict[str, object]:
    locale = active_locale()
    return {
        "id": str(one.id),
        "label": one.label,
        "project": one.project_name,
        "used": moment(one.last_used_at, UTC, locale=locale) if one.last_used_at else "",
        "since": moment(one.first_counted_at, UTC, locale=locale),
        "deleted": one.deleted_at is not None,
        "pill": Pill(_("deleted"), small=True) if one.deleted_at else None,
    }


def _nothing(text: str) -> Empty:
    if text:
        return Empty(_("No key found"), _("No key has this text in its label. Look for another."), icon="key")
    return Empty(
        _("No keys yet"),
        _("Have your gateway send a label in the field key with each usage event: it shows here once it is counted."),
        icon="key",
    )


def _csv_row(one: KnownKey) -> tuple[object, ...]:
    instants = (one.first_counted_at, one.last_used_at, one.deleted_at)
    return (one.label, one.id, one.project, *(at.astimezone(UTC).isoformat() if at else "" for at in instants))
