"""The API of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from tenants.acting import program_acting
from tenants.audit.reading import ORDER, Choice, entries_of
from tenants.instants import instant_text
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from tenants.models import AuditEntry

WORDS_MAX: Final = 200


class AuditQuerySerializer(serializers.Serializer[Any]):
    """What of the log is asked for."""

    actor = serializers.CharField(max_length=WORDS_MAX, required=False, default="")
    action = serializers.CharField(max_length=WORDS_MAX, required=False, default="")
    subject = serializers.CharField(max_length=WORDS_MAX, required=False, default="")
    at_from = serializers.DateTimeField(required=False, default=None)
    at_to = serializers.DateTimeField(required=False, default=None)


class AuditEntrySerializer(serializers.Serializer[Any]):
    """Something that somebody did."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="e-mail address of a person, `API key` and its prefix, a node, or a job")
    action = serializers.CharField()
    subject = serializers.CharField(help_text="what it was done to")
    before = serializers.JSONField(help_text="null where there was nothing")
    after = serializers.JSONField(help_text="null where there is nothing any more")


class AuditEntriesSerializer(PagedSerializer):
    """Entries of the audit log, the latest first."""

    entries = AuditEntrySerializer(many=True)


class AuditView(ListView):
    """The audit log of an organization."""

    required_scopes = {"GET": "audit:read"}

    @extend_schema(
        operation_id="audit_list",
        tags=["organization"],
        summary="Read the audit log",
        parameters=[
            OpenApiParameter("actor", str, description="a part of who did it"),
            OpenApiParameter("action", str, description="an action, or a family such as `invoice.`"),
            OpenApiParameter("subject", str, description="a part of what it was done to"),
            OpenApiParameter("at_from", datetime, description="at or after this instant"),
            OpenApiParameter("at_to", datetime, description="before this instant"),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(AuditEntriesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List who did what to what, with the values before and after, the latest first."""
        query = AuditQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        choice = Choice(asked["actor"], asked["action"], asked["subject"], asked["at_from"], asked["at_to"])
        paged = page_by_key(request, entries_of(program_acting(request).organization, choice), ORDER)
        return list_answer(request, "entries", paged, AuditEntrySerializer, _entry)


def _entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": str(entry.pk),
        "at": instant_text(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
    }
