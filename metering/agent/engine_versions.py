"""Versions of engines and ranges of them, as mappings write them. Pure.

A version is read by its numbers: `0.33.0`, `v0.9.2rc1`, `b10519` (llama.cpp) and `2026.08` all compare as tuples. A
range is a list of bounds that all hold: `>=0.9.2,<0.11`; an empty one holds for every version.
"""

import re
from typing import Final

RANGE_PATTERN: Final = r"^$|^(?:>=|<)[vb]?\d{1,9}(?:\.\d{1,9}){0,3}(?:,<[vb]?\d{1,9}(?:\.\d{1,9}){0,3})?$"
"""One lower bound, one upper bound, or both; `<` excludes what `>=` of the next range includes."""

_NUMBERS: Final = re.compile(r"\D{0,4}(\d{1,9}(?:\.\d{1,9}){0,3})")


def parse_version(text: str) -> tuple[int, ...] | None:
    """The numbers of a version, trailing zeros dropped so that 1.0 is 1; None if it begins with none."""
    found = _NUMBERS.match(text.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def in_range(version: str | None, wanted: str) -> bool:
    """Whether the version is in the range; one that is not known, or has no numbers, is in every range."""
    known = parse_version(version) if version else None
    if known is None or not wanted:
        return True
    return all(_holds(known, bound) for bound in wanted.split(","))


def _holds(known: tuple[int, ...], bound: str) -> bool:
    limit = parse_version(bound.lstrip("><="))
    assert limit is not None, f"{bound} was checked when its file was read"
    return known >= limit if bound.startswith(">=") else known < limit
