"""Reads bank statements of ISO 20022, camt.053, any version: booked movements by account.

Source of names: the message definition of camt.053 (BankToCustomerStatement). Versions to .07 write a status and a
party's name as text, later ones one level deeper; both are read. Namespaces are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

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
from tenants.sentences import ForPrograms, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BOOKED: Final = "BOOK"
NO_REFERENCES: Final = frozenset({"NONREF", "NOTPROVIDED", "NOT PROVIDED", "UNKNOWN"})
_AMOUNT = re.compile(rf"\d{{1,{AMOUNT_DIGITS_MAX}}}(?:\.\d{{1,5}})?")
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)


class _Faulty(Exception):
    """An entry that cannot be read; the message says what is expected."""


def read_camt(content: bytes) -> tuple[AccountStatement, ...]:
    """Return the statements of a file. Raises UnreadableStatement for one that is none, too large or adds up wrong.

    An entry that cannot be read is a fault of its statement, beside the others.
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        raise UnreadableStatement(
            sentence(
                "The file has %(count)s bytes; at most %(most)s are read.", count=len(content), most=DOCUMENT_BYTES_MAX
            )
        )
    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as broken:
        raise UnreadableStatement(
            sentence("The file is no XML that is read here: it declares a document type or entities.")
        ) from broken
    except (ParseError, ValueError, LookupError) as broken:
        people = sentence("it is cut off, or was changed since the bank wrote it.")
        raise UnreadableStatement(
            sentence("The file is no XML that is read here: %(broken)s", broken=ForPrograms(f"{broken}", people))
        ) from broken
    found = [one for parent in _children(root, "BkToCstmrStmt") for one in _children(parent, "Stmt")]
    if not found:
        raise UnreadableStatement(
            sentence("The file has no Document/BkToCstmrStmt/Stmt: expected a camt.053 statement.")
        )
    if sum(len(_children(one, "Ntry")) for one in found) > ENTRIES_MAX:
        raise UnreadableStatement(
            sentence("The file has more than %(most)s entries; split it by days.", most=ENTRIES_MAX)
        )
    return tuple(_statement(one, place) for place, one in enumerate(found, 1))


def _statement(node: Element, place: int) -> AccountStatement:
    account = _text(node, "Acct/Id/IBAN") or _text(node, "Acct/Id/Othr/Id")
    if not account:
        raise UnreadableStatement(sentence("Stmt %(place)s: Acct/Id has neither IBAN nor Othr/Id.", place=place))
    entries: list[StatementEntry] = []
    faults: list[Fault] = []
    pending = 0
    booked = Decimal(0)
    occurrences: Counter[str] = Counter()
    for number, entry in enumerate(_children(node, "Ntry"), 1):
        where = f"Stmt {place}, Ntry {number}"
        if (_text(entry, "Sts/Cd") or _text(entry, "Sts") or BOOKED) != BOOKED:
            pending += 1
            continue
        try:
            booked += _signed(entry)
            entries.extend(_movements(entry, where, occurrences))
        except _Faulty as faulty:
            faults.append(Fault(where, faulty.args[0]))
    if not faults:
        _require_sum(node, place, booked)
    return AccountStatement(account.replace(" ", "").upper(), tuple(entries), tuple(faults), pending)


def _require_sum(node: Element, place: int, booked: Decimal) -> None:
    """A file that was cut off must not be taken for a whole one."""
    opening, closing = (_balance(node, codes) for codes in (_OPENING, _CLOSING))
    if opening is not None and closing is not None and opening + booked != closing:
        raise UnreadableStatement(
            sentence(
                "Stmt %(place)s: %(opening)s at the beginning and %(booked)s of entries do not make %(closing)s at "
                "the end.",
                place=place,
                opening=opening,
                booked=booked,
                closing=closing,
            )
        )


def _balance(node: Element, codes: Sequence[str]) -> Decimal | None:
    for balance in _children(node, "Bal"):
        if _text(balance, "Tp/CdOrPrtry/Cd") in codes:
            try:
                return _signed(balance)
            except _Faulty as faulty:
                raise UnreadableStatement(sentence("Bal: %(faulty)s", faulty=faulty)) from faulty
    return None


def _movements(entry: Element, where: str, occurrences: Counter[str]) -> Iterator[StatementEntry]:
    """An entry's movements: one for each of its transactions where their amounts make up the entry, else one."""
    whole = _signed(entry)
    details = [one for parent in _children(entry, "NtryDtls") for one in _children(parent, "TxDtls")]
    amounts = [_part(one, whole) for one in details]
    if len(details) > 1 and None not in amounts and sum(filter(None, amounts)) == whole:
        for number, (detail, amount) in enumerate(zip(details, amounts, strict=True), 1):
            assert amount is not None
            found = _movement(entry, (detail,), amount, f"{where}, TxDtls {number}")
            yield _named(found, entry, (detail,), number, occurrences)
    else:
        yield _named(_movement(entry, details, whole, where), entry, details, 0, occurrences)


def _movement(entry: Element, details: Sequence[Element], amount: Decimal, where: str) -> StatementEntry:
    incoming = amount > 0
    party, account = ("Dbtr", "DbtrAcct") if incoming else ("Cdtr", "CdtrAcct")
    names = [_text(one, f"RltdPties/{party}/Pty/Nm") or _text(one, f"RltdPties/{party}/Nm") for one in details]
    accounts = [
        _text(one, f"RltdPties/{account}/Id/IBAN") or _text(one, f"RltdPties/{account}/Id/Othr/Id") for one in details
    ]
    words = [text for one in details for text in _texts(one, "RmtInf/Ustrd")]
    words += [_text(one, "AddtlTxInf") for one in details] + [_text(entry, "AddtlNtryInf")]
    booked_on = _day(entry, "BookgDt")
    if booked_on is None:
        raise _Faulty(sentence("BookgDt/Dt: expected a day such as 2026-11-22."))
    return StatementEntry(
        place=where,
        reference="",
        booked_on=booked_on,
        value_on=_day(entry, "ValDt"),
        amount=amount,
        currency=_currency(entry),
        payer=next(filter(None, names), "")[:NAME_CHARACTERS_MAX],
        payer_account=next(filter(None, accounts), "").replace(" ", "")[:NAME_CHARACTERS_MAX],
        structured=" ".join(text for one in details for text in _texts(one, "RmtInf/Strd/CdtrRefInf/Ref"))[
            :REFERENCE_CHARACTERS_MAX
        ],
        end_to_end=next((one for one in (_own(each, "Refs/EndToEndId") for each in details) if one), ""),
        text=" ".join(filter(None, words))[:TEXT_CHARACTERS_MAX],
        is_return=_text(entry, "RvslInd") == "true",
    )


def _named(
    found: StatementEntry, entry: Element, details: Sequence[Element], number: int, occurrences: Counter[str]
) -> StatementEntry:
    """Give a movement its reference: the bank's own id, else a digest of what it says and its place among its like."""
    own = _own(details[0], "Refs/AcctSvcrRef") if len(details) == 1 or number else ""
    whole = _own(entry, "AcctSvcrRef")
    reference = own if own and own != whole else f"{whole}/{number}" if whole and number else whole
    if not reference:
        digest = fingerprint(found)
        occurrences[digest] += 1
        reference = f"{digest}/{occurrences[digest]}"
    return replace(found, reference=reference)


def _part(detail: Element, whole: Decimal) -> Decimal | None:
    """The amount of one transaction of an entry; None where the file does not say it in the entry's currency."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        text = _text(detail, path)
        if _AMOUNT.fullmatch(text):
            way = _text(detail, "CdtDbtInd")
            minus = way == "DBIT" if way else whole < 0
            return -Decimal(text) if minus else Decimal(text)
    return None


def _signed(node: Element) -> Decimal:
    text, way = _text(node, "Amt"), _text(node, "CdtDbtInd")
    if not _AMOUNT.fullmatch(text):
        raise _Faulty(sentence("Amt: found %(text)s; expected an amount such as 123.45.", text=repr(text[:40])))
    if way not in ("CRDT", "DBIT"):
        raise _Faulty(sentence("CdtDbtInd: found %(way)s; expected CRDT or DBIT.", way=repr(way[:40])))
    return Decimal(text) if way == "CRDT" else -Decimal(text)


def _currency(entry: Element) -> str:
    [amount] = _children(entry, "Amt")[:1]
    return amount.get("Ccy", "")[:3]


def _day(node: Element, name: str) -> date | None:
    text = _text(node, f"{name}/Dt") or _text(node, f"{name}/DtTm")[:10]
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _own(node: Element, path: str) -> str:
    """A bank's or payer's id; words for "none" are none."""
    text = _text(node, path)
    return "" if text.upper() in NO_REFERENCES else text[: REFERENCE_CHARACTERS_MAX - 10]


def _text(node: Element, path: str) -> str:
    return next(iter(_texts(node, path)), "")


def _texts(node: Element, path: str) -> list[str]:
    nodes = [node]
    for name in path.split("/"):
        nodes = [child for parent in nodes for child in _children(parent, name)]
    return [text for one in nodes if (text := " ".join((one.text or "").split()).replace("\0", ""))]


def _children(node: Element, name: str) -> list[Element]:
    return [child for child in node if child.tag == name or child.tag.endswith(f"}}{name}")]
