"""Projects: a tenant names groups of its keys, and puts keys into them from an instant on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from metering.key_models import Project, ProjectKey, UsageKey
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

    Change = tuple[dict[str, str], dict[str, str]]

NAME_CHARS_MAX: Final = 100
PROJECTS_MAX: Final = 500


class ProjectRefused(Problem):
    """A project cannot be made or changed like this."""

    status = 409
    code = "project_refused"
    title = "The project stays as it is"


class WrongProject(Problem):
    """The call says nothing that a project or key can be."""

    status = 422
    code = "wrong_project"
    title = "The project or key cannot be that"


class UnknownKey(Problem):
    """The tenant has no such key, or no such project."""

    status = 404
    code = "unknown_key"
    title = "There is no such key or project"


def make_project(*, tenant: Organization, name: str, actor: str, now: datetime) -> Project:
    """Make a project; its slug follows from its name. Raises ProjectRefused."""
    name = name.strip()
    slug = slugify(name, allow_unicode=False)[:64] or "project"
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise ProjectRefused(sentence("A project needs a name of 1 to %(most)s characters.", most=NAME_CHARS_MAX))
    with transaction.atomic():
        taken = set(Project.objects.filter(tenant=tenant).values_list("slug", flat=True))
        if len(taken) >= PROJECTS_MAX:
            raise ProjectRefused(sentence("There are %(most)s projects; expected fewer.", most=PROJECTS_MAX))
        try:
            with transaction.atomic():
                project = Project.objects.create(tenant=tenant, slug=_free(slug, taken), name=name, created_at=now)
        except IntegrityError as taken_meanwhile:
            raise ProjectRefused(
                sentence("Another project of that name was made at the same time.")
            ) from taken_meanwhile
        _note(tenant, "project.made", project.slug, change=({}, {"name": name}), actor=actor, now=now)
    return project


def rename_project(*, tenant: Organization, slug: str, name: str, actor: str, now: datetime) -> Project:
    """Give a project another name; its slug stays, so that addresses and exports stay. Raises the module's errors."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise ProjectRefused(sentence("A project needs a name of 1 to %(most)s characters.", most=NAME_CHARS_MAX))
    with transaction.atomic():
        project = _project(tenant, slug)
        before, project.name = project.name, name
        project.save(update_fields=["name"])
        _note(tenant, "project.renamed", slug, change=({"name": before}, {"name": name}), actor=actor, now=now)
    return project


def put_key(*, tenant: Organization, key_id: UUID, project: str, from_at: datetime, actor: str, now: datetime) -> None:
    """Put a key into a project from an instant on, or into none (""); what it used before stays where it was.

    The instant may lie in the past: then its use since belongs to the project, in every report read from now on.
    What was decided for later than the instant is replaced. The same again changes nothing. Raises the module's errors.
    """
    with transaction.atomic():
        key = UsageKey.objects.select_for_update().filter(tenant=tenant, id=key_id).first()
        if key is None:
            raise UnknownKey(sentence("There is no such key."))
        wanted = _project(tenant, project) if project else None
        stays = list(ProjectKey.objects.filter(key=key).order_by("from_at"))
        present = next((one for one in stays if one.from_at <= from_at and _lasts(one, from_at)), None)
        later = [one for one in stays if one.from_at > from_at]
        if not later and (present.project_id if present else None) == (wanted.id if wanted else None):
            return
        ProjectKey.objects.filter(id__in=[one.id for one in later]).delete()
        if present is not None and present.from_at == from_at:
            present.delete()
        elif present is not None:
            present.to_at = from_at
            present.save(update_fields=["to_at"])
        if wanted is not None:
            ProjectKey.objects.create(tenant=tenant, project=wanted, key=key, from_at=from_at)
        before = {"project": Project.objects.get(id=present.project_id).slug if present else ""}
        after = {"project": project, "from_at": from_at.isoformat()}
        _note(tenant, "project.key_put", key.label, change=(before, after), actor=actor, now=now)


def mark_key(*, tenant: Organization, key_id: UUID, deleted: bool, actor: str, now: datetime) -> None:
    """Say that a key is deleted, or that it is not after all. Its history stays, and its events are still counted."""
    with transaction.atomic():
        key = UsageKey.objects.select_for_update().filter(tenant=tenant, id=key_id).first()
        if key is None:
            raise UnknownKey(sentence("There is no such key."))
        if (key.deleted_at is not None) == deleted:
            return
        key.deleted_at = now if deleted else None
        key.save(update_fields=["deleted_at"])
        action = "usage_key.deleted" if deleted else "usage_key.restored"
        _note(tenant, action, key.label, change=({}, {}), actor=actor, now=now)


def _lasts(stay: ProjectKey, at: datetime) -> bool:
    return stay.to_at is None or stay.to_at > at


def _project(tenant: Organization, slug: str) -> Project:
    project = Project.objects.select_for_update().filter(tenant=tenant, slug=slug).first()
    if project is None:
        raise UnknownKey(sentence("There is no such project."))
    return project


def _free(slug: str, taken: set[str]) -> str:
    found, number = slug, 2
    while found in taken:
        found = f"{slug[:58]}-{number}"
        number += 1
    return found


def _note(tenant: Organization, action: str, subject: str, *, change: Change, actor: str, now: datetime) -> None:
    before, after = change
    AuditEntry.objects.create(
        organization=tenant, actor=actor, action=action, subject=subject[:200], before=before, after=after, at=now
    )
