"""The operator's first page: is everything running, what waits, what stopped; and having a step tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.csv_files import csv_answer
from billing.pipeline.backlog import backlogs
from billing.pipeline.failures import FailedStep, StepKind, failed_steps, retry_step
from billing.pipeline.freshness import freshness_of_all
from forecourt import pipeline_words as words
from forecourt.celery import BROKER_URL, SWEEPS
from forecourt.queue_depth import queue_depth
from forecourt.sweep_runs import sweeps
from portal.locales import active_locale
from portal.shell import Crumb
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import EDIT_PROFILE, READ_INVOICES, allows
from tenants.scoping import acting_membership, operator_page
from tenants.telling import told

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.models import Organization

CSV_HEAD: Final = ("kind", "id", "about", "organization", "tried_at_utc", "attempts", "error")


@require_safe
@operator_page(READ_INVOICES)
def operator_pipeline(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Show how far metering has come, what waits at each stage, when sweeps ran, and what stopped."""
    now = datetime.now(UTC)  # noqa: TID251  an entry point
    locale = active_locale()
    reach, waiting, stopped = freshness_of_all(now), backlogs(now), failed_steps(now)
    running, depth = sweeps(SWEEPS, now), queue_depth(BROKER_URL)
    mails = bool(settings.MAIL_READY)
    membership = acting_membership(request)
    context: dict[str, Any] = {
        "kpis": words.kpis(reach, waiting, running, stopped, depth, now, locale, mails=mails),
        "stopped": [words.step_line(step, locale) for step in stopped],
        "waiting": [words.backlog_line(one, now, locale, mails=mails) for one in waiting],
        "sweeps": [words.sweep_line(one, locale) for one in running],
        "nodes": [words.node_line(one, locale) for one in reach.rows],
        "more_nodes": max(0, reach.late - len(reach.rows)),
        "retries": membership is not None and allows(membership.role, EDIT_PROFILE),
        "crumbs": (Crumb(_("Operation")),),
    }
    return render(request, "forecourt/pipeline.html", context)


@require_safe
@operator_page(READ_INVOICES)
def operator_steps_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Write the stopped steps that the page shows."""
    now = datetime.now(UTC)  # noqa: TID251  an entry point
    return csv_answer("stopped-steps.csv", CSV_HEAD, (_csv_row(step) for step in failed_steps(now)))


@require_POST
@operator_page(EDIT_PROFILE)
def operator_step_retry(request: HttpRequest, organization: Organization, *, kind: str, step_id: UUID) -> HttpResponse:
    """Have a stopped step tried again."""
    if kind not in set(StepKind):
        raise Http404
    assert isinstance(request.user, User)
    try:
        retry_step(
            kind=StepKind(kind),
            step_id=step_id,
            operator=organization,
            actor=request.user.email,
            now=datetime.now(UTC),  # noqa: TID251  an entry point
        )
    except Problem as refused:
        messages.error(request, told(refused.said))
    else:
        messages.success(request, _("It is tried again at the next sweep."))
    return redirect("operator-pipeline")


def _csv_row(step: FailedStep) -> tuple[object, ...]:
    return (step.kind, step.id, step.about, step.organization, step.at.isoformat(), step.attempts, step.error)
