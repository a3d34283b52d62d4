"""What a gateway says of a request beside its tokens: marks that a price may depend on, and other quantities. Pure.

Prices differ by marks (a batch costs less, a test nothing), and usage hours are sums, so usage with different marks
stays apart where it is summed, like requests of different length (`metering.context_bands`). A mark or a quantity may
be added at the end of its list; one that was used must stay at its place.
"""

from collections.abc import Iterable
from typing import Final

MARKS: Final = ("batch", "failed", "free", "interrupted", "priority", "test")
"""`batch`, `priority`: how it was served. `free`, `test`: by the gateway's own rules not for payment. `failed`: it
ended in an error. `interrupted`: the caller left before the end."""

GIVEN_MARKS: Final = ("batch", "free", "priority", "test")
"""Marks that an event names; the others follow from its status."""

QUANTITIES: Final = ("images", "audio_seconds", "video_seconds", "steps")
"""What is counted of requests that are not, or not only, tokens."""

MARK_SETS: Final = 1 << len(MARKS)
SEPARATOR: Final = "+"


def bits_of(marks: Iterable[str]) -> int:
    """Return a set of marks as a number: the bit of each mark's place."""
    return sum(1 << MARKS.index(mark) for mark in set(marks))


def text_of(bits: int) -> str:
    """Return a set of marks as usage hours name it: in the order of the list, joined by "+"; "" for none."""
    assert 0 <= bits < MARK_SETS
    return SEPARATOR.join(mark for place, mark in enumerate(MARKS) if bits >> place & 1)


def marks_in(text: str) -> frozenset[str]:
    """Return the marks that a usage hour names."""
    return frozenset(text.split(SEPARATOR)) if text else frozenset()


TEXT_CHARS_MAX: Final = len(text_of(MARK_SETS - 1))
INTERRUPTED_BIT: Final = bits_of(["interrupted"])
FAILED_BIT: Final = bits_of(["failed"])
