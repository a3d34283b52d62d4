"""The marks between parts of a line that no one message holds, in the language that is active in this thread."""

from collections.abc import Iterable

from portal.figures import listed, mark
from portal.locales import active_locale


def between(name: str) -> str:
    """The mark of a name, such as ``colon``, as `portal.figures.mark` has it."""
    return mark(name, active_locale())


def joined(words: Iterable[str]) -> str:
    """Words one after another: a, b or a、b."""
    return listed(words, active_locale())


def one_after_another(sentences: Iterable[str]) -> str:
    """Whole sentences on one line: a full-width full stop brings its own room. Empty ones are left out."""
    return between("sentence").join(filter(None, sentences))
