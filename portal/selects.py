"""A choice among hundreds, written at once: Django renders two templates for each option, 0.15 ms each."""

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.forms.renderers import BaseRenderer
from django.utils.html import format_html
from django.utils.safestring import SafeString

NO_PLACES: Final = frozenset(("Factory", "localtime"))
"""Among the names of time zones, those of no place: a clock that nobody set, and that of this machine."""

UNCHOSEN: Final = ("", "–")
"""First among choices of which one must be chosen: without it the first of all is sent by whoever looks away."""


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the names of all time zones of places in order; they are read from some 600 files."""
    return tuple(sorted(available_timezones() - NO_PLACES))


class LongSelect(forms.Select):
    """A select without groups; what it writes is what Django's own would, but for the space between tags."""

    def render(
        self,
        name: str,
        value: Any,
        attrs: Mapping[str, Any] | None = None,
        renderer: BaseRenderer | None = None,  # noqa: ARG002  a widget takes it
    ) -> SafeString:
        """Return the select with the chosen option."""
        widget = self.get_context(name, value, dict(attrs or {}))["widget"]
        chosen = set(self.format_value(value)[:1])
        written = SafeString("\n".join(_option(key, label, chosen) for key, label in self.choices))
        named = _attributes({"name": widget["name"], **widget["attrs"]})
        return format_html("<select{}>\n{}\n</select>", named, written)

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:  # noqa: ARG002
        """Return nothing: what Django would make of each option for its templates is not asked for."""
        return []


def _option(key: object, label: Any, chosen: set[str]) -> str:
    value = "" if key is None else str(key)
    said = label.__html__() if hasattr(label, "__html__") else escape(str(label))
    return f'<option value="{escape(value)}"{" selected" * (value in chosen)}>{said}</option>'


def _attributes(attrs: Mapping[str, Any]) -> SafeString:
    """Write attributes as Django's `attrs.html` does: True is an attribute without a value, False none."""
    written = (
        format_html(" {}", name) if value is True else format_html(' {}="{}"', name, value)
        for name, value in attrs.items()
        if value is not False
    )
    return SafeString("".join(written))
