"""Shapes of what programs send: a field that a shape does not have is refused by name, and never left out silently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class ClosedSerializer(serializers.Serializer[Any]):
    """A body, or an object within one, that has the fields of this shape and no other."""

    def to_internal_value(self, data: Any) -> Any:
        """Return what was sent as the fields say. Raises ValidationError, which names each unknown field."""
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(name for name, field in self.fields.items() if not field.read_only)
                raise serializers.ValidationError(
                    {name: [f"There is no such field here; expected {known}."] for name in sorted(unknown)}
                )
        return super().to_internal_value(data)
