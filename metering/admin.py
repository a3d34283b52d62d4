"""Metered facts in the operator's back office, read only."""

from django.contrib import admin

from metering.event_models import EventCall
from metering.models import (
    Batch,
    BatchConflict,
    EventConflict,
    IngestCount,
    NodeCursor,
    UsageGap,
    UsageHour,
)
from tenants.back_office import ReadOnly


@admin.register(Batch)
class BatchAdmin(ReadOnly):
    """Batches as received."""

    list_display = ["node", "seq", "readings", "metered_to_at", "received_at"]
    exclude = ["body"]


@admin.register(BatchConflict)
class BatchConflictAdmin(ReadOnly):
    """Other bytes under a stored number."""

    list_display = ["node", "seq", "received_at"]
    exclude = ["body"]


@admin.register(NodeCursor)
class NodeCursorAdmin(ReadOnly):
    """Where each node's chain stands."""

    list_display = ["node", "last_seq", "metered_to_at", "clock_skew_ms", "last_received_at"]


@admin.register(UsageHour)
class UsageHourAdmin(ReadOnly):
    """Validated usage."""

    list_display = ["hour_at", "witness", "model", "quantity", "context_over", "marks", "value", "quality", "version"]
    list_filter = ["witness", "quality"]


@admin.register(UsageGap)
class UsageGapAdmin(ReadOnly):
    """What could not be metered."""

    list_display = ["node", "subject", "reason", "from_at", "to_at", "occurrences"]
    list_filter = ["reason"]


@admin.register(EventCall)
class EventCallAdmin(ReadOnly):
    """Gateways' events, a call each."""

    list_display = ["received_at", "reporter", "events"]
    exclude = ["body"]


@admin.register(EventConflict)
class EventConflictAdmin(ReadOnly):
    """The same event id with other content."""

    list_display = ["received_at", "reporter", "source", "event_id"]
    exclude = ["content_sha256"]


@admin.register(IngestCount)
class IngestCountAdmin(ReadOnly):
    """Outcomes of ingest by hour."""

    list_display = ["hour_at", "kind", "outcome", "count", "reporter"]
    list_filter = ["kind", "outcome"]
