"""The shapes of wordings as the OpenAPI document says them: made of the structs that read them, one for each kind."""

from __future__ import annotations

import inspect
from typing import Any, Final, Union

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.rating.kinds import KINDS

REFS: Final = "#/components/schemas/"
NAME: Final = "Wording"


@extend_schema_field({"$ref": f"{REFS}{NAME}"})
class WordingField(serializers.DictField):
    """What a term says, of any kind; the structs read it, so that a refusal names the field within it."""


def wording_shapes() -> dict[str, Any]:
    """Return the shapes of every kind of wording and of what they hold, by name; `Wording` is any of them.

    The parts' names begin with `Wording`, so that none is that of another shape of the document.
    """
    kinds: Any = Union[tuple(kind.wording for kind in KINDS.values())]  # noqa: UP007  made of a tuple
    (any_kind,), parts = msgspec.json.schema_components([kinds], ref_template=f"{REFS}{{name}}")
    found: dict[str, Any] = _renamed({**parts, NAME: any_kind})
    found[NAME]["description"] = "What a term says: `kind`, and the fields of that kind."
    return {_name(name): shape for name, shape in found.items()}


def _renamed(part: Any) -> Any:
    if isinstance(part, list):
        return [_renamed(each) for each in part]
    if isinstance(part, dict):
        return {key: _renamed(value) for key, value in part.items() if key != "title"}
    if isinstance(part, str) and part.startswith(REFS):
        return REFS + _name(part.removeprefix(REFS))
    return inspect.cleandoc(part) if isinstance(part, str) and "\n" in part else part


def _name(given: str) -> str:
    """`LeaseWording` and `Wording` stay; `Step` is `WordingStep`, `a.share_words.Tier` is `WordingShareWordsTier`."""
    if given.endswith(NAME):
        return given
    *path, name = given.split(".")
    return NAME + "".join(each.title() for each in path[-1].split("_")) + name if path else NAME + name
