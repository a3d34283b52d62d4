"""Form fields for lists: words with commas between them, and rows of a table, one for each entry.

A table works without scripts: it has room for three rows more than there are, and empty rows are left out. An entry's
own list stands in one cell, its parts with spaces between them and its entries with semicolons.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.punctuation import between, joined

COMMAS: Final = re.compile("[,\N{FULLWIDTH COMMA}\N{IDEOGRAPHIC COMMA}]")
"""What people write between words, in either language."""
BLANK_ROWS: Final = 3
ROWS_MAX: Final = 1_000
CELL_MAX: Final = 2_000
WORDS_HINTED: Final = 2
NOTHING: Final = "–"
"""What stands for a part without a value in a list within a cell; a hyphen is read the same."""


class WordsField(forms.CharField):
    """A list of words, written with commas between them; the value is a list of str."""

    def __init__(self, **given: Any) -> None:
        """Take what a text field takes."""
        super().__init__(**{"max_length": CELL_MAX, "help_text": gettext_lazy("With commas between them."), **given})

    def prepare_value(self, value: Any) -> Any:
        """Show a list as it is written."""
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        """Return the words; an empty text is no value."""
        text: str = super().to_python(value) or ""
        return [word for part in COMMAS.split(text) if (word := part.strip())] if text else ""


class KnownWordsField(WordsField):
    """A list of words of which our code knows some: they are shown and read as people call them, or as they are.

    `known` gives each word what it is called.
    """

    def __init__(self, *, known: Mapping[str, str], **given: Any) -> None:
        said = _("With commas between them, such as: %(words)s") % {"words": between("comma").join(known.values())}
        super().__init__(**{"help_text": said, **given})
        self.known = dict(known)
        self.words = {name.casefold(): word for word, called in known.items() for name in (word, called)}

    def prepare_value(self, value: Any) -> Any:
        """Show a list in the reader's words, and what was typed as it was typed."""
        if isinstance(value, list | tuple):
            value = [self.known.get(each, each) for each in value]
        return super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        """Return the words as our code has them; one that nobody knows as it was typed."""
        found = super().to_python(value)
        return [self.words.get(each.casefold(), each) for each in found] if found else found


class JsonField(forms.CharField):
    """A list or an object of a shape that no table shows, written as JSON."""

    def prepare_value(self, value: Any) -> Any:
        """Show a value as JSON, and what was typed as it was typed."""
        return json.dumps(value) if isinstance(value, list | dict) else value

    def to_python(self, value: Any) -> Any:
        """Return what is written; an empty text is no value."""
        text = super().to_python(value)
        if not text:
            return ""
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValidationError(_("This is no JSON. Example: %(example)s") % {"example": "[]"}) from error


class NestedField(forms.CharField):
    """A list of entries within one cell: `0 10000 30; 10000 – 25`. The value is a list of dict by name."""

    def __init__(self, *, parts: Mapping[str, forms.Field], **given: Any) -> None:
        """Read the parts of each entry in the order of `parts`, each by its field."""
        super().__init__(**{"max_length": CELL_MAX, **given})
        self.parts = dict(parts)
        self.names = tuple(parts)

    def prepare_value(self, value: Any) -> Any:
        """Show a list as it is written."""
        if not isinstance(value, list | tuple):
            return value
        return "; ".join(" ".join(_part(entry.get(name)) for name in self.names) for entry in value)

    def to_python(self, value: Any) -> Any:
        """Return the entries; an empty text is no value. An entry of another length is refused."""
        text: str = super().to_python(value) or ""
        entries = [parts for entry in text.split(";") if (parts := entry.split())]
        for parts in entries:
            if len(parts) != len(self.names):
                raise ValidationError(
                    _("“%(found)s” has %(count)s parts, expected %(expected)s: %(names)s.")
                    % {
                        "found": " ".join(parts),
                        "count": len(parts),
                        "expected": len(self.names),
                        "names": joined(str(self.parts[name].label or name) for name in self.names),
                    }
                )
        return [
            {
                name: self.parts[name].clean(part)
                for name, part in zip(self.names, parts, strict=True)
                if part not in (NOTHING, "-")
            }
            for parts in entries
        ] or ""


def _part(value: Any) -> str:
    return NOTHING if value in (None, "") else str(value)


@dataclass(frozen=True)
class Column:
    """One part of every row: its name in the value, and the field that reads and shows it."""

    name: str
    field: forms.Field

    @property
    def hint(self) -> str:
        """The order of an entry's parts, where the cell holds a list of its own; or words that it knows."""
        known = [*getattr(self.field, "known", {}).values()][:WORDS_HINTED]
        if known:
            return _("such as: %(words)s") % {"words": between("comma").join(known)}
        labels = [str(part.label) for part in getattr(self.field, "parts", {}).values()]
        return joined(labels)


class RowsWidget(forms.Widget):
    """A table of inputs; a cell is sent as `<name>.<row>.<part>`."""

    template_name = "billing/widgets/rows.html"
    use_fieldset = True

    def __init__(self, columns: Sequence[Column], label: str) -> None:
        """Show these columns; `label` says to those who cannot see it what the table is."""
        super().__init__()
        self.columns, self.label = tuple(columns), label

    def id_for_label(self, id_: str) -> str:  # noqa: ARG002  Django gives it
        """A table is named by its legend."""
        return ""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[dict[str, Any]]:
        """Return the rows that were sent, up to the first number of which nothing was."""
        rows: list[dict[str, Any]] = []
        for number in count():
            row = {column.name: _sent(column, data, files, f"{name}.{number}.{column.name}") for column in self.columns}
            if number >= ROWS_MAX or not any(key.startswith(f"{name}.{number}.") for key in data):
                return rows
            rows.append(row)
        raise AssertionError("numbers do not end")

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:  # noqa: ARG002  Django gives it
        """Whether no row was sent at all."""
        return not any(key.startswith(f"{name}.0.") for key in data)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Return the rows there are and three empty ones, cell by cell."""
        rows = [*(value or []), *({} for _blank in range(BLANK_ROWS))]
        context = super().get_context(name, None, attrs)
        context["widget"] |= {
            "label": self.label,
            "columns": [{"label": column.field.label, "hint": column.hint} for column in self.columns],
            "rows": [
                [_cell(column, f"{name}.{number}.{column.name}", row, number) for column in self.columns]
                for number, row in enumerate(rows)
            ],
        }
        return context


def _sent(column: Column, data: Mapping[str, Any], files: Any, name: str) -> Any:
    return column.field.widget.value_from_datadict(data, files, name)


def _cell(column: Column, name: str, row: Mapping[str, Any], number: int) -> SafeString:
    said = column.field.prepare_value(row.get(column.name, column.field.initial if not row else None))
    label = _("%(label)s, row %(number)s") % {"label": column.field.label, "number": number + 1}
    shown: SafeString = column.field.widget.render(name, said, {"id": f"id_{name}", "aria-label": label})
    return shown


class RowsField(forms.Field):
    """A list of entries with the same parts; the value is a list of dict by name, without parts left empty."""

    def __init__(self, *, columns: Sequence[Column], **given: Any) -> None:
        """Read rows of these columns."""
        super().__init__(
            widget=RowsWidget(columns, str(given.get("label", ""))),
            help_text=gettext_lazy("Empty rows are left out; saved, there is room for three more."),
            **given,
        )
        self.columns = tuple(columns)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other rows were sent than there were."""
        return bool(self._filled(data) != (initial or []))

    def clean(self, value: Any) -> Any:
        """Return the rows that say something; no row at all is no value. What is wrong is named by row and part."""
        rows: list[dict[str, Any]] = []
        wrong: list[str] = []
        for number, row in enumerate(value or [], 1):
            if self._filled([row]):
                rows.append(self._read(row, number, wrong))
        if wrong:
            raise ValidationError(wrong)
        if self.required and not rows:
            raise ValidationError(self.error_messages["required"], code="required")
        return rows or ""

    def _read(self, row: Mapping[str, Any], number: int, wrong: list[str]) -> dict[str, Any]:
        """Return what a row says; what is wrong with it is added to `wrong`."""
        said: dict[str, Any] = {}
        for column in self.columns:
            try:
                part = column.field.clean(row.get(column.name))
            except ValidationError as error:
                words = {"number": number, "part": column.field.label, "reason": " ".join(error.messages)}
                wrong.append(_("Row %(number)s, %(part)s: %(reason)s") % words)
            else:
                if part not in ("", None):
                    said[column.name] = part
        return said

    def _filled(self, rows: Any) -> list[Any]:
        """The rows in which something was typed that an untouched row does not say."""
        typed = {column.name: _text(column.field.initial) for column in self.columns}
        return [
            row for row in rows or [] if any(_text(row.get(name)) not in ("", said) for name, said in typed.items())
        ]


def _text(value: Any) -> str:
    return "" if value is None or value is False or value == [] else str(value).strip()
