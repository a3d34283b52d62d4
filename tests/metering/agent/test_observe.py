"""From pages to registers: every recorded engine, to the token."""

import pytest

from metering.agent.engines import load_mappings
from metering.agent.exposition import parse_page
from metering.agent.observe import METERS_PER_ENDPOINT_MAX, Observation, Source, observe
from tests.fakes.engine_pages import recorded

MAPPINGS = load_mappings()
URL = "http://127.0.0.1:8000"


def see(engine: str, text: str, model: str | None = None) -> Observation:
    mapping = MAPPINGS[engine]
    page = parse_page(text.encode(), mapping.register_names | mapping.hint_names)
    return observe(page, Source(URL, mapping, model))


def registers(seen: Observation) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], int]:
    return {
        (meter.key.quantity, meter.key.model, tuple(meter.key.labels.items())): sum(
            part.value for part in meter.parts.values()
        )
        for meter in seen.meters
    }


def totals(seen: Observation) -> dict[str, int]:
    found: dict[str, int] = {}
    for (quantity, _, _), value in registers(seen).items():
        found[quantity] = found.get(quantity, 0) + value
    return found


@pytest.mark.parametrize(
    ("engine", "recording", "expected", "models"),
    [
        (
            "vllm",
            "vllm",
            {"input": 123_456, "output": 65_432, "cached_input": 40_960, "requests": 330},
            ("meta-llama/Llama-3.1-8B-Instruct",),
        ),
        # The old prefix cache series counts blocks: no cached tokens are known, and none are invented.
        ("vllm", "vllm_old", {"input": 900, "output": 450, "requests": 9}, ("facebook/opt-125m",)),
        (
            "sglang",
            "sglang",
            {"input": 1_250, "output": 477, "cached_input": 100, "requests": 15},
            ("Qwen/Qwen3-8B",),
        ),
        # llama.cpp's own prompt counter leaves cached tokens out: 3,214,570 + 812.
        ("llamacpp", "llamacpp", {"input": 3_215_382, "output": 999_999, "cached_input": 812}, ()),
        ("tgi", "tgi", {"input": 8_123, "output": 5_120, "requests": 42}, ()),
        (
            "tensorrt_llm",
            "tensorrt_llm",
            {"input": 7_000, "output": 3_000, "cached_input": 2_000, "requests": 35},
            ("llama-70b",),
        ),
        ("lmdeploy", "lmdeploy", {"input": 1_300, "output": 130, "cached_input": 13, "requests": 5}, ("internlm3",)),
        ("lightllm", "lightllm", {"input": 1_100, "output": 550, "cached_input": 100, "requests": 11}, ()),
        ("dynamo", "dynamo", {"input": 4_096, "output": 2_048, "cached_input": 512, "requests": 9}, ("qwen",)),
        (
            "nim",
            "nim",
            {"input": 6_000, "output": 2_500, "requests": 27},
            ("meta/llama-3.1-8b-instruct",),
        ),
        ("triton_trtllm", "triton_trtllm", {"input": 1_280, "output": 640}, ("tensorrt_llm",)),
        ("ray_serve", "ray_serve", {"input": 530, "output": 90}, ("qwen",)),
        ("mindie", "mindie", {"input": 321, "output": 123, "requests": 7}, ("qwen2.5_7b",)),
    ],
)
def test_a_recorded_page_gives_its_tokens(
    engine: str, recording: str, expected: dict[str, int], models: tuple[str, ...]
) -> None:
    seen = see(engine, recorded(recording))
    assert totals(seen) == expected
    assert (seen.models, seen.faults, seen.page_fault) == (models, (), None)
    assert all(meter.key.engine == engine and meter.key.subject_id == URL for meter in seen.meters)


def test_every_data_parallel_rank_is_its_own_meter() -> None:
    seen = see("lmdeploy", recorded("lmdeploy"))
    inputs = {key: value for key, value in registers(seen).items() if key[0] == "input"}
    assert inputs == {
        ("input", "internlm3", (("engine", "0"),)): 600,
        ("input", "internlm3", (("engine", "1"),)): 700,
    }


def test_every_replica_is_its_own_meter_and_the_gauge_twin_is_left_alone() -> None:
    seen = see("ray_serve", recorded("ray_serve"))
    inputs = {dict(key[2])["ReplicaId"]: value for key, value in registers(seen).items() if key[0] == "input"}
    assert inputs == {"r1": 500, "r2": 30}


def test_streaming_and_not_streaming_are_parts_of_one_register() -> None:
    seen = see("sglang", recorded("sglang"))
    (meter,) = [meter for meter in seen.meters if meter.key.quantity == "input"]
    assert sorted(part.value for part in meter.parts.values()) == [250, 1_000]
    assert meter.key.labels == {"engine_type": "unified"}


def test_cached_tokens_without_a_source_label_are_read_as_the_total() -> None:
    text = 'sglang:cached_tokens_total{model_name="q"} 70.0\n'
    assert totals(see("sglang", text)) == {"cached_input": 70}


def test_an_older_llamacpp_without_the_cached_counter_still_has_its_prompts() -> None:
    text = "llamacpp:prompt_tokens_total 500\nllamacpp:tokens_predicted_total 40\n"
    assert totals(see("llamacpp", text)) == {"input": 500, "output": 40}


def test_the_newer_of_two_alternatives_is_used_alone() -> None:
    text = (
        'vllm:prompt_tokens_cached_total{engine="0",model_name="m"} 5\n'
        'vllm:prefix_cache_hits_total{engine="0",model_name="m"} 9\n'
    )
    assert totals(see("vllm", text)) == {"cached_input": 5}
    assert totals(see("vllm", text.splitlines()[1] + "\n")) == {"cached_input": 9}


def test_a_configured_model_names_what_the_page_does_not_and_wins() -> None:
    assert {meter.key.model for meter in see("llamacpp", recorded("llamacpp"), "tiny").meters} == {"tiny"}
    assert {meter.key.model for meter in see("vllm", recorded("vllm"), "alias").meters} == {"alias"}


def test_hints_are_read_with_their_instants() -> None:
    seen = see("vllm", recorded("vllm"))
    assert (seen.process_start, seen.process_start_ms) == ("1795323207.16", 1_795_323_207_160)
    created = {part.created_ms for meter in seen.meters for part in meter.parts.values()}
    assert created == {1_795_323_219_012}
    assert see("sglang", recorded("sglang")).process_start_ms is None


def test_a_marker_that_is_no_instant_is_no_marker() -> None:
    text = 'vllm:prompt_tokens_total{model_name="m"} 5\nprocess_start_time_seconds NaN\n'
    assert see("vllm", text).process_start_ms is None
    assert see("vllm", text.replace("NaN", "0")).process_start_ms is None


def test_one_bad_part_makes_its_quantity_unread_and_no_other() -> None:
    text = recorded("sglang").replace(
        'is_streaming="True",model_name="Qwen/Qwen3-8B"} 250.0', 'is_streaming="True",model_name="Qwen/Qwen3-8B"} NaN'
    )
    seen = see("sglang", text)
    assert [fault.reason for fault in seen.faults] == ["not_a_number"]
    assert seen.unread == {"input"}
    assert totals(seen) == {"output": 477, "cached_input": 100, "requests": 15}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((" 123456.0", " 123456.5"), "fraction"),
        ((" 123456.0", " +Inf"), "not_a_number"),
        (("# TYPE vllm:prompt_tokens_total counter", "# TYPE vllm:prompt_tokens_total gauge"), "wrong_type"),
        (("vllm:prompt_tokens_total{", "vllm_prompt_tokens_total{"), "escaped_colons"),
        ((" 123456.0", ' 123456.0 # {trace_id="1"} 2'), "openmetrics_suffix"),
    ],
)
def test_a_fault_is_named_with_its_series(change: tuple[str, str], reason: str) -> None:
    seen = see("vllm", recorded("vllm").replace(*change))
    assert [fault.reason for fault in seen.faults] == [reason]
    assert seen.faults[0].detail.startswith("vllm:prompt_tokens_total: ")
    assert "input" not in totals(seen)
    assert totals(seen)["output"] == 65_432


def test_escaped_colons_everywhere_are_told_and_nothing_is_read() -> None:
    seen = see("vllm", recorded("vllm").replace("vllm:", "vllm_"))
    assert {fault.reason for fault in seen.faults} == {"escaped_colons"}
    assert seen.meters == ()


def test_a_sum_beyond_what_a_register_holds_is_out_of_range() -> None:
    line = 'sglang:prompt_tokens_total{{is_streaming="{}",model_name="q"}} 9223372036854775807\n'
    seen = see("sglang", line.format("True") + line.format("False"))
    assert [fault.reason for fault in seen.faults] == ["out_of_range"]
    assert seen.meters == ()


def test_a_page_that_invents_labels_is_bounded() -> None:
    lines = "".join(
        f'vllm:prompt_tokens_total{{engine="{n}",model_name="m"}} 1\n' for n in range(METERS_PER_ENDPOINT_MAX + 1)
    )
    seen = see("vllm", lines)
    assert seen.meters == ()
    assert seen.unread == {"input"}
    assert seen.faults[-1].reason == "out_of_range"


def test_a_truncated_page_gives_nothing_at_all() -> None:
    seen = see("vllm", recorded("vllm").rstrip("\n"))
    assert seen.page_fault is not None
    assert seen.page_fault.reason == "truncated"
    assert seen.meters == ()


def test_another_engines_page_shows_no_meters_and_no_faults() -> None:
    seen = see("vllm", recorded("sglang"))
    assert (seen.meters, seen.faults) == ((), ())
