"""Reads bank statements as CSV files: one movement a row, columns by the names in the first row."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.banking.entries import (
    AMOUNT_DIGITS_MAX,
    DOCUMENT_BYTES_MAX,
    ENTRIES_MAX,
    NAME_CHARACTERS_MAX,
    REFERENCE_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    AccountStatement,
    Fault,
    StatementEntry,
    UnreadableStatement,
)
from billing.banking.fingerprints import fingerprint
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRED: Final = ("booked_on", "amount", "currency")
OPTIONAL: Final = (
    "entry_reference",
    "value_on",
    "payer",
    "payer_account",
    "reference",
    "end_to_end",
    "text",
)
_AMOUNT = re.compile(rf"-?\d{{1,{AMOUNT_DIGITS_MAX}}}(?:[.,]\d{{1,5}})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


class _Faulty(Exception):
    """A row that cannot be read; the message says what is expected."""


def read_csv(content: bytes, *, account: str) -> AccountStatement:
    """Return the movements of a file, which are all of one account.

    UTF-8, fields separated by commas or semicolons; days as 2026-11-22; amounts with a point or a comma before the
    cents, below zero where money went out. Raises UnreadableStatement for what is no such file; a row that cannot be
    read is a fault beside the others.
    """
    lines = io.StringIO(_decoded(content), newline="")
    first = lines.readline()
    lines.seek(0)
    reader = csv.reader(lines, delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        _require_columns(head)
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as broken:
        raise UnreadableStatement(
            sentence("Line %(line_num)s is no CSV: %(broken)s", line_num=reader.line_num, broken=broken)
        ) from broken
    if len(rows) > ENTRIES_MAX:
        raise UnreadableStatement(
            sentence(
                "The file has %(count)s rows; at most %(most)s are read. Split it by days.",
                count=len(rows),
                most=ENTRIES_MAX,
            )
        )
    entries: list[StatementEntry] = []
    faults: list[Fault] = []
    occurrences: Counter[str] = Counter()
    for line, row in rows:
        where = sentence("line %(number)s", number=line)
        try:
            entries.append(_named(_entry(dict(zip(head, row, strict=False)), where), occurrences))
        except _Faulty as faulty:
            faults.append(Fault(where, faulty.args[0]))
    return AccountStatement(account, tuple(entries), tuple(faults))


def _decoded(content: bytes) -> str:
    if len(content) > DOCUMENT_BYTES_MAX:
        raise UnreadableStatement(
            sentence(
                "The file has %(count)s bytes; at most %(most)s are read.", count=len(content), most=DOCUMENT_BYTES_MAX
            )
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        # A workbook or a PDF, as a bank offers them beside it.
        raise UnreadableStatement(
            sentence("The file is no text in UTF-8: expected CSV or camt.053, not a workbook or PDF.")
        ) from broken
    if "\0" in text:
        raise UnreadableStatement(sentence("The file holds a NUL character: it is no text."))
    return text


def _require_columns(head: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in head]
    if missing or len(set(head)) != len(head):
        raise UnreadableStatement(
            sentence(
                "The first row names %(head)s; expected %(required)s, each once, and as far as known %(optional)s.",
                head=", ".join(head)[:200] or "no columns",
                required=Listed(REQUIRED),
                optional=Listed(OPTIONAL),
            )
        )


def _entry(row: Mapping[str, str], where: str) -> StatementEntry:
    def text(name: str, most: int) -> str:
        return " ".join(row.get(name, "").split())[:most]

    amount, currency = text("amount", 40), text("currency", 10).upper()
    if not _AMOUNT.fullmatch(amount):
        raise _Faulty(
            sentence(
                "amount: found %(amount)s; expected such as 1234.50, without signs between thousands.",
                amount=repr(amount),
            )
        )
    if not _CURRENCY.fullmatch(currency):
        raise _Faulty(
            sentence("currency: found %(currency)s; expected three letters such as EUR.", currency=repr(currency))
        )
    if not Decimal(amount.replace(",", ".")):
        raise _Faulty(sentence("amount: 0 moves nothing."))
    return StatementEntry(
        place=where,
        reference=text("entry_reference", REFERENCE_CHARACTERS_MAX),
        booked_on=_day(text("booked_on", 40), "booked_on"),
        value_on=_day(text("value_on", 40), "value_on") if text("value_on", 40) else None,
        amount=Decimal(amount.replace(",", ".")),
        currency=currency,
        payer=text("payer", NAME_CHARACTERS_MAX),
        payer_account=text("payer_account", NAME_CHARACTERS_MAX).replace(" ", ""),
        structured=text("reference", REFERENCE_CHARACTERS_MAX),
        end_to_end=text("end_to_end", REFERENCE_CHARACTERS_MAX),
        text=text("text", TEXT_CHARACTERS_MAX),
    )


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Faulty(
            sentence("%(name)s: found %(text)s; expected a day such as 2026-11-22.", name=name, text=repr(text))
        ) from None


def _named(found: StatementEntry, occurrences: Counter[str]) -> StatementEntry:
    if found.reference:
        return found
    digest = fingerprint(found)
    occurrences[digest] += 1
    return replace(found, reference=f"{digest}/{occurrences[digest]}")
