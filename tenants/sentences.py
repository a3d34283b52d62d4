"""Sentences that can be said in another language later: English words with named values, kept apart until read.

Domain code says why it refuses something without knowing who reads it. An API answers with the English text; a page
says the same in its reader's language (`tenants.telling.told`). Every sentence is a message of its app's catalogue.
"""

from typing import Self


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
