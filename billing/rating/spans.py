"""Arithmetic of half-open spans of whole Unix seconds, `(from_s, to_s)`."""

from collections.abc import Iterable

from clusters.occupancy import Hold, instant_of_second, unix_second

Span = tuple[int, int]


def span_of(hold: Hold, until_s: int) -> Span:
    """Return a hold's whole seconds; one without an end, or with a later one, ends at `until_s`."""
    end = until_s if hold.to_at is None else min(unix_second(hold.to_at), until_s)
    return (unix_second(hold.from_at), end)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return what the spans cover together, in order; spans that touch are one, empty ones are left out."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def common(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Return what both cover."""
    right = joined(others)
    found = [(max(start, low), min(end, high)) for start, end in joined(spans) for low, high in right]
    return joined(found)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what the first cover and the others do not."""
    left: list[Span] = []
    gone = joined(taken)
    for start, end in joined(spans):
        at = start
        for low, high in common([(start, end)], gone):
            left.append((at, low))
            at = high
        left.append((at, end))
    return joined(left)


def length(spans: Iterable[Span]) -> int:
    """Return the seconds that the spans cover together."""
    return sum(end - start for start, end in joined(spans))


def parts_of(hold: Hold, spans: Iterable[Span]) -> list[Hold]:
    """Return the hold of a slice over each of the spans."""
    return [
        Hold(
            hold.slice_ref,
            hold.share_permille,
            instant_of_second(start),
            instant_of_second(end),
            hold.card_ref,
            hold.accelerator_model,
        )
        for start, end in joined(spans)
    ]
