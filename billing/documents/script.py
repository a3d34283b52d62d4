"""Marks of the script that a document is written in."""

from collections.abc import Mapping
from typing import Final

from billing.documents.inputs import Language

WIDE: Final = str.maketrans(
    {
        ",": "\N{FULLWIDTH COMMA}",
        ";": "\N{FULLWIDTH SEMICOLON}",
        ":": "\N{FULLWIDTH COLON}",
        "(": "\N{FULLWIDTH LEFT PARENTHESIS}",
        ")": "\N{FULLWIDTH RIGHT PARENTHESIS}",
    }
)


def paper_in_script(said: Mapping[Language, Mapping[str, str]]) -> Mapping[Language, Mapping[str, str]]:
    """Return the words of a paper by name, in each language with the marks of its script."""
    return {
        language: {name: in_script(words, language) for name, words in by_name.items()}
        for language, by_name in said.items()
    }


def in_script(words: str, language: Language) -> str:
    """Return words with the marks of their script: between Chinese words they are as wide as those.

    The words are those of the source, before names and figures are put in, which keep theirs.
    """
    return words.translate(WIDE) if language is Language.ZH else words
