"""A refused proposal said at the field of the form that it is about, and above the form where it is about none."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from billing.pages.contract_words import field_words, kind_words, value_words
from billing.pages.local_inputs import LocalInput
from billing.pages.row_fields import NOTHING
from billing.pages.term_values import VALUES
from portal.punctuation import between, joined
from tenants.sentences import ForPrograms, Name, Sentence
from tenants.telling import with_example

if TYPE_CHECKING:
    from django import forms

from tenants.problems import Problem

_CHANGE: Final = re.compile(r"^changes\[\d+\]\.?")
_SEGMENT: Final = re.compile(r"^(\w+)(?:\[(\d+)\])?$")
_LINE: Final = re.compile(r"^document line (\d+)(?:, (\w+))?$")
_ELSEWHERE: Final = {"effective_at": "day", "period_from": "what", "term": "what"}
"""What the form of a single fact calls a field otherwise than the fact."""
_NAMES: Final = {"slices": "cards", "from_at": "begins_at", "to_at": "ends_at"}
"""What a form calls a field otherwise than a proposal, where it has none of the proposal's name."""


def called(name: Name) -> str:
    """Return what forms call a field, or one of its choices."""
    if name.field == "kind":
        return f"“{kind_words(name.value)}”"
    label, choice = field_words(name.field), value_words(name.field, name.value)
    if not choice:
        return f"“{label}”"
    # A choice that programs name without its field is told alone.
    alone = not name.startswith(name.field)
    said = choice if alone else _("%(field)s: %(reason)s") % {"field": label, "reason": choice}
    return f"“{said}”"


def refused_words(reason: object, example: object) -> str:
    """Return why something is refused and what a right one looks like, in the words of forms."""
    return with_example(reason, _example(example), called)


def refused_above(problem: Problem) -> str:
    """Return why something is refused where no field of it is on the page: what it is about, the reason, an example."""
    said = refused_words(problem.said, problem.example)
    about = _CHANGE.sub("", str(problem.extra.get("field") or "")).removeprefix("wording.").removeprefix("wording")
    if not about or said.startswith(about):
        return said
    words = field_words(about)
    return _("%(field)s: %(reason)s") % {"field": f"{words[:1].upper()}{words[1:]}", "reason": said}


def say_refused(problem: Problem, *forms_of_it: forms.Form) -> None:
    """Add what is wrong to the form that has the field, else above the last form: the reason, with an example.

    The last form is that of a change; those before it say the header. Of an entry of a table it says which row.
    """
    said, path = refused_words(problem.said, problem.example), str(problem.extra.get("field") or "")
    inside = _CHANGE.sub("", path)
    for form in forms_of_it if inside == path else forms_of_it[-1:]:
        name = _name_of(inside, form)
        if name:
            form.add_error(name, _in_rows(inside, said))
            widget = form.fields[name].widget
            if isinstance(widget, LocalInput):
                widget.take_text()  # the example has an offset
            return
    forms_of_it[-1].add_error(None, said)


def say_at_field(form: forms.Form, problem: Problem) -> None:
    """Add why a single fact is refused to the field that it is about: the reason, with an example.

    Of a document it says which line; a field that the form does not have is named above the form.
    """
    said, field = refused_words(problem.said, problem.example), str(problem.extra.get("field") or "")
    line = _LINE.match(field)
    if line:
        named = _("Line %(number)s, %(part)s: %(reason)s") if line[2] else _("Line %(number)s: %(reason)s")
        field, said = "document", named % {"number": line[1], "part": field_words(line[2] or ""), "reason": said}
    name = _ELSEWHERE.get(field, field)
    if name in form.fields:
        form.add_error(name, said.removeprefix(f"{field}: "))
    else:
        form.add_error(
            None, f"{field_words(field)}{between('colon')}{said}" if field and not said.startswith(field) else said
        )


def _example(example: object) -> object:
    """Return an example as a form takes it: JSON without its marks, of a list of entries each part with its label."""
    if not isinstance(example, str) or isinstance(example, Sentence | Name | ForPrograms):
        return example
    try:
        found = json.loads(example, parse_float=str)
    except ValueError:
        return example
    return _plain(found)


def _plain(found: Any) -> str:
    match found:
        case bool():
            return str(VALUES["true" if found else "false"])
        case None:
            return _("nothing")
        case dict():
            said = [f"{field_words(name)} {value_words(name, _plain(each))}" for name, each in found.items()]
            return joined(said)
        case list() if any(isinstance(each, dict) for each in found):
            return "; ".join(_plain(each) for each in found)
        case list():
            return ", ".join(NOTHING if each is None else _plain(each) for each in found)
        case _:
            return str(found)


def _name_of(path: str, form: forms.Form) -> str:
    """Return what a form calls the field at a path of a proposal: the longest part of the path that it has one for."""
    plain = re.sub(r"\[\d+\]", "", path.replace("wording.", "w-", 1))
    parts = plain.split(".")
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    names += [_NAMES[name] for name in names if name in _NAMES]
    found = next((name for name in names if name in form.fields), "")
    # Of what the form asks for part by part, the first part.
    return found or next((name for name in form.fields if plain and name.startswith(f"{plain}.")), "")


def _in_rows(path: str, said: str) -> str:
    """Return what is said with the rows of tables, and of tables in them, that a path leads through."""
    found = [_SEGMENT.match(each) for each in path.split(".")]
    for outer, inner in reversed(list(pairwise(found))):
        if outer and inner and outer[2] is not None:
            words = {"number": int(outer[2]) + 1, "part": field_words(inner[1]), "reason": said}
            said = _("Row %(number)s, %(part)s: %(reason)s") % words
    return said
