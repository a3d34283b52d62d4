"""The payment reference of an invoice, and the invoices that a payer's words name.

A reference is a creditor reference by ISO 11649: `RF`, two check digits, and the letters and digits of the invoice's
number, at most 21 of them (the last ones of a longer number). It is computed, not stored: a number gives its reference
for ever, and with the issuer's prefix a reference gives the number back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY_CHARACTERS_MAX: Final = 21
REFERENCE_CHARACTERS_MIN: Final = 5
REFERENCE_CHARACTERS_MAX: Final = 25
HEAD_CHARACTERS: Final = 4
"""`RF` and the check digits; also how many characters stand together where a reference is printed."""
TEXT_CHARACTERS_MAX: Final = 2_000
"""Of a payer's words; what is longer is not read further."""
NUMBERS_MAX: Final = 50
DIGITS_MAX: Final = 12
_NOT_ALNUM = re.compile(r"[^A-Z0-9]")
_LIKE_REFERENCE = re.compile(r"RF\d\d(?:(?:\s[A-Z0-9]{4})+(?:\s[A-Z0-9]{1,3})?(?![A-Z0-9])|[A-Z0-9]+)")


def payment_reference(number: str) -> str:
    """Return the reference of the invoice of that number; raises ValueError for a number without letters and digits."""
    body = compact(number)[-BODY_CHARACTERS_MAX:]
    if not body:
        raise ValueError(f"{number!r} has no letter or digit")
    return f"RF{98 - _mod_97(body + 'RF00'):02d}{body}"


def printed_reference(reference: str) -> str:
    """Return a reference as people read it, four characters together."""
    return " ".join(reference[at : at + HEAD_CHARACTERS] for at in range(0, len(reference), HEAD_CHARACTERS))


def is_reference(text: str) -> bool:
    """Say whether a text without blanks is a reference whose check digits fit."""
    if not REFERENCE_CHARACTERS_MIN <= len(text) <= REFERENCE_CHARACTERS_MAX:
        return False
    if not text.startswith("RF") or not text[2:4].isdecimal() or _NOT_ALNUM.search(text):
        return False
    return _mod_97(text[HEAD_CHARACTERS:] + text[:HEAD_CHARACTERS]) == 1


def compact(text: str) -> str:
    """Return the letters and digits of a text, in capitals; any others are left out."""
    return _NOT_ALNUM.sub("", text.upper())


def numbers_named(*, prefix: str, digits_min: int, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the numbers of an issuer's invoices that texts name, each once, in the order in which they stand.

    `prefix` is what the issuer's numbers begin with, `digits_min` how many digits follow it at least. A number counts
    where it stands in a reference whose check digits fit, or as the prefix and digits with at most signs or blanks in
    between. Whether there is an invoice of that number is not known here.
    """
    found: dict[str, None] = {}
    for text in texts:
        shown = text.upper()[:TEXT_CHARACTERS_MAX]
        for reference in _references_in(shown):
            found |= dict.fromkeys(_numbers_of(reference[HEAD_CHARACTERS:], prefix))
        # A part of a printed reference must not be taken for a number: "RF40 INV1 234" does not name INV-0001.
        found |= dict.fromkeys(_plain_numbers(_LIKE_REFERENCE.sub(" ", shown), prefix, digits_min))
    return tuple(found)[:NUMBERS_MAX]


def _references_in(text: str) -> Iterator[str]:
    """Every run of words that is a reference: in one piece, or printed in fours."""
    words = [_NOT_ALNUM.sub("", word) for word in re.split(r"[\s,;]+", text)]
    for start, word in enumerate(words):
        at = word.find("RF")
        if at < 0:
            continue
        joined = word[at:]
        if is_reference(joined):
            yield joined
        for following in words[start + 1 :]:
            if len(joined) % HEAD_CHARACTERS or len(joined) >= REFERENCE_CHARACTERS_MAX:
                break
            joined += following
            if is_reference(joined):
                yield joined


def _numbers_of(body: str, prefix: str) -> Iterator[str]:
    """The numbers that have this body: the prefix, or of a long number its end, and digits."""
    head = compact(prefix)
    for cut in range(len(body)):
        begins, digits = body[:cut], body[cut:]
        whole = begins == head
        cut_off = len(body) == BODY_CHARACTERS_MAX and len(head) > cut and head.endswith(begins)
        if digits.isdecimal() and (whole or cut_off):
            yield prefix + digits


def _plain_numbers(text: str, prefix: str, digits_min: int) -> Iterator[str]:
    parts = [re.escape(part) for part in re.split(r"[^A-Z0-9]+", prefix.upper()) if part]
    if not parts:
        return
    words = r"[^A-Z0-9]{0,2}".join(parts)
    for match in re.finditer(rf"(?<![A-Z0-9]){words}[^A-Z0-9]{{0,3}}(\d{{1,{DIGITS_MAX}}})(?!\d)", text):
        yield f"{prefix}{int(match[1]):0{digits_min}d}"


def _mod_97(text: str) -> int:
    """ISO 7064: letters count as 10 to 35."""
    return int("".join(str(int(character, 36)) for character in text)) % 97
