"""Sentences that can be said in another language later: English words with named values, kept apart until read.

Domain code says why it refuses something without knowing who reads it. An API answers with the English text; a page
says the same in its reader's language (`tenants.telling.told`). Every sentence is a message of its app's catalogue.
"""

from collections.abc import Iterable, Mapping
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


class Name(str):
    """What programs call a field or one of its choices; people are told what their page calls it.

    `field` is the field, `value` the choice of it that is meant, if one is; programs read `text`, else both.
    """

    __slots__ = ("field", "value")

    field: str
    value: str

    def __new__(cls, field: str, value: str = "", *, text: str = "") -> Self:
        """Return what programs read: the field and its choice, with a space between, unless `text` is given."""
        made = super().__new__(cls, text or f"{field} {value}".rstrip())
        made.field, made.value = field, value
        return made


class Names(str):
    """Several choices of a field, as programs write them with commas between; people are told each as it is called."""

    __slots__ = ("names",)

    names: tuple[Name, ...]

    def __new__(cls, field: str, values: Iterable[str]) -> Self:
        """Return the choices as programs write them."""
        names = tuple(Name(field, value, text=value) for value in values)
        made = super().__new__(cls, ", ".join(names))
        made.names = names
        return made


class Listed(str):
    """Texts one after another, as programs read them with commas between; people, by the marks of their language."""

    __slots__ = ("texts",)

    texts: tuple[str, ...]

    def __new__(cls, texts: Iterable[str]) -> Self:
        """Return the texts as programs read them."""
        kept = tuple(map(str, texts))
        made = super().__new__(cls, ", ".join(kept))
        made.texts = kept
        return made


class ForPrograms(str):
    """Text that is of use to programs alone, such as JSON: people are told `people` instead, words as a sentence."""

    __slots__ = ("people",)

    people: str

    def __new__(cls, text: str, people: str) -> Self:
        """Return the text as programs read it."""
        made = super().__new__(cls, text)
        made.people = people
        return made


def sentence(template: str, /, **values: object) -> Sentence:
    """Return a sentence of words that are a literal where this is called, so that the catalogues find them.

    A value may be a sentence: it is said in the reader's language too; so may a name (`Name`), as the page calls it.
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
