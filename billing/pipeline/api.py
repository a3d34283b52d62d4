"""The API of the operator's view of the pipeline: what waits at each stage, what stopped, and having it tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.pipeline.backlog import Backlog, Stage, backlogs
from billing.pipeline.failures import FailedStep, StepKind, failed_steps, retry_step
from tenants.authentication import caller_of, operator_of
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    PagedSerializer,
    cursor_errors,
    list_answer,
    list_responses,
    read_page,
)
from tenants.listing.paging import page_of

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

READS: Final = {"GET": "invoices:read"}


class BacklogSerializer(serializers.Serializer[Any]):
    """How many wait at a stage, and since when the one that waits longest could have been worked on."""

    stage = serializers.ChoiceField([stage.value for stage in Stage])
    count = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True)


class BacklogsSerializer(PagedSerializer):
    """Every stage, by its name; also those at which nothing waits."""

    backlogs = BacklogSerializer(many=True)


class StoppedStepSerializer(serializers.Serializer[Any]):
    """A step that stopped and waits for somebody to have it tried again."""

    kind = serializers.ChoiceField([kind.value for kind in StepKind])
    id = serializers.UUIDField()
    about = serializers.CharField(help_text="what people call its subject")
    organization_name = serializers.CharField(help_text="whose it is")
    tried_at = serializers.DateTimeField()
    attempts = serializers.IntegerField()
    error = serializers.CharField()


class StoppedStepsSerializer(PagedSerializer):
    """Stopped steps, the one that was tried last before the others."""

    steps = StoppedStepSerializer(many=True)


class BacklogsView(ListView):
    """What waits."""

    required_scopes = READS

    @extend_schema(
        operation_id="backlogs_list",
        tags=["operation"],
        summary="Read what waits at each stage",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(BacklogsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Read how much waits at each stage from a reading to a payment, over the installation. For the operator."""
        operator_of(request)
        now = timezone.now()
        with cursor_errors():
            paged = page_of(backlogs(now), read_page(request), lambda one: (one.stage.value,))
        return list_answer(request, "backlogs", paged, BacklogSerializer, _backlog)


class StoppedStepsView(ListView):
    """What stopped."""

    required_scopes = READS

    @extend_schema(
        operation_id="stopped_steps_list",
        tags=["operation"],
        summary="List steps that stopped",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(StoppedStepsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List collections, documents, letters and webhooks that stopped, and why. For the operator."""
        operator_of(request)
        now = timezone.now()
        with cursor_errors():
            paged = page_of(failed_steps(now), read_page(request), _place, falling=True)
        return list_answer(request, "steps", paged, StoppedStepSerializer, _step)


class StoppedStepRetryView(APIView):
    """A step tried again."""

    required_scopes = {"POST": "invoices:write"}

    @extend_schema(
        operation_id="stopped_steps_retry",
        tags=["operation"],
        summary="Try a stopped step again",
        request=None,
        responses={204: None},
    )
    def post(self, request: Request, kind: str, step_id: UUID) -> Response:
        """Have a step that stopped tried again at the next sweep, as if it never had been. For the operator."""
        operator, now = operator_of(request), timezone.now()
        if kind not in set(StepKind):
            raise Http404
        actor = caller_of(request)
        retry_step(kind=StepKind(kind), step_id=step_id, operator=operator, actor=actor, now=now)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _place(one: FailedStep) -> tuple[object, ...]:
    """Steps of several kinds can be about one subject, and so have one id."""
    return (one.at, one.id, one.kind.value)


def _backlog(one: Backlog) -> dict[str, object]:
    return {"stage": one.stage.value, "count": one.count, "oldest_at": one.oldest_at and instant(one.oldest_at)}


def _step(one: FailedStep) -> dict[str, object]:
    return {
        "kind": one.kind.value,
        "id": str(one.id),
        "about": one.about,
        "organization_name": one.organization,
        "tried_at": instant(one.at),
        "attempts": one.attempts,
        "error": one.error,
    }
