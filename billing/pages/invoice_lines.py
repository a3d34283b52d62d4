"""Which lines of an invoice its page shows, and which of its checks are made without being asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.queries.invoice_detail import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES_SHOWN_MAX: Final = 100
"""So many lines stand on one page."""
PAGE_LINES: Final = 50
"""Where there are more, so many stand on each page: a page of a hundred takes a third longer to make."""
PARTS_SHOWN_MAX: Final = 150
"""An invoice of more parts shows those of one line, and its comparison with the usage page, at their own addresses."""
HASHED_BYTES_MAX: Final = 1 << 21
"""A longer evidence file is held to its hash where that is asked for."""


def asked_of(query: Mapping[str, str]) -> Asked:
    """Return what an address asks for of an invoice: a page of its lines, or the line to open; all checks by proof."""
    everything = query.get("proof") == "now"
    return Asked(
        lines_max=LINES_SHOWN_MAX,
        page=_number(query.get("page", "")) or 1,
        line=_number(query.get("line", "")),
        compared_parts_max=None if everything else PARTS_SHOWN_MAX,
        hashed_bytes_max=None if everything else HASHED_BYTES_MAX,
        parts_max=PARTS_SHOWN_MAX,
        page_lines=PAGE_LINES,
    )


def _number(text: str) -> int:
    """Return a number of an address, 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
