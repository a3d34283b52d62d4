"""The wire of remote write 1.0 and 2.0, within bounds."""

from __future__ import annotations

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.compat import remote_write
from metering.compat.remote_write import (
    INFLATED_BYTES_MAX,
    MESSAGES,
    V1,
    V2,
    NotRemoteWrite,
    TooMuch,
    inflate,
    read_call,
)
from metering.compat.samples import Series
from tests.examples import examples
from tests.metering.compat.written import PROMPT, call_v1, call_v2, series, snappy

SENT = [series(PROMPT, (1, 1_000), (2, 2_000)), series("up", (1, 1_000))]


def test_a_call_of_1_0_is_its_series() -> None:
    assert read_call(V1, inflate(call_v1(*SENT))).series == SENT


def test_a_call_of_2_0_is_its_series_with_their_starts() -> None:
    sent = [series(PROMPT, (1, 1_000), (2, 2_000), start_ms=500)]
    assert read_call(V2, inflate(call_v2(*sent))).series == sent
    assert read_call(V2, inflate(call_v2(*sent, on_series=True))).series == sent


def test_a_start_at_its_own_instant_is_unknown() -> None:
    call = read_call(V2, inflate(call_v2(series(PROMPT, (1, 1_000), (2, 2_000), start_ms=1_000))))
    assert [sample.start_ms for sample in call.series[0].samples] == [None, 1_000]


def test_histograms_are_counted() -> None:
    call = read_call(V2, inflate(call_v2(*SENT, histograms=[b"", b"\x08\x01"])))
    assert (call.histograms, call.exemplars, call.samples) == (4, 0, 3)


def bad_v2(symbols: list[str], refs: list[int]) -> bytes:
    request = MESSAGES["RequestV2"]()
    request.symbols.extend(symbols)
    made = request.timeseries.add()
    made.labels_refs.extend(refs)
    made.samples.add(value=1, timestamp=1)
    made.samples.add(value=1, timestamp=2)
    text: bytes = request.SerializeToString()
    return text


@pytest.mark.parametrize(
    ("symbols", "refs"),
    [
        (["", "__name__", "x"], [1]),
        (["", "__name__", "x"], [1, 3]),
        (["", "__name__", "x"], [1, 2, 1, 2]),
        (["", "a", "x"], [1, 2]),
        (["", "__name__", ""], [1, 2]),
        (["", "__name__", "x", "\0"], [1, 2, 3, 2]),
        (["", "__name__", "x" * 5_000], [1, 2]),
        (["", "__name__", "x"], [1, 2, 0, 2]),
        (["", *[f"n{number}" for number in range(130)], "__name__"], [*range(130), 130, 131, 130][:262]),
    ],
)
def test_a_series_that_cannot_be_read_leaves_the_others_alone(symbols: list[str], refs: list[int]) -> None:
    call = read_call(V2, bad_v2(symbols, refs))
    assert call.series == []
    assert [count for _, count in call.faults] == [2]


@pytest.mark.parametrize("symbols", [[], ["x"]])
def test_the_first_symbol_is_empty(symbols: list[str]) -> None:
    with pytest.raises(NotRemoteWrite):
        read_call(V2, bad_v2(symbols, []))


def test_a_series_with_a_label_twice_is_a_fault_in_1_0() -> None:
    request = MESSAGES["RequestV1"]()
    made = request.timeseries.add()
    for value in "ab":
        made.labels.add(name="__name__", value=value)
    assert len(read_call(V1, request.SerializeToString()).faults) == 1


def test_a_bomb_is_refused_by_what_it_announces() -> None:
    bomb = snappy(b"\0" * (INFLATED_BYTES_MAX + 1))
    assert len(bomb) < INFLATED_BYTES_MAX / 10
    with pytest.raises(TooMuch):
        inflate(bomb)
    with pytest.raises(TooMuch):
        inflate(b"\xff\xff\xff\xff\x7f" + b"\0" * 9)


def test_a_length_that_lies_is_refused() -> None:
    body = snappy(b"abc" * 100)
    with pytest.raises(NotRemoteWrite):
        inflate(b"\x05" + body[2:])


def test_too_many_samples_and_series_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_write, "SAMPLES_MAX", 2)
    with pytest.raises(TooMuch):
        read_call(V1, call_v1(*SENT, raw=True))
    monkeypatch.setattr(remote_write, "SERIES_MAX", 1)
    with pytest.raises(TooMuch):
        read_call(V1, call_v1(*SENT, raw=True))


@settings(max_examples=examples(25))
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for message in (V1, V2):
        for text in (body, None):
            try:
                call = read_call(message, inflate(body) if text is None else text)
            except (NotRemoteWrite, TooMuch):
                continue
            assert all(isinstance(one, Series) for one in call.series)


def test_the_bytes_of_a_frame_format_are_no_block() -> None:
    with pytest.raises(NotRemoteWrite):
        read_call(V1, inflate(bytes(cramjam.snappy.compress(b"x" * 100))))
