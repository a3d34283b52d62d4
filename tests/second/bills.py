"""Bills over a contract's months, by `docs/rating.md`: each line rounded once, credit drawn on what is rounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from tests.second.given_bills import BEGINS, TERMS, month

if TYPE_CHECKING:
    from tests.second.given_bills import GivenBills

DIGITS: Final = {"USD": 2, "JPY": 0, "BHD": 3}
FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class _Book:
    """What is known at a moment."""

    used: Fraction = Fraction(0)
    carried: Fraction = Fraction(0)
    recoupable: Fraction = Fraction(0)
    brought: Fraction = Fraction(0)
    left: dict[str, Fraction] = field(default_factory=dict)


def totals(given: GivenBills) -> list[tuple[Fraction, Fraction]]:
    """Return what each month's bill comes to, and what it hands to the next one's."""
    book = _Book(left={grant["name"]: Fraction(grant["amount"]) for grant in given.grants})
    return [_month(given, book, number) for number in range(len(given.months))]


def _month(given: GivenBills, book: _Book, number: int) -> tuple[Fraction, Fraction]:
    amounts = {about: Fraction(tokens, 10**6) for about, tokens in given.months[number].items()}
    by_term = {ref: sum((a for (term, _), a in amounts.items() if term == ref), Fraction(0)) for ref in TERMS}
    lines = list(amounts.values())
    taken = {ref: _discounted(given, ref, amount) for ref, amount in by_term.items()}
    lines += [-amount for amount in taken.values()]
    if given.commitment:
        scope = given.commitment["terms"] or TERMS
        used = sum((by_term[ref] - taken[ref] for ref in scope), Fraction(0))
        lines.append(_committed(given, book, number, used))
    rounded = [_rounded(line, given.currency) for line in lines]
    due = sum(rounded, Fraction(0))
    for grant in _in_turn(given, number):
        drawn = min(book.left[grant["name"]], max(Fraction(0), due))
        book.left[grant["name"]] -= drawn
        rounded.append(-drawn)
        lines.append(-drawn)
        due -= drawn
    exact = sum(lines, Fraction(0)) - book.brought
    due -= book.brought
    book.brought = min(max(Fraction(0), -due), max(Fraction(0), -_rounded(exact, given.currency)))
    return max(Fraction(0), due), book.brought


def _discounted(given: GivenBills, ref: str, amount: Fraction) -> Fraction:
    if not given.discount or (given.discount["terms"] and ref not in given.discount["terms"]):
        return Fraction(0)
    return amount * Fraction(given.discount["percent"]) / 100


def _committed(given: GivenBills, book: _Book, number: int, used: Fraction) -> Fraction:
    """What is paid for a shortfall as a period or year ends, or taken back where more was used."""
    assert given.commitment
    ends = given.ends == month(number + 1)
    yearly = "amount_per_year" in given.commitment
    book.used += used
    if yearly and (number + 1) % 12 and not ends:
        return Fraction(0)
    committed = Fraction(given.commitment["amount_per_year" if yearly else "amount_per_period"])
    if yearly:
        year = month(number - number % 12), month(number - number % 12 + 12)
        committed *= Fraction((month(number + 1) - year[0]) // (year[1] - year[0]).resolution)
        committed /= (year[1] - year[0]) // (year[1] - year[0]).resolution
    missing = committed + book.carried - book.used
    book.used, book.carried = Fraction(0), Fraction(0)
    if missing <= 0:
        back = min(book.recoupable, -missing)
        book.recoupable -= back
        return -back
    if given.commitment["shortfall"] == "carried" and not ends:
        book.carried = missing
        return Fraction(0)
    if given.commitment["shortfall"] == "recoupable":
        book.recoupable += missing
    return missing


def _in_turn(given: GivenBills, number: int) -> list[dict[str, Any]]:
    """Grants whose time the month reaches into, by priority and then the first to expire."""
    usable = [
        grant
        for grant in given.grants
        if grant["from_at"] < month(number + 1) and (grant["expires_at"] or FAR) > month(number)
    ]
    assert month(0) == BEGINS
    return sorted(usable, key=lambda grant: (grant["priority"], grant["expires_at"] or FAR, grant["from_at"]))


def _rounded(amount: Fraction, currency: str) -> Fraction:
    """Half to even, as `round` does."""
    return Fraction(round(amount * 10 ** DIGITS[currency]), 10 ** DIGITS[currency])
