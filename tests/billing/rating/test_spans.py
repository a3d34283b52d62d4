"""Spans: what two sets of seconds cover together, in common and apart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.spans import Span, common, joined, length, parts_of, span_of, without
from clusters.occupancy import unix_second
from tests.billing.rating.made import at, hold
from tests.examples import examples

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair))), max_size=6)


def seconds(spans: list[Span]) -> set[int]:
    return {second for start, end in spans for second in range(start, end)}


@settings(max_examples=examples(25))
@given(SPANS, SPANS)
def test_spans_are_sets_of_seconds(left: list[Span], right: list[Span]) -> None:
    assert seconds(joined(left)) == seconds(left)
    assert seconds(common(left, right)) == seconds(left) & seconds(right)
    assert seconds(without(left, right)) == seconds(left) - seconds(right)
    assert length(left) == len(seconds(left))


@settings(max_examples=examples(25))
@given(SPANS)
def test_joined_spans_are_in_order_and_do_not_touch(spans: list[Span]) -> None:
    ends = [edge for span in joined(spans) for edge in span]
    assert ends == sorted(set(ends))


def test_a_hold_without_an_end_ends_where_it_is_looked_at() -> None:
    until = unix_second(at(5))
    assert span_of(hold(0, None), until) == (unix_second(at(0)), until)
    assert span_of(hold(0, 9), until)[1] == until
    assert span_of(hold(0, 2), until)[1] == unix_second(at(2))


def test_parts_of_a_hold_keep_what_it_holds() -> None:
    (part,) = parts_of(hold(0, 9, share=250), [(unix_second(at(1)), unix_second(at(2)))])
    assert part == hold(1, 2, share=250)
