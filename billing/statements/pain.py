"""Writing transfers to be sent by a bank as ISO 20022 pain.001.001.09: one payment block, its transfers in order.

The order of elements and the lengths of texts are those of the message's schema; for euro the narrower rules of SEPA
credit transfers hold too (service level, charges shared, letters that every bank takes).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from billing.money import exact_sum, minor_digits, round_to_minor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
NAME_CHARACTERS_MAX: Final = 70
ID_CHARACTERS_MAX: Final = 35
WORDS_CHARACTERS_MAX: Final = 140
SEPA_CURRENCY: Final = "EUR"
SEPA_AMOUNT_MAX: Final = Decimal("999999999.99")
"""The most that one credit transfer of SEPA can be of."""
NOT_IN_SEPA: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")

Tree = tuple[str, "str | Sequence[Tree]"]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, with its IBAN and, where known, the BIC of its bank."""

    name: str
    iban: str
    bic: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer: `end_to_end_id` comes back on the bank's statement."""

    end_to_end_id: str
    to: Holder
    amount: Decimal
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All transfers of one file, in one currency, from one account on one day."""

    message_id: str
    made_at: datetime
    execute_on: date
    payer: Holder
    currency: str
    transfers: tuple[Transfer, ...]

    @property
    def control_sum(self) -> Decimal:
        """What the transfers come to."""
        return exact_sum(one.amount for one in self.transfers)


def write_pain(order: Order) -> bytes:
    """Return the file: a function of the order and of nothing else."""
    assert order.transfers
    assert len(order.message_id) <= ID_CHARACTERS_MAX
    count, total = str(len(order.transfers)), _amount(order.control_sum, order.currency)
    is_sepa = order.currency == SEPA_CURRENCY
    made_at = order.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    initiation: Tree = (
        "CstmrCdtTrfInitn",
        [
            (
                "GrpHdr",
                [
                    ("MsgId", order.message_id),
                    ("CreDtTm", made_at),
                    ("NbOfTxs", count),
                    ("CtrlSum", total),
                    ("InitgPty", [("Nm", _name(order.payer.name, is_sepa=is_sepa))]),
                ],
            ),
            (
                "PmtInf",
                [
                    ("PmtInfId", order.message_id),
                    ("PmtMtd", "TRF"),
                    ("BtchBookg", "false"),
                    ("NbOfTxs", count),
                    ("CtrlSum", total),
                    *([("PmtTpInf", [("SvcLvl", [("Cd", "SEPA")])])] if is_sepa else []),
                    ("ReqdExctnDt", [("Dt", order.execute_on.isoformat())]),
                    ("Dbtr", [("Nm", _name(order.payer.name, is_sepa=is_sepa))]),
                    ("DbtrAcct", [("Id", [("IBAN", order.payer.iban)]), ("Ccy", order.currency)]),
                    ("DbtrAgt", [("FinInstnId", _bank(order.payer.bic))]),
                    ("ChrgBr", "SLEV" if is_sepa else "SHAR"),
                    *(_transfer(one, order.currency, is_sepa=is_sepa) for one in order.transfers),
                ],
            ),
        ],
    )
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}">'
    return f"{head}{_written(initiation)}</Document>\n".encode()


def _transfer(one: Transfer, currency: str, *, is_sepa: bool) -> Tree:
    assert one.end_to_end_id
    assert not is_sepa or one.amount <= SEPA_AMOUNT_MAX, one.end_to_end_id
    words = _letters(one.words, is_sepa=is_sepa)[:WORDS_CHARACTERS_MAX].strip()
    return (
        "CdtTrfTxInf",
        [
            ("PmtId", [("EndToEndId", one.end_to_end_id[:ID_CHARACTERS_MAX])]),
            ("Amt", [(f'InstdAmt Ccy="{currency}"', _amount(one.amount, currency))]),
            *([("CdtrAgt", [("FinInstnId", _bank(one.to.bic))])] if one.to.bic else []),
            ("Cdtr", [("Nm", _name(one.to.name, is_sepa=is_sepa))]),
            ("CdtrAcct", [("Id", [("IBAN", one.to.iban)])]),
            *([("RmtInf", [("Ustrd", words)])] if words else []),
        ],
    )


def _bank(bic: str) -> Sequence[Tree]:
    return [("BICFI", bic)] if bic else [("Othr", [("Id", "NOTPROVIDED")])]


def _name(name: str, *, is_sepa: bool) -> str:
    return _letters(name, is_sepa=is_sepa)[:NAME_CHARACTERS_MAX].strip() or "."


def _letters(text: str, *, is_sepa: bool) -> str:
    """Return a text in the letters that every bank of SEPA takes; outside of it as it is, without line ends."""
    if not is_sepa:
        return " ".join(text.split())
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("&", "+"))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return NOT_IN_SEPA.sub(".", " ".join(kept.split()))


def _amount(amount: Decimal, currency: str) -> str:
    assert amount > 0
    assert round_to_minor(amount, currency) == amount
    return f"{amount:.{minor_digits(currency)}f}"


def _written(tree: Tree) -> str:
    name, inside = tree
    body = escape(inside) if isinstance(inside, str) else "".join(map(_written, inside))
    return f"<{name}>{body}</{name.split(' ')[0]}>"
