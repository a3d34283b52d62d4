"""A commitment month after month, by `docs/rating.md`: per period, per year, and from one to the other."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.second.given_bills import TERMS, month

if TYPE_CHECKING:
    from tests.second.given_bills import Said


class Commitment:
    """What is open of a commitment at a moment."""

    def __init__(self, said: Said, ends: datetime | None) -> None:
        """Begin with nothing."""
        self._said = said
        self._ends = ends
        self._open: tuple[Fraction, Fraction] | None = None
        """What was committed and used in a year that goes on."""
        self._carried = Fraction(0)
        self._recoupable = Fraction(0)

    def settle(self, number: int, net: dict[str, Fraction]) -> list[Fraction]:
        """Return what a month pays for shortfalls, or takes back (below 0); `net` is what each term left to pay."""
        parts = self._parts(number)
        if not parts:
            return []
        found = []
        by_year = ["amount_per_year" in document for _, _, document in parts]
        if self._open and parts[0][0] == month(number) and not by_year[0]:
            found.append(self._test(*self._open, parts[-1][2]["shortfall"], last=False))
            self._open = None
        committed, used = self._open or (Fraction(0), Fraction(0))
        committed += sum((self._amount(number, *part) for part in parts), Fraction(0))
        scopes = [set(document["terms"] or TERMS) for _, _, document in parts]
        used += sum((net[ref] for ref in set.union(*scopes)), Fraction(0))
        last = self._ends == month(number + 1)
        if all(by_year) and not last and self._year(number)[1] > month(number + 1):
            self._open = (committed, used)
            return [each for each in found if each]
        self._open = None
        found.append(self._test(committed, used, parts[-1][2]["shortfall"], last=last))
        return [each for each in found if each]

    def _parts(self, number: int) -> list[tuple[datetime, datetime, dict[str, Any]]]:
        found = []
        for place, (at, document) in enumerate(self._said):
            until = self._said[place + 1][0] if place + 1 < len(self._said) else self._ends or month(number + 1)
            from_at, to_at = max(at, month(number)), min(until, month(number + 1))
            if from_at < to_at:
                found.append((from_at, to_at, document))
        return found

    def _amount(self, number: int, from_at: datetime, to_at: datetime, document: dict[str, Any]) -> Fraction:
        """An amount by its seconds of its own period or year."""
        yearly = "amount_per_year" in document
        whole = self._year(number) if yearly else (month(number), month(number + 1))
        amount = Fraction(document["amount_per_year" if yearly else "amount_per_period"])
        return amount * int((to_at - from_at).total_seconds()) / int((whole[1] - whole[0]).total_seconds())

    def _year(self, number: int) -> tuple[datetime, datetime]:
        """The year since the term began, or since an anniversary of that, in which a month begins."""
        begun = self._said[0][0]
        while begun.replace(year=begun.year + 1) <= month(number):
            begun = begun.replace(year=begun.year + 1)
        return begun, begun.replace(year=begun.year + 1)

    def _test(self, committed: Fraction, used: Fraction, shortfall: str, *, last: bool) -> Fraction:
        missing = committed + self._carried - used
        self._carried = Fraction(0)
        if missing <= 0:
            back = min(self._recoupable, -missing)
            self._recoupable -= back
            return -back
        if shortfall == "carried" and not last:
            self._carried = missing
            return Fraction(0)
        if shortfall == "recoupable":
            self._recoupable += missing
        return missing
