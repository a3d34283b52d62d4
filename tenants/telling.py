"""Says to a person, in the language of the page, what domain code says in English."""

from django.utils.translation import gettext
from django.utils.translation import gettext as _

from tenants.problems import Problem
from tenants.sentences import Sentence


def told(text: object) -> str:
    """Return a text in the reader's language: a sentence with its values told too, anything else as it is."""
    if not isinstance(text, Sentence):
        return str(text)
    if not text.template:
        return ""
    words = gettext(text.template)
    return words % {name: told(value) for name, value in text.values.items()} if text.values else words


def refusal(problem: Problem) -> str:
    """Return why something is refused, for people: the reason, and what a right one looks like where that is known."""
    return with_example(problem.said, problem.example)


def with_example(reason: object, example: object) -> str:
    """Return a reason, and what a right one looks like where that is known."""
    if not example:
        return told(reason)
    return _("%(reason)s Example: %(example)s") % {"reason": told(reason), "example": told(example)}
