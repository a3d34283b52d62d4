"""Message catalogues without gettext: compiling them, and comparing them with what the sources say."""

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

PYTHON_KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "sentence": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}

Message = tuple[str, str]
"""The context ("" for none) and the singular, which together name a message."""


def _messages(source: str, method: str) -> Iterator[Message]:
    stream = io.BytesIO(source.encode())
    for _line, found, _comments, context in extract(method, stream, keywords=PYTHON_KEYWORDS):
        singular = found if isinstance(found, str) else found[0]
        if singular:
            yield context or "", singular


def template_messages(source: str) -> set[Message]:
    """What one template asks to be translated."""
    # Django turns a template into calls of gettext between blanks; babel's lexer for JavaScript reads such calls
    # without asking that the rest be a program.
    return set(_messages(templatize(source), "javascript"))


def python_messages(source: str) -> set[Message]:
    """What one Python module asks to be translated."""
    return set(_messages(source, "python"))


def folder_messages(folder: Path) -> set[Message]:
    """What every module and every template below ``folder`` asks to be translated."""
    found: set[Message] = set()
    for file in sorted(folder.rglob("*.py")):
        found |= python_messages(file.read_text(encoding="utf-8"))
    for file in sorted(folder.rglob("*.html")):
        found |= template_messages(file.read_text(encoding="utf-8"))
    return found


def catalogue_messages(po_file: Path) -> dict[Message, bool]:
    """The messages of a catalogue, and whether each is translated (fuzzy ones are not)."""
    with po_file.open("rb") as stream:
        catalogue = read_po(stream)
    messages: dict[Message, bool] = {}
    for entry in catalogue:
        if entry.id:
            singular = entry.id if isinstance(entry.id, str) else entry.id[0]
            written = entry.string if isinstance(entry.string, str) else "".join(entry.string or ())
            messages[(entry.context or "", singular)] = bool(written) and not entry.fuzzy
    return messages


def compile_catalogue(po_file: Path) -> Path:
    """Writes the ``.mo`` file beside a ``.po`` file, as a whole, and returns it; several at once do not meet."""
    with po_file.open("rb") as stream:
        catalogue = read_po(stream)
    target = po_file.with_suffix(".mo")
    fresh = po_file.with_suffix(f".{uuid4().hex}.part")
    with fresh.open("wb") as stream:
        write_mo(stream, catalogue)
    fresh.replace(target)
    return target
