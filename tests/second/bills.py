"""Bills over a contract's months, by `docs/rating.md`: each line rounded once, credit drawn on what is rounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from tests.second.commitments import Commitment
from tests.second.given_bills import BEGINS, TERMS, month

if TYPE_CHECKING:
    from tests.second.given_bills import GivenBills, Said

DIGITS: Final = {"USD": 2, "JPY": 0, "BHD": 3}
Part = tuple[str, str, int]
"""Term, model, and 0 for what is used from a month's start or 1 for what is used later in it."""
FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class _Book:
    """What is known at a moment."""

    commitment: Commitment
    brought: Fraction = Fraction(0)
    left: dict[str, Fraction] = field(default_factory=dict)


def totals(given: GivenBills) -> list[tuple[Fraction, Fraction]]:
    """Return what each month's bill comes to, and what it hands to the next one's."""
    left = {grant["name"]: Fraction(grant["amount"]) for grant in given.grants}
    book = _Book(Commitment(given.commitment, given.ends), left=left)
    return [_month(given, book, number) for number in range(len(given.months))]


def _month(given: GivenBills, book: _Book, number: int) -> tuple[Fraction, Fraction]:
    _, later = given.later[number]
    parts = {
        (*about, place): Fraction(tokens, 10**6)
        for place, used in enumerate((given.months[number], later))
        for about, tokens in used.items()
    }
    amounts = {about: parts[*about, 0] + parts.get((*about, 1), 0) for about in given.months[number]}
    due = {about: _rounded(amount, given.currency) for about, amount in sorted(amounts.items())}
    lines = list(amounts.values())
    over = Fraction(0)
    for (_, ref), amount in _discounts(given, number, parts).items():
        lines.append(-amount)
        over += _take([about for about in due if about[0] == ref], due, _rounded(amount, given.currency))
    net = {ref: sum((amount for part, amount in parts.items() if part[0] == ref), Fraction(0)) for ref in TERMS}
    settled = book.commitment.settle(number, net)
    paid = sum((amount for amount in settled if amount > 0), Fraction(0))
    back = sum((-amount for amount in settled if amount < 0), Fraction(0))
    lines += [paid, -back]
    due["M-1", ""] = _rounded(paid, given.currency)
    over += _rounded(back, given.currency)
    over = _take(sorted(due), due, over)
    for grant in _in_turn(given, number):
        wanted = [about for about in sorted(due) if not grant["terms"] or about[0] in grant["terms"]]
        drawn = book.left[grant["name"]] - _take(wanted, due, book.left[grant["name"]])
        book.left[grant["name"]] -= drawn
        lines.append(-drawn)
    exact = sum(lines, Fraction(0)) - book.brought
    owed = sum(due.values(), Fraction(0)) - over - book.brought
    book.brought = min(max(Fraction(0), -owed), max(Fraction(0), -_rounded(exact, given.currency)))
    return max(Fraction(0), owed), book.brought


def _take(places: list[tuple[str, str]], due: dict[tuple[str, str], Fraction], amount: Fraction) -> Fraction:
    """Take an amount off what is due in some places, in their order; return what is left of it."""
    for place in places:
        part = min(amount, due[place])
        due[place] -= part
        amount -= part
    return amount


def _discounts(given: GivenBills, number: int, parts: dict[Part, Fraction]) -> dict[tuple[str, str], Fraction]:
    """What the discount takes off each term, and off `parts`, by (percentage or amount, term): one line each.

    A percentage is taken off what was used while it was in force; an amount off the lines that begin in its time or in
    that of one that it follows, by the seconds in which it holds.
    """
    found: dict[tuple[str, str], Fraction] = {}
    in_force = parts_of(given.discount, number, given.ends)
    for from_at, to_at, document in in_force:
        kind = "percent" if "percent" in document else "amount"
        since = from_at if kind == "percent" else in_force[0][0]
        covered = [
            part for part in parts if _covers(document, part[0]) and since <= _begins(given, number, part) < to_at
        ]
        whole = sum((parts[part] for part in covered), Fraction(0))
        if not whole:
            continue
        if kind == "percent":
            off = Fraction(document["percent"]) / 100
        else:
            seconds = Fraction((to_at - from_at) / (month(number + 1) - month(number))).limit_denominator(10**9)
            off = min(Fraction(1), Fraction(document["amount_per_period"]) * seconds / whole)
        for part in covered:
            found[kind, part[0]] = found.get((kind, part[0]), Fraction(0)) + parts[part] * off
            parts[part] -= parts[part] * off
    return found


def _begins(given: GivenBills, number: int, part: Part) -> datetime:
    """Where the line of a part begins: with the month, but where a percentage changed before the part was used."""
    start, (later, _) = month(number), given.later[number]
    said = parts_of(given.discount, number, given.ends)
    edges = {
        edge
        for from_at, to_at, document in said
        if "percent" in document and _covers(document, part[0])
        for edge in (from_at, to_at)
    }
    return later if part[2] and any(start < edge <= later for edge in edges) else start


def _covers(document: dict[str, Any], ref: str) -> bool:
    return not document["terms"] or ref in document["terms"]


def parts_of(said: Said, number: int, ends: datetime | None) -> list[tuple[datetime, datetime, dict[str, Any]]]:
    """What is said in a month, from when until when."""
    ended = [*(at for at, _ in said[1:]), ends or FAR]
    found = []
    for (at, document), until in zip(said, ended, strict=False):
        from_at, to_at = max(at, month(number)), min(until, month(number + 1))
        if from_at < to_at:
            found.append((from_at, to_at, document))
    return found


def _in_turn(given: GivenBills, number: int) -> list[dict[str, Any]]:
    """Grants whose time the month reaches into, by priority and then the first to expire."""
    usable = [
        grant
        for grant in given.grants
        if grant["from_at"] < month(number + 1) and (grant["expires_at"] or FAR) > month(number)
    ]
    assert month(0) == BEGINS
    return sorted(
        usable, key=lambda grant: (grant["priority"], grant["expires_at"] or FAR, grant["from_at"], grant["name"])
    )


def _rounded(amount: Fraction, currency: str) -> Fraction:
    """Half to even, as `round` does."""
    return Fraction(round(amount * 10 ** DIGITS[currency]), 10 ** DIGITS[currency])
