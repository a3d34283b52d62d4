"""The workload is known to the token, is the same each time, and reads the public traces exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from forecourt.demo.workload import (
    CHAT,
    CODE,
    SMALL,
    SMALL_INPUT_MAX,
    TraceUnusable,
    model_of,
    replayed,
    seeded,
    totals,
    with_small,
)

if TYPE_CHECKING:
    from pathlib import Path

FROM = datetime(2026, 10, 1, tzinfo=UTC)
TO = FROM + timedelta(days=31)
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def write_traces(folder: Path, chat: str, code: str) -> None:
    (folder / "AzureLLMInferenceTrace_conv.csv").write_text(HEADER + chat)
    (folder / "AzureLLMInferenceTrace_code.csv").write_text(HEADER + code)


def test_the_same_seed_gives_the_same_requests() -> None:
    first = seeded(seed=3, from_at=FROM, to_at=TO, count=500, name="a")
    assert first == seeded(seed=3, from_at=FROM, to_at=TO, count=500, name="a")
    assert first != seeded(seed=4, from_at=FROM, to_at=TO, count=500, name="a")


def test_every_seeded_request_begins_and_ends_inside_the_window() -> None:
    requests = seeded(seed=1, from_at=FROM, to_at=TO, count=2000, name="a")
    from_ms, to_ms = int(FROM.timestamp() * 1000), int(TO.timestamp() * 1000)
    assert len(requests) == len({one.id for one in requests}) == 2000
    for one in requests:
        assert from_ms <= one.at_ms < one.prefilled_ms < one.done_ms < to_ms
        assert 0 <= one.cached_input <= one.input
        assert one.output > 0


def test_all_streams_are_served_and_the_small_one_stays_exact() -> None:
    requests = with_small(seeded(seed=1, from_at=FROM, to_at=TO, count=20_000, name="a"))
    streams = {one.stream for one in requests}
    small = totals(one for one in requests if one.stream == SMALL)
    assert streams == {CHAT, CODE, SMALL}
    assert 0 < small.input <= SMALL_INPUT_MAX
    assert len({model_of(stream) for stream in streams}) == 3


def test_traces_are_replayed_token_for_token_from_the_instant_given(tmp_path: Path) -> None:
    write_traces(
        tmp_path,
        "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n",
        "2023-11-16 18:17:03.9799600,4808,10\n",
    )
    requests = replayed(tmp_path, FROM)
    assert [(one.stream, one.input, one.output) for one in requests] == [
        (CHAT, 374, 44),
        (CHAT, 396, 109),
        (CODE, 4808, 10),
    ]
    assert [one.at_ms - requests[0].at_ms for one in requests] == [0, 4314, 77299]
    assert requests[0].at_ms == int(FROM.timestamp() * 1000)
    assert totals(requests).input == 374 + 396 + 4808


def test_a_broken_trace_line_is_named(tmp_path: Path) -> None:
    write_traces(tmp_path, "2023-11-16 18:15:46.6805900,many,44\n", "")
    with pytest.raises(TraceUnusable, match=r"conv\.csv line 2"):
        replayed(tmp_path, FROM)


def test_a_folder_without_traces_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(TraceUnusable, match=r"AzureLLMInferenceTrace_code\.csv"):
        replayed(tmp_path, FROM)
