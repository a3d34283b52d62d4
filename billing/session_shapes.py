"""Shapes of the API of sessions, take-backs and volumes."""

from typing import Any

from rest_framework import serializers

from billing.lease_shapes import INSTANT
from billing.rating.on_demand import STATES
from billing.sessions import FIRST_STATES
from billing.volumes import GIGABYTES_MAX
from clusters.capacity import COUNT_MAX
from clusters.models import SliceKind
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

NOW = f"{INSTANT}; now if left out"


class StartSessionSerializer(ClosedSerializer):
    """Slices to take under a term; `name` is the caller's own, and the same name is the same session."""

    term = serializers.CharField(max_length=32, help_text="reference of a term on demand or on spot: D-0001")
    name = serializers.CharField(max_length=100)
    count = serializers.IntegerField(min_value=1, max_value=COUNT_MAX, default=1)
    model = serializers.CharField(max_length=100, default="", help_text="card model, where the term leaves it open")
    kind = serializers.ChoiceField(choices=SliceKind.choices, default=SliceKind.WHOLE)
    profile = serializers.CharField(max_length=32, default="", allow_blank=True, help_text="MIG profile: 1g.10gb")
    share_permille = serializers.IntegerField(min_value=1, max_value=1000, required=False, allow_null=True)
    state = serializers.ChoiceField(choices=FIRST_STATES, default=FIRST_STATES[1])
    at = serializers.CharField(max_length=40, required=False, help_text=NOW)


class SessionStateSerializer(ClosedSerializer):
    """The state that a session is in from an instant on."""

    state = serializers.ChoiceField(choices=STATES)
    at = serializers.CharField(max_length=40, required=False, help_text=NOW)


class StopSessionSerializer(ClosedSerializer):
    """When a session ends."""

    at = serializers.CharField(max_length=40, required=False, help_text=NOW)


class TakeBackSerializer(ClosedSerializer):
    """A spot session to take back; an instant to come is the notice, given with this call."""

    session_id = serializers.UUIDField(source="session")
    at = serializers.CharField(max_length=40, required=False, help_text=NOW)


class SessionSerializer(serializers.Serializer[Any]):
    """A session; `to` is null while nobody has ended it."""

    id = serializers.UUIDField()
    term = serializers.CharField()
    kind = serializers.ChoiceField(choices=["on_demand", "spot"])
    contract = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField()
    count = serializers.IntegerField()
    state = serializers.CharField(help_text="the last that was said of it; empty once it is over")
    ending = serializers.CharField(help_text="stopped, taken_back or term_ended; empty while it runs")
    noticed_at = serializers.DateTimeField(allow_null=True, help_text="null: it was not announced")

    def get_fields(self) -> dict[str, "serializers.Field[Any, Any, Any, Any]"]:
        """Return the fields with the span's two."""
        span: dict[str, serializers.Field[Any, Any, Any, Any]] = {
            "from": serializers.DateTimeField(),
            "to": serializers.DateTimeField(allow_null=True),
        }
        return {**super().get_fields(), **span}


class SessionsSerializer(PagedSerializer):
    """Sessions, the last begun first."""

    sessions = SessionSerializer(many=True)


class VolumeSizeSerializer(ClosedSerializer):
    """How big a volume is from an instant on; 0 deletes it."""

    term = serializers.CharField(max_length=32, help_text="reference of a storage term: B-0001")
    volume = serializers.CharField(max_length=100)
    gigabytes = serializers.IntegerField(min_value=0, max_value=GIGABYTES_MAX, help_text="of 10**9 bytes")
    at = serializers.CharField(max_length=40, required=False, help_text=NOW)


class VolumeSerializer(serializers.Serializer[Any]):
    """A volume as it was said last."""

    term = serializers.CharField()
    contract = serializers.CharField()
    volume = serializers.CharField()
    gigabytes = serializers.IntegerField()
    at = serializers.DateTimeField()


class VolumesSerializer(PagedSerializer):
    """The volumes that there are."""

    volumes = VolumeSerializer(many=True)
