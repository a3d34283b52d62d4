"""What a gateway reports of an answer that came as a stream. Pure.

Engines that are asked for continuous usage (vLLM's `continuous_usage_stats`) repeat in every chunk what the request
has used so far: the counts are cumulative, and adding them up bills the same tokens over and over. Others send usage
once, in the last chunk, and a stream that the caller left may have none at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metering.checks import EventCounts


def usage_of_stream(chunks: Iterable[EventCounts | None]) -> EventCounts | None:
    """Return the last usage that the chunks of one stream told, None where no chunk told any: unknown, not zero."""
    last = None
    for told in chunks:
        last = told if told is not None else last
    return last
