"""Sentences that can be said in another language later: English words with named values, kept apart until read.

Domain code says why it refuses something without knowing who reads it. An API answers with the English text; a page
says the same in its reader's language (`tenants.telling.told`). Every sentence is a message of its app's catalogue.
"""

from collections.abc import Mapping
from typing import Any, Self


class Sentence(str):
    """English text that remembers its words (`template`, with `%(name)s` for values) and its `values`."""

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, values: dict[str, object]) -> Self:
        """Return the text in English."""
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made


def sentence(template: str, /, **values: object) -> Sentence:
    """Return a sentence of words that are a literal where this is called, so that the catalogues find them.

    A value may be a sentence: it is said in the reader's language too.
    """
    return Sentence(template, values)


def kept(text: object) -> Any:
    """Return a text as JSON keeps it: a sentence as its words and values, so that it can still be said in any language.

    `said_again` reads it back.
    """
    if not isinstance(text, Sentence):
        return str(text)
    return {"words": text.template, "values": {name: kept(value) for name, value in text.values.items()}}


def said_again(found: Any) -> str:
    """Return the text that `kept` kept: a sentence, or words that were none."""
    if not isinstance(found, Mapping):
        return str(found)
    return Sentence(found["words"], {name: said_again(value) for name, value in found["values"].items()})
