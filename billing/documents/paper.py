"""A document as it is set in type: every text of it, in order, with no figure left to be worked out.

A paper is what the page knows; `billing/documents/typst/paper.typ` lays it out and adds page numbers. Its texts are
data to Typst, never markup.
"""

from dataclasses import dataclass
from enum import StrEnum


class RowKind(StrEnum):
    """How a row of a table is set."""

    HEADING = "heading"
    LINE = "line"
    PART = "part"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether figures stand in it (set to the right)."""

    title: str
    figures: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: a text per column. `under` is set small under the first text."""

    kind: RowKind
    cells: tuple[str, ...]
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; `title` may be empty."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what it is of; `strong` where it is the one that matters."""

    label: str
    value: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A titled block: facts, then lines of text."""

    title: str
    facts: tuple[Fact, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A whole document. `size` is a4 or us-letter; `page_words` has `{page}` and `{pages}`; `link` may be empty."""

    language: str
    size: str
    title: str
    number: str
    author: str
    facts: tuple[Fact, ...]
    parties: tuple[Block, ...]
    headline: str
    headline_note: str = ""
    link: str = ""
    link_words: str = ""
    tables: tuple[Table, ...]
    totals: tuple[Fact, ...] = ()
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    footer: str
    page_words: str
