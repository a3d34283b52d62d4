"""Writing transfers to be sent by a bank as ISO 20022 pain.001.001.09: a block of SEPA's, a block of all others.

The order of elements and the lengths of texts are those of the message's schema. Euro between two accounts of SEPA's
countries goes by SEPA, whose narrower rules hold too: its service level, by which charges are borne (`SLEV`), and
letters that every bank takes. All else goes from bank to bank: each side bears its own bank's charges (`SHAR`, which is
all that EU law allows inside the EEA), the payee's bank is named, and both parties with their town and country, which
banks ask for across borders.
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
MESSAGE_ID_CHARACTERS_MAX: Final = ID_CHARACTERS_MAX - 2
"""Blocks are named after the message, with their place behind where there are two."""
WORDS_CHARACTERS_MAX: Final = 140
SEPA_CURRENCY: Final = "EUR"
SEPA_AMOUNT_MAX: Final = Decimal("999999999.99")
"""The most that one credit transfer of SEPA can be of."""
SEPA_COUNTRIES: Final = (
    "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE "
    "SI SK SM VA"
)
"""With what letters the IBANs of the area begin (European Payments Council, EPC409-09); territories have those of their
country."""
ADDRESS_LINE_CHARACTERS_MAX: Final = 70
ADDRESS_LINES_MAX: Final = 2
"""Beside a town and a country of their own no more lines are allowed."""
POSTCODE_CHARACTERS_MAX: Final = 16
TOWN_CHARACTERS_MAX: Final = 35
NOT_IN_SEPA: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")

Tree = tuple[str, "str | Sequence[Tree]"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a holder is; `country` is ISO 3166-1 alpha-2. Without a town it cannot be said to a bank."""

    lines: tuple[str, ...]
    postcode: str
    town: str
    country: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, with its IBAN and, where known, the BIC of its bank and an address."""

    name: str
    iban: str
    bic: str = ""
    address: Address | None = None


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


def is_sepa(currency: str, *ibans: str) -> bool:
    """Whether money goes by SEPA: euro, between accounts of its countries."""
    return currency == SEPA_CURRENCY and all(iban[:2].upper() in SEPA_COUNTRIES.split() for iban in ibans)


def write_pain(order: Order) -> bytes:
    """Return the file: a function of the order and of nothing else."""
    assert order.transfers
    assert len(order.message_id) <= MESSAGE_ID_CHARACTERS_MAX
    by_sepa = [one for one in order.transfers if is_sepa(order.currency, order.payer.iban, one.to.iban)]
    others = [one for one in order.transfers if not is_sepa(order.currency, order.payer.iban, one.to.iban)]
    names = ("-1", "-2") if by_sepa and others else ("", "")
    initiation: Tree = (
        "CstmrCdtTrfInitn",
        [
            (
                "GrpHdr",
                [
                    ("MsgId", order.message_id),
                    ("CreDtTm", order.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")),
                    *_counted(order, order.transfers),
                    ("InitgPty", [("Nm", _name(order.payer.name, sepa=bool(by_sepa)))]),
                ],
            ),
            *(
                _block(order, rows, f"{order.message_id}{name}", sepa=sepa)
                for rows, name, sepa in ((by_sepa, names[0], True), (others, names[1], False))
                if rows
            ),
        ],
    )
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}">'
    return f"{head}{_written(initiation)}</Document>\n".encode()


def _block(order: Order, transfers: Sequence[Transfer], name: str, *, sepa: bool) -> Tree:
    return (
        "PmtInf",
        [
            ("PmtInfId", name),
            ("PmtMtd", "TRF"),
            ("BtchBookg", "false"),
            *_counted(order, transfers),
            *([("PmtTpInf", [("SvcLvl", [("Cd", "SEPA")])])] if sepa else []),
            ("ReqdExctnDt", [("Dt", order.execute_on.isoformat())]),
            ("Dbtr", _party(order.payer, sepa=sepa)),
            ("DbtrAcct", [("Id", [("IBAN", order.payer.iban)]), ("Ccy", order.currency)]),
            ("DbtrAgt", [("FinInstnId", _bank(order.payer.bic))]),
            ("ChrgBr", "SLEV" if sepa else "SHAR"),
            *(_transfer(one, order.currency, sepa=sepa) for one in transfers),
        ],
    )


def _counted(order: Order, transfers: Sequence[Transfer]) -> list[Tree]:
    total = exact_sum(one.amount for one in transfers)
    return [("NbOfTxs", str(len(transfers))), ("CtrlSum", _amount(total, order.currency))]


def _transfer(one: Transfer, currency: str, *, sepa: bool) -> Tree:
    assert one.end_to_end_id
    assert not sepa or one.amount <= SEPA_AMOUNT_MAX, one.end_to_end_id
    assert sepa or one.to.bic, one.end_to_end_id
    words = _letters(one.words, sepa=sepa)[:WORDS_CHARACTERS_MAX].strip()
    return (
        "CdtTrfTxInf",
        [
            ("PmtId", [("EndToEndId", one.end_to_end_id[:ID_CHARACTERS_MAX])]),
            ("Amt", [(f'InstdAmt Ccy="{currency}"', _amount(one.amount, currency))]),
            *([("CdtrAgt", [("FinInstnId", _bank(one.to.bic))])] if one.to.bic else []),
            ("Cdtr", _party(one.to, sepa=sepa)),
            ("CdtrAcct", [("Id", [("IBAN", one.to.iban)])]),
            *([("RmtInf", [("Ustrd", words)])] if words else []),
        ],
    )


def _party(holder: Holder, *, sepa: bool) -> list[Tree]:
    """The holder's name and, where it goes across borders, the town and country with at most two lines more."""
    name: Tree = ("Nm", _name(holder.name, sepa=sepa))
    where = holder.address
    town = _letters(where.town, sepa=sepa)[:TOWN_CHARACTERS_MAX].strip() if where else ""
    if sepa or where is None or not town or not where.country:
        return [name]
    postcode = _letters(where.postcode, sepa=sepa)[:POSTCODE_CHARACTERS_MAX].strip()
    said = [_letters(line, sepa=sepa)[:ADDRESS_LINE_CHARACTERS_MAX].strip() for line in where.lines]
    lines: list[Tree] = [("AdrLine", line) for line in list(filter(None, said))[:ADDRESS_LINES_MAX]]
    code: list[Tree] = [("PstCd", postcode)] if postcode else []
    return [name, ("PstlAdr", [*code, ("TwnNm", town), ("Ctry", where.country), *lines])]


def _bank(bic: str) -> Sequence[Tree]:
    return [("BICFI", bic)] if bic else [("Othr", [("Id", "NOTPROVIDED")])]


def _name(name: str, *, sepa: bool) -> str:
    return _letters(name, sepa=sepa)[:NAME_CHARACTERS_MAX].strip() or "."


def _letters(text: str, *, sepa: bool) -> str:
    """Return a text in the letters that every bank of SEPA takes; outside of it as it is, without line ends."""
    if not sepa:
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
