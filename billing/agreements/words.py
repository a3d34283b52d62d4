"""What a wording says and how two of them differ, as rows of field and text: what parties read before they agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from billing.rating.wording import Wording, write_wording

HIDDEN = ("kind",)


@dataclass(frozen=True, slots=True)
class Said:
    """One field of a wording and what it says; `field` is a path such as `tiers[0].percent`."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that two wordings say differently; None where one of them says nothing."""

    field: str
    before: str | None
    after: str | None


def said_by(wording: Wording | None) -> tuple[Said, ...]:
    """Return the fields of a wording that say something else than what goes without saying; nothing of no wording."""
    if wording is None:
        return ()
    plain = {field.encode_name: field.default for field in msgspec.structs.fields(type(wording))}
    return tuple(
        said for said in _all(wording) if getattr(wording, _top(said.field), None) != plain.get(_top(said.field))
    )


def differences(before: Wording | None, after: Wording | None) -> tuple[Difference, ...]:
    """Return what two wordings say differently, in the order of their fields; of one alone what it says."""
    both = before is not None and after is not None
    old = {each.field: each.text for each in (_all(before) if both else said_by(before))}
    new = {each.field: each.text for each in (_all(after) if both else said_by(after))}
    return tuple(
        Difference(field, old.get(field), new.get(field))
        for field in dict.fromkeys([*old, *new])
        if old.get(field) != new.get(field)
    )


def _all(wording: Wording | None) -> list[Said]:
    document = write_wording(wording) if wording is not None else {}
    names = [name for name in document if name not in HIDDEN]
    return [Said(field, text) for name in names for field, text in _rows(name, document[name])]


def _top(field: str) -> str:
    return field.split(".")[0].split("[")[0]


def _rows(field: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _rows(f"{field}.{name}", each)
    elif isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        if value:
            yield field, ", ".join(str(each) for each in value)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _rows(f"{field}[{place}]", each)
    elif value is not None:
        yield field, str(value).lower() if isinstance(value, bool) else str(value)
