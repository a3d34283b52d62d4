"""Shapes of what a draft waits for, and of what is accepted to be missing of it."""

from typing import Any, Final

from rest_framework import serializers

from billing.draft_waits import DraftWait
from billing.gaps import REASON_CHARACTERS_MAX
from tenants.closed_shapes import ClosedSerializer

GAPS_MAX: Final = 500


class DraftWaitSerializer(serializers.Serializer[Any]):
    """Something that is missing of a period that is over."""

    kind = serializers.CharField(help_text="node, source, events, or revenue_statement")
    gap = serializers.CharField(help_text="by what it is accepted to be missing; empty: it is waited for")
    name = serializers.CharField(help_text="of the node, the gateway or the term; empty: none")
    reported_to_at = serializers.DateTimeField(allow_null=True, help_text="null: never, or no matter of time")
    needed_to_at = serializers.DateTimeField(allow_null=True)
    accepted_reason = serializers.CharField(help_text="why it is accepted to be missing; empty: it is not")
    accepted_at = serializers.DateTimeField(allow_null=True)


class AcceptGapsSerializer(ClosedSerializer):
    """What is accepted to be missing, and why."""

    gaps = serializers.ListField(child=serializers.CharField(max_length=300), min_length=1, max_length=GAPS_MAX)
    reason = serializers.CharField(max_length=REASON_CHARACTERS_MAX, help_text="both parties read it")


class DraftWaitsSerializer(serializers.Serializer[Any]):
    """What is missing of a period by now, with what was accepted."""

    waiting_for = DraftWaitSerializer(many=True)


def wait_row(wait: DraftWait) -> dict[str, object]:
    """Return something missing as the API says it."""
    return {
        "kind": wait.kind,
        "gap": wait.gap,
        "name": wait.name,
        "reported_to_at": wait.reported_to_at and wait.reported_to_at.isoformat(),
        "needed_to_at": wait.needed_to_at and wait.needed_to_at.isoformat(),
        "accepted_reason": wait.reason,
        "accepted_at": wait.accepted_at and wait.accepted_at.isoformat(),
    }
