"""The last usage of a stream counts, however often it was repeated."""

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.checks import EventCounts
from metering.stream_usage import usage_of_stream
from tests.examples import examples

counts = st.builds(EventCounts, input=st.integers(0, 10_000), output=st.integers(0, 10_000))


def test_a_stream_without_usage_is_unknown() -> None:
    assert usage_of_stream([]) is None
    assert usage_of_stream([None, None]) is None


@settings(max_examples=examples(25))
@given(told=st.lists(st.one_of(st.none(), counts)), last=counts, silent=st.integers(0, 3))
def test_the_last_that_was_told_counts(told: list[EventCounts | None], last: EventCounts, silent: int) -> None:
    assert usage_of_stream([*told, last, *[None] * silent]) == last
