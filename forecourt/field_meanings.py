"""Puts what each field holds into the OpenAPI document, where no serializer says it.

What a field's own serializer says goes first, then the words for the field of its shape, then what the shape says that
it refers to, then the words for its name.
"""

from __future__ import annotations

import re
from typing import Any, Final

from billing.agreements.field_words import FIELD_WORDS as AGREEMENT_WORDS
from billing.field_words import FIELD_WORDS as MONEY_WORDS
from billing.usage_field_words import FIELD_WORDS as PRICE_WORDS
from clusters.field_words import FIELD_WORDS as FLEET_WORDS
from metering.field_words import FIELD_WORDS as USAGE_WORDS
from tenants.field_words import FIELD_WORDS as PEOPLE_WORDS

ALL_WORDS: Final = (PEOPLE_WORDS, FLEET_WORDS, USAGE_WORDS, AGREEMENT_WORDS, MONEY_WORDS, PRICE_WORDS)
"""Of every floor; no two say the same key."""
FIELD_WORDS: Final = {key: words for floor in ALL_WORDS for key, words in floor.items()}
BULLET: Final = "* `"
VALUE: Final = re.compile(r"^\* `([^`]*)` - (.*)$", re.MULTILINE)
"""How the description of an enumeration begins that has no words but its values."""


def describe_fields(shapes: dict[str, dict[str, Any]]) -> None:
    """Say in every shape what its fields hold."""
    for shape_name, shape in shapes.items():
        for name, field in shape.get("properties", {}).items():
            referred = _words_of_referred(field, shapes)
            words = FIELD_WORDS.get(f"{shape_name}.{name}", "")
            if not referred or referred.startswith(BULLET):
                words = words or FIELD_WORDS.get(name, "")
            if words and not field.get("description"):
                field["description"] = "\n\n".join(filter(None, (words, _meanings_of_values(referred))))


def _meanings_of_values(referred: str) -> str:
    """What the values of an enumeration mean, as drf-spectacular lists them; "" where it only names them."""
    values = VALUE.findall(referred)
    says_more = any(plain(meaning) != plain(value) for value, meaning in values)
    return referred if says_more else ""


def plain(words: str) -> str:
    """Return words as they compare: "In Transit" only names `in_transit`."""
    return re.sub(r"[^a-z0-9]+", " ", words.lower()).strip()


def _words_of_referred(field: dict[str, Any], shapes: dict[str, dict[str, Any]]) -> str:
    """What the shape that a field is says of itself; "" where it is none."""
    alone = field.get("allOf", [field])
    name = str(alone[0].get("$ref", "")).rpartition("/")[2] if len(alone) == 1 else ""
    return str(shapes.get(name, {}).get("description", ""))


def is_told(field: dict[str, Any], shapes: dict[str, dict[str, Any]]) -> bool:
    """Say whether a field has words: its own, or those of the shape that it refers to."""
    referred = _words_of_referred(field, shapes)
    return bool(field.get("description") or (referred and not referred.startswith(BULLET)))
