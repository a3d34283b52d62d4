"""What an answer to a batch means."""

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.delivery import (
    RETRY_AFTER_S_MAX,
    Delivered,
    Refused,
    Unreachable,
    read_answer,
    retry_after_s,
)
from metering.agent.spool import SealedBatch
from metering.wire import BatchAccepted
from tests.examples import examples

AT = datetime(2026, 11, 20, 10, 0, 0, 123_000, tzinfo=UTC)
BATCH = SealedBatch(4, b"body", "h4", "h3", 3)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0),
        (" 7 ", 7),
        ("99999999", RETRY_AFTER_S_MAX),
        ("9" * 400, None),
        ("Fri, 20 Nov 2026 10:01:00 GMT", 59.877),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 0),
        ("Fri, 20 Nov 2027 10:00:00 GMT", RETRY_AFTER_S_MAX),
        ("Fri, 20 Nov 2026 10:01:00 -0000", 59.877),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_bounded(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, AT) == expected


@settings(max_examples=examples(25))
@given(
    st.integers(100, 599), st.binary(max_size=200), st.text(st.characters(codec="ascii", min_codepoint=32), max_size=20)
)
def test_no_answer_whatever_is_more_than_one_of_three(status: int, content: bytes, retry: str) -> None:
    response = httpx.Response(status, content=content, headers={"Retry-After": retry})
    result = read_answer(response, BATCH, AT)
    assert isinstance(result, Unreachable | Refused)


def test_only_the_right_200_is_an_acknowledgement() -> None:
    answer = {"seq": 4, "received": 3, "accepted": 3, "duplicates": 0, "conflicts": 0, "quarantined": 0, "next_seq": 5}
    assert read_answer(httpx.Response(200, json=answer), BATCH, AT) == Delivered(BatchAccepted(4, 3, 3, 0, 0, 0, 5))
    assert isinstance(read_answer(httpx.Response(201, json=answer), BATCH, AT), Unreachable)
