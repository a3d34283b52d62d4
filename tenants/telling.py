"""Says to a person, in the language of the page, what domain code says in English.

Instants, which programs read as ISO 8601, are told in the time zone that the page has activated, with its name; where
it has none that is UTC. In an example they stay as they can be typed, with the offset of that zone.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext
from django.utils.translation import gettext as _

from portal.figures import moment
from portal.locales import active_locale
from portal.punctuation import joined
from tenants.problems import Problem
from tenants.sentences import ForPrograms, Listed, Name, Names, Sentence

Called = Callable[[Name], str]
"""What a page calls a field, or one of its choices."""


_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def told(text: object, called: Called = str) -> str:
    """Return a text in the reader's language: a sentence with its values told too, anything else as it is.

    `called` says what the page calls the fields that the text names; without it they are named as programs name them.
    """
    if isinstance(text, Name):
        return called(text)
    if isinstance(text, Names):
        return joined(map(called, text.names))
    if isinstance(text, Listed):
        return joined(text.texts)
    if isinstance(text, ForPrograms):
        return told(text.people, called)
    if not isinstance(text, Sentence):
        return str(text)
    if not text.template:
        return ""
    words = gettext(text.template)
    return words % {name: _value(value, called) for name, value in text.values.items()} if text.values else words


def _value(value: object, called: Called) -> str:
    """Return a value of a sentence; an instant by the clock of the page's zone."""
    said = told(value, called)
    if not _INSTANT.fullmatch(said):
        return said
    return moment(datetime.fromisoformat(said), get_current_timezone(), locale=active_locale())


def _typed(example: object, called: Called) -> str:
    """Return an example; its instants as they can be typed, alone with the offset of the page's zone."""
    if isinstance(example, Sentence) and example.values:
        return gettext(example.template) % {name: told(value, called) for name, value in example.values.items()}
    if type(example) is not str or not _INSTANT.fullmatch(example):
        return told(example, called)
    at = datetime.fromisoformat(example)
    local = at.astimezone(get_current_timezone())
    return example if local.utcoffset() == at.utcoffset() else local.isoformat()


def refusal(problem: Problem, called: Called = str) -> str:
    """Return why something is refused, for people: the reason, and what a right one looks like where that is known."""
    return with_example(problem.said, problem.example, called)


def with_example(reason: object, example: object, called: Called = str) -> str:
    """Return a reason, and what a right one looks like where that is known."""
    if not example:
        return told(reason, called)
    return _("%(reason)s Example: %(example)s") % {
        "reason": told(reason, called),
        "example": _typed(example, called),
    }
