"""The marks between parts of a line that no one message holds, in the language that is active in this thread."""

from collections.abc import Iterable

from django.utils.translation import get_language

from portal.figures import listed, locale_for, mark


def between(name: str) -> str:
    """The mark of a name, such as ``colon``, as `portal.figures.mark` has it."""
    return mark(name, locale_for(get_language() or "en"))


def joined(words: Iterable[str]) -> str:
    """Words one after another: a, b or a、b."""
    return listed(words, locale_for(get_language() or "en"))


def one_after_another(sentences: Iterable[str]) -> str:
    """Whole sentences on one line: a full-width full stop brings its own room. Empty ones are left out."""
    return between("sentence").join(filter(None, sentences))
