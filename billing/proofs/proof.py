"""What a check of the books is, and how it reads rows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import connection

Proved = tuple[int, Iterable[str]]
"""How many rows a check looked at, and where its invariant does not hold."""

Checks = Mapping[str, Callable[[], Proved]]
"""Checks by what they prove, in words for people."""


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a statement reads."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def gap_among(numbers: Iterable[str], *, prefix: str, next_number: int) -> str:
    """Say in what numbers of an issuer differ from `prefix` with 1, 2 and so on below `next_number`, each once; "" if
    in nothing."""
    counts = [(number, number.removeprefix(prefix)) for number in numbers]
    strange = [number for number, count in counts if not (count.isascii() and count.isdigit())]
    if strange:
        return f"{min(strange)} is no number of {prefix}"
    found = sorted(int(count) for _number, count in counts)
    if found == list(range(1, next_number)):
        return ""
    return f"{len(found)} numbers below {next_number}, {found[:5]} …"


def gaps_of(slug: str, numbers: Iterable[str], *, prefix: str, next_number: int) -> list[str]:
    """Return what is wrong with an issuer's numbers, as `gap_among` says it, with whose they are; or nothing."""
    gap = gap_among(numbers, prefix=prefix, next_number=next_number)
    return [f"{slug}: {gap}"] if gap else []
