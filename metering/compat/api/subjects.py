"""Whose a reporter's subjects are: list aliases, what waits and what was no usage; and name a subject."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from metering.compat.callers import READ, WRITE, endpoint, key_of
from metering.compat.models import HeldReport, RejectedSample, SubjectAlias
from metering.compat.taking import name_subject
from metering.sent_bodies import read_sent
from tenants.problem_response import problem_answer
from tenants.problems import Problem

BYTES_MAX: Final = 65_536
LISTED_MAX: Final = 500

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Naming(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subject, and the slug of the tenant that it stands for; the subject `*` stands for all that have no alias."""

    subject: Text
    tenant: Text


class NamingInvalid(Problem):
    """The body names no subject and tenant."""

    status = 400
    code = "invalid"
    title = "The request has wrong values"


def list_subjects(request: HttpRequest) -> HttpResponse:
    """Show the reporter's aliases, the subjects that wait to be named, and samples of what was no usage."""
    reporter = key_of(request, READ, timezone.now()).organization
    aliases = SubjectAlias.objects.filter(reporter=reporter).order_by("subject")[:LISTED_MAX]
    waiting = (
        HeldReport.objects.filter(reporter=reporter, released_at=None)
        .values("subject")
        .annotate(reports=Count("id"), first_at=Min("occurred_at"), last_at=Max("occurred_at"))
        .order_by("subject")[:LISTED_MAX]
    )
    samples = RejectedSample.objects.filter(reporter=reporter).order_by("-at", "id")[:LISTED_MAX]
    body = {
        "aliases": [{"subject": one.subject, "tenant": one.tenant.slug} for one in aliases.select_related("tenant")],
        "waiting": list(waiting),
        "rejected": list(samples.values("input", "code", "sample", "at")),
    }
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")


def name(request: HttpRequest) -> HttpResponse:
    """Name a subject; what waited for it is taken in."""
    now = timezone.now()
    key = key_of(request, WRITE, now)
    try:
        naming = msgspec.json.decode(read_sent(request, BYTES_MAX), type=Naming)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise NamingInvalid(f"Expected {{subject, tenant}}: {broken}"[:300]) from broken
    if "\0" in naming.subject + naming.tenant:
        raise NamingInvalid("No name may hold a NUL character.")
    released, left = name_subject(
        reporter=key.organization,
        subject=naming.subject,
        tenant=naming.tenant,
        actor=f"API key {key.prefix}…",
        now=now,
    )
    return HttpResponse(msgspec.json.encode({"released": released, "waiting": left}), content_type="application/json")


subjects = endpoint(problem_answer, GET=list_subjects, POST=name)
