"""What a caller gave, held to the shape that a serializer says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rest_framework import serializers


def valid(shape: type[serializers.Serializer[Any]], given: object) -> dict[str, Any]:
    """Return what of a body or a query the shape has. Raises ValidationError, which is answered fault by fault."""
    serializer = shape(data=given)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
