"""Shapes of what programs send: a field that a shape does not have is refused by name, and never left out silently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

CHOICES_TOLD_MAX: Final = 40


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
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(self._with_choices(error.detail)) from error

    def _with_choices(self, found: Any) -> Any:
        """Return what is wrong by field, and of a word that is none of a field's choices, the choices."""
        for name, wrong in found.items() if isinstance(found, dict) else ():
            choices = getattr(self.fields.get(name), "choices", None)
            if choices and len(choices) <= CHOICES_TOLD_MAX:
                expected = f"Expected one of {', '.join(map(str, choices))}."
                found[name] = [
                    ErrorDetail(f"{each} {expected}", each.code) if each.code == "invalid_choice" else each
                    for each in wrong
                ]
        return found
