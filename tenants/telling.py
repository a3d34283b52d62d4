"""Says to a person, in the language of the page, what domain code says in English."""

from collections.abc import Callable

from django.utils.translation import gettext
from django.utils.translation import gettext as _

from portal.punctuation import joined
from tenants.problems import Problem
from tenants.sentences import ForPrograms, Name, Names, Sentence

Called = Callable[[Name], str]
"""What a page calls a field, or one of its choices."""


def told(text: object, called: Called = str) -> str:
    """Return a text in the reader's language: a sentence with its values told too, anything else as it is.

    `called` says what the page calls the fields that the text names; without it they are named as programs name them.
    """
    if isinstance(text, Name):
        return called(text)
    if isinstance(text, Names):
        return joined(map(called, text.names))
    if isinstance(text, ForPrograms):
        return told(text.people, called)
    if not isinstance(text, Sentence):
        return str(text)
    if not text.template:
        return ""
    words = gettext(text.template)
    return words % {name: told(value, called) for name, value in text.values.items()} if text.values else words


def refusal(problem: Problem, called: Called = str) -> str:
    """Return why something is refused, for people: the reason, and what a right one looks like where that is known."""
    return with_example(problem.said, problem.example, called)


def with_example(reason: object, example: object, called: Called = str) -> str:
    """Return a reason, and what a right one looks like where that is known."""
    if not example:
        return told(reason, called)
    return _("%(reason)s Example: %(example)s") % {"reason": told(reason, called), "example": told(example, called)}
