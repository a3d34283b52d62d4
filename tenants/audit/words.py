"""What an entry changed, field by field."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from portal.punctuation import joined

TEXT_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it was and what it is; empty where there was or is nothing."""

    field: str
    before: str
    after: str


def changes(before: object, after: object) -> list[Change]:
    """Return the fields that differ, in the order of what is kept; what is no object is one field without name."""
    was, now = _fields(before), _fields(after)
    names = [*now, *(name for name in was if name not in now)]
    return [
        Change(name, _text(was.get(name)), _text(now.get(name))) for name in names if was.get(name) != now.get(name)
    ]


def _fields(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def _text(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = joined(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
