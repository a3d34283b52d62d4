"""The JSON shapes of what watches the metering, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from metering.acknowledging import NOTE_CHARS_MAX
from metering.control_models import AlertKind, AlertState, SilenceEnd
from tenants.closed_shapes import ClosedSerializer


class PageSerializer(serializers.Serializer[Any]):
    """A page of what touches a window."""

    to = serializers.DateTimeField()
    next_cursor = serializers.CharField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is no name in Python."""
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class SilenceSerializer(serializers.Serializer[Any]):
    """A stretch in which a node was not heard."""

    node = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True, help_text="null while it lasts")
    end = serializers.ChoiceField(["", *SilenceEnd.values], help_text="how it ended; empty while it lasts")


class NodeHourSerializer(serializers.Serializer[Any]):
    """A node in one UTC hour."""

    node = serializers.CharField()
    hour_at = serializers.DateTimeField()
    expected_ms = serializers.IntegerField(help_text="how long it should have looked; 0 until the hour is over")
    observed_ms = serializers.IntegerField(help_text="how long its looks cover")
    looks = serializers.IntegerField()


class CompletenessSerializer(PageSerializer):
    """Nodes hour by hour."""

    hours = NodeHourSerializer(many=True)


class AlertSerializer(serializers.Serializer[Any]):
    """Figures that do not fit together; `measured` and `bound` are in the kind's unit: tokens, mJ, mW or seconds."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(AlertKind.choices)
    state = serializers.ChoiceField(AlertState.choices)
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    deployment = serializers.CharField()
    node = serializers.CharField()
    model = serializers.CharField()
    quantity = serializers.CharField()
    measured = serializers.CharField()
    bound = serializers.CharField()
    rule = serializers.CharField(help_text="where the bound comes from")
    found_at = serializers.DateTimeField()
    seen_by = serializers.CharField(help_text="who of this organization said what it was")
    note = serializers.CharField()
    seen_at = serializers.DateTimeField(allow_null=True)


class AlertSeenRequestSerializer(ClosedSerializer):
    """What an alert was, in words."""

    note = serializers.CharField(max_length=NOTE_CHARS_MAX)


class AlertSeenSerializer(serializers.Serializer[Any]):
    """Whether these words are kept; not where somebody of the organization said before what it was."""

    id = serializers.UUIDField()
    kept = serializers.BooleanField()


class AlertsSerializer(PageSerializer):
    """Alerts that touch a window."""

    alerts = AlertSerializer(many=True)
