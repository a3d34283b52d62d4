"""Marks of the script that a document is written in."""

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


def in_script(words: str, language: Language) -> str:
    """Return words with the marks of their script: between Chinese words they are as wide as those.

    The words are those of the source, before names and figures are put in, which keep theirs.
    """
    return words.translate(WIDE) if language is Language.ZH else words
