"""The input of a local time: the browser's own, and plain text where what is typed has an offset from UTC.

A browser's own input has no room for an offset, which tells the two instants of a time that is twice apart; a value
with one would vanish from it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms

LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?")
"""What a browser's own input of local time can show."""


class LocalInput(forms.DateTimeInput):
    """An input of local time to the minute, or to the second with `step_s` 1."""

    input_type = "datetime-local"

    def __init__(self, *, step_s: int = 60) -> None:
        super().__init__(attrs={"step": str(step_s)}, format="%Y-%m-%dT%H:%M")

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Show what the browser's own input cannot hold as text."""
        context = super().get_context(name, value, attrs)
        widget: dict[str, Any] = context["widget"]
        shown = widget["value"]
        if self.input_type == "text" or (shown and not LOCAL.fullmatch(str(shown))):
            widget["type"] = "text"
            widget["attrs"] = {name: each for name, each in widget["attrs"].items() if name != "step"}
        return context

    def take_text(self) -> None:
        """Ask for text from now on: an offset is to be typed."""
        self.input_type = "text"
