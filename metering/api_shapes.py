"""The JSON shapes of the metering API, for its OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from metering.control_shapes import PageSerializer, SilenceSerializer
from metering.event_marks import GIVEN_MARKS, QUANTITIES
from tenants.closed_shapes import ClosedSerializer

COUNT_HELP = "tokens, a whole number; a string of decimal digits is taken too"


class EventSerializer(serializers.Serializer[Any]):
    """One request's usage. `input` includes `cached_input`, `output` includes `reasoning`."""

    id = serializers.CharField(max_length=200, help_text="unique for ever within the source")
    source = serializers.CharField(  # type: ignore[assignment]  # DRF takes declared fields off the class
        max_length=200, help_text="the gateway's name for itself"
    )
    occurred_at = serializers.DateTimeField(help_text="RFC 3339 with offset")
    model = serializers.CharField(max_length=200)
    input = serializers.IntegerField(min_value=0, help_text=COUNT_HELP)
    output = serializers.IntegerField(min_value=0, help_text=COUNT_HELP)
    cached_input = serializers.IntegerField(min_value=0, required=False, help_text=COUNT_HELP)
    cache_write = serializers.IntegerField(min_value=0, required=False, help_text=COUNT_HELP)
    reasoning = serializers.IntegerField(min_value=0, required=False, help_text=COUNT_HELP)
    deployment = serializers.CharField(max_length=200, required=False, allow_null=True, help_text="slug")
    tenant = serializers.CharField(
        max_length=200, required=False, allow_null=True, help_text="slug; needed where the reporter is not the tenant"
    )
    key = serializers.CharField(
        max_length=200, required=False, allow_null=True, help_text="the tenant's own label of the caller"
    )
    samples = serializers.IntegerField(
        min_value=1, max_value=10_000, required=False, help_text="parallel answers to the prompt (n); explains only"
    )
    status = serializers.ChoiceField(
        ["complete", "aborted", "failed"],
        required=False,
        help_text="aborted: the caller left before the end; failed: it ended in an error. May decide the price",
    )
    marks = serializers.ListField(
        child=serializers.ChoiceField(list(GIVEN_MARKS)),
        required=False,
        help_text="how it was served (batch or priority) and whether it is not for payment (free, test)",
    )
    quantities = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        allow_null=True,
        help_text=f"other things than tokens: {', '.join(QUANTITIES)}",
    )


class EventContentSerializer(serializers.Serializer[Any]):
    """What an event says of a request."""

    tenant = serializers.CharField(allow_null=True, help_text="slug; null: nobody's yet")
    deployment = serializers.CharField(allow_null=True, help_text="slug; null: nobody's")
    model = serializers.CharField()
    key = serializers.CharField(help_text="the tenant's own label of the caller; empty: none")
    occurred_at = serializers.DateTimeField(help_text="when the request ended")
    received_at = serializers.DateTimeField(help_text="when it was first received")
    input = serializers.CharField(help_text="tokens")
    cached_input = serializers.CharField(help_text="tokens, a part of input")
    cache_write = serializers.CharField(help_text="tokens")
    output = serializers.CharField(help_text="tokens")
    reasoning = serializers.CharField(help_text="tokens, a part of output")
    samples = serializers.IntegerField(help_text="parallel answers to the prompt")
    status = serializers.CharField(help_text="complete, aborted or failed")
    marks = serializers.ListField(
        child=serializers.CharField(), help_text=f"how it was served and paid for: some of {', '.join(GIVEN_MARKS)}"
    )
    quantities = serializers.DictField(child=serializers.CharField(), help_text="other things than tokens")


class StoredEventSerializer(EventContentSerializer):
    """An event as it was received and attributed."""

    id = serializers.CharField(help_text="that its source gave it")
    source = serializers.CharField(help_text="the gateway, by its own name")  # type: ignore[assignment]  # DRF takes declared fields off the class
    reporter = serializers.CharField(help_text="slug of who reported it")
    conflicts = EventContentSerializer(
        many=True, help_text="other contents that came under the same id, the first ones; none of them counts"
    )


class RejectedSerializer(serializers.Serializer[Any]):
    """Why one item was not taken."""

    index = serializers.IntegerField(help_text="its place in the call, from 0")
    code = serializers.CharField()
    field = serializers.CharField()
    detail = serializers.CharField()


class EventsTakenSerializer(serializers.Serializer[Any]):
    """What became of a call's items; the four add up to what was sent."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    conflicts = serializers.IntegerField(help_text="known ids with other content; both are kept")
    rejected = RejectedSerializer(many=True)


class CompleteSerializer(ClosedSerializer):
    """How far a gateway's source has sent everything."""

    source = serializers.CharField(  # type: ignore[assignment]  # DRF takes declared fields off the class
        max_length=200, help_text="the gateway's name for itself"
    )
    complete_to = serializers.DateTimeField(help_text="every event before this instant was sent and acknowledged")


class UsageTotalSerializer(serializers.Serializer[Any]):
    """Usage of one kind in one stretch of time. Beside these members are those that `group_by` names."""

    at = serializers.DateTimeField(allow_null=True, help_text="start of the stretch in the zone; null in total")
    witness = serializers.CharField(help_text="engine, gateway or energy; never add them")
    model = serializers.CharField(required=False)
    deployment = serializers.CharField(required=False, allow_null=True)
    tenant = serializers.CharField(required=False, allow_null=True)
    node = serializers.CharField(required=False, allow_null=True)
    context_over = serializers.CharField(
        required=False, help_text="tokens that each request's input exceeded; 0: no threshold, or not known"
    )
    marks = serializers.CharField(
        required=False, help_text="marks that each request had, joined by +; empty: none, or not known"
    )
    key = serializers.CharField(
        required=False, allow_null=True, help_text="the tenant's own label; null: usage that has no key, or another's"
    )
    project = serializers.CharField(
        required=False, allow_null=True, help_text="slug of the project that the key was in; null: none"
    )
    value = serializers.CharField(help_text="what counts, a whole number")
    estimated = serializers.CharField(help_text="the part of it that was spread by time")
    quarantined = serializers.CharField(help_text="what is held back and not in the value")
    records = serializers.CharField(help_text="readings or events behind it")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `class`, which is no name in Python."""
        return {**super().get_fields(), "class": serializers.CharField(help_text="what was counted")}


class UsageSerializer(PageSerializer):
    """Usage over a window."""

    granularity = serializers.CharField()
    tz = serializers.CharField()
    usage = UsageTotalSerializer(many=True)


class GapSerializer(serializers.Serializer[Any]):
    """A span that could not be metered."""

    node = serializers.CharField()
    subject = serializers.CharField()
    subject_id = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True, help_text="null while it lasts")
    reason = serializers.CharField()
    detail = serializers.CharField()
    occurrences = serializers.IntegerField()
    value_max = serializers.DictField(
        child=serializers.IntegerField(allow_null=True),
        help_text="what can have gone unseen at most, by class and model; for the provider",
    )


class GapsSerializer(PageSerializer):
    """Gaps of a window, and nodes that are silent now."""

    gaps = GapSerializer(many=True)
    silent = GapSerializer(many=True)
    silences = SilenceSerializer(many=True, help_text="nodes that were not heard: the first 500, those that last first")


class ExplainedSerializer(serializers.Serializer[Any]):
    """A part of a difference with its cause."""

    cause = serializers.CharField()
    tokens = serializers.CharField()


class ResidualSerializer(serializers.Serializer[Any]):
    """Both witnesses of one deployment, model and class."""

    at = serializers.DateTimeField(allow_null=True, help_text="the hour; null in total")
    deployment = serializers.CharField()
    model = serializers.CharField()
    engine = serializers.CharField()
    gateway = serializers.CharField()
    difference = serializers.CharField(help_text="engine minus gateway")
    explained = ExplainedSerializer(many=True)
    unexplained = serializers.CharField()
    unexplained_permille = serializers.IntegerField(help_text="of the larger witness, rounded up")
    billed_by = serializers.CharField(help_text="the witness that bills; empty without a contract")
    tolerance_percent = serializers.CharField(help_text="what may stay unexplained")
    quarantined = serializers.CharField(help_text="held back from the engine's count")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `class`, which is no name in Python."""
        return {**super().get_fields(), "class": serializers.CharField(help_text="what was counted")}


class ResidualsSerializer(PageSerializer):
    """Residuals of a window."""

    granularity = serializers.CharField()
    residuals = ResidualSerializer(many=True)
