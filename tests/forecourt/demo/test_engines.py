"""Simulated engines count as their originals do, end exactly at the workload's totals, and the agent reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from forecourt.demo.engines import Engine
from forecourt.demo.workload import Request, seeded, totals

FROM = datetime(2026, 10, 1, tzinfo=UTC)
START_MS = int(FROM.timestamp() * 1000)


def requests(count: int = 400) -> list[Request]:
    return seeded(seed=2, from_at=FROM, to_at=FROM + timedelta(days=2), count=count, name="a")


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp"])
def test_registers_only_rise_and_end_at_the_totals(kind: str) -> None:
    work = requests()
    engine = Engine(kind, "m", work, START_MS)
    before = engine.counts(START_MS)
    for hour in range(1, 60):
        now = engine.counts(START_MS + hour * 3_600_000)
        assert all(now[name] >= before[name] for name in now)
        before = now
    expected = totals(work)
    assert before == {
        "input": expected.input,
        "cached_input": expected.cached_input,
        "output": expected.output,
        "requests": expected.requests,
    }


def test_vllm_counts_a_prompt_when_it_was_read_and_output_as_it_is_made() -> None:
    one = Request("r", "chat", START_MS, START_MS + 100, START_MS + 1100, 900, 300, 50)
    engine = Engine("vllm", "m", [one], START_MS)
    assert engine.counts(START_MS + 50)["input"] == 0
    half = engine.counts(START_MS + 600)
    assert (half["input"], half["cached_input"], half["output"], half["requests"]) == (900, 300, 25, 0)
    assert engine.counts(START_MS + 1100)["output"] == 50


def test_sglang_counts_at_the_end() -> None:
    one = Request("r", "code", START_MS, START_MS + 100, START_MS + 1100, 900, 300, 50)
    engine = Engine("sglang", "m", [one], START_MS)
    assert engine.counts(START_MS + 1099)["input"] == 0
    assert engine.counts(START_MS + 1100)["input"] == 900


def test_llamacpp_leaves_cached_tokens_out_of_its_prompt_counter_and_rounds_to_six_digits() -> None:
    work = [Request("r", "small", START_MS, START_MS + 1, START_MS + 2, 2_000_005, 500_000, 7)]
    page = Engine("llamacpp", "m", work, START_MS).page(START_MS + 2)
    assert "llamacpp:prompt_tokens_total 1.5e+06" in page
    assert "llamacpp:prompt_tokens_cached_total 500000" in page
    assert "llamacpp:tokens_predicted_total 7" in page


@pytest.mark.parametrize(
    ("kind", "series"), [("vllm", "vllm:prompt_tokens_total"), ("sglang", "sglang:prompt_tokens_total")]
)
def test_pages_are_in_the_text_format(kind: str, series: str) -> None:
    page = Engine(kind, "some-model", requests(50), START_MS).page(START_MS + 172_800_000)
    line = next(line for line in page.splitlines() if line.startswith(series))
    assert re.fullmatch(rf'{series}{{[^}}]*model_name="some-model"[^}}]*}} \d+\.0', line)
    assert page.endswith("\n")


def test_a_request_can_be_added_later() -> None:
    engine = Engine("sglang", "m", [], START_MS)
    engine.add(Request("r", "code", START_MS, START_MS + 1, START_MS + 2, 10, 0, 1))
    assert engine.counts(START_MS + 5)["input"] == 10
