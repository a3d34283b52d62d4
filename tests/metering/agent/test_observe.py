"""From pages to registers: parts, alternatives, faults. What each engine's page gives is in `test_observe__pages`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.engines import load_mappings
from metering.agent.exposition import parse_page
from metering.agent.observe import METERS_PER_ENDPOINT_MAX, Observation, Source, observe
from tests.examples import examples
from tests.fakes.engine_pages import recorded

MAPPINGS = load_mappings()
URL = "http://127.0.0.1:8000"


def see(engine: str, text: str, model: str | None = None, version: str | None = None) -> Observation:
    mapping = MAPPINGS[engine]
    page = parse_page(text.encode(), mapping.register_names | mapping.hint_names)
    return observe(page, Source(URL, mapping, model, version=version))


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
    assert seen.meters
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
        ((" 82496.0", " 82496.5"), "fraction"),
        ((" 82496.0", " +Inf"), "not_a_number"),
        ((" 82496.0", " 9.007199254740994e+15"), "out_of_range"),
        (("prompt_tokens_by_source_total counter", "prompt_tokens_by_source_total gauge"), "wrong_type"),
        (("vllm:prompt_tokens_by_source_total{", "vllm_prompt_tokens_by_source_total{"), "escaped_colons"),
        ((" 82496.0", ' 82496.0 # {trace_id="1"} 2'), "openmetrics_suffix"),
    ],
)
def test_a_fault_is_named_with_its_series_and_no_other_way_is_tried(change: tuple[str, str], reason: str) -> None:
    """The old name of the same tokens is on the page too: read instead, it would make another register."""
    seen = see("vllm", recorded("vllm").replace(*change))
    assert {fault.reason for fault in seen.faults} == {reason}
    assert seen.faults[0].detail.startswith("vllm:prompt_tokens_by_source_total: ")
    # Prompts and cached prompts come from one series: what is wrong with all of it is wrong with both.
    whole = reason in {"wrong_type", "escaped_colons"}
    assert seen.unread == ({"input", "cached_input"} if whole else {"input"})
    others = {quantity: value for quantity, value in totals(seen).items() if not quantity.startswith("finished")}
    assert others == {"output": 65_432, "requests": 330} | ({} if whole else {"cached_input": 40_960})


def test_a_timestamp_in_milliseconds_is_no_fault() -> None:
    assert totals(see("mindie", 'prompt_tokens_total{model_name="q"} 321 1795323219012\n')) == {"input": 321}


def test_escaped_colons_everywhere_are_told_and_nothing_is_read() -> None:
    seen = see("vllm", recorded("vllm").replace("vllm:", "vllm_"))
    assert {fault.reason for fault in seen.faults} == {"escaped_colons"}
    assert seen.meters == ()


def test_a_value_at_which_single_tokens_are_lost_is_out_of_range() -> None:
    line = 'sglang:prompt_tokens_total{{is_streaming="True",model_name="q"}} {}\n'
    assert totals(see("sglang", line.format(2**53))) == {"input": 2**53}
    seen = see("sglang", line.format(2**53 + 1))
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


def test_a_histogram_with_a_counters_name_is_not_a_register() -> None:
    """`iteration_tokens_total` has a `_sum`, a `_count` and buckets, and is no count of what anyone asked for."""
    seen = see("vllm", recorded("vllm"))
    assert "vllm:iteration_tokens_total_sum" in recorded("vllm")
    named = {name for meter in seen.meters for name in meter.parts}
    assert not any("iteration" in name for name in named)
    wrong = 'vllm:generation_tokens_total{model_name="m"} 5\n'
    for declared in ("histogram", "gauge", "summary"):
        faulty = see("vllm", f"# TYPE vllm:generation_tokens_total {declared}\n{wrong}")
        assert [fault.reason for fault in faulty.faults] == ["wrong_type"]


def test_a_known_version_leaves_out_what_is_not_of_it() -> None:
    blocks = 'vllm:prefix_cache_hits_total{model_name="m"} 9\n'
    assert totals(see("vllm", blocks)) == {"cached_input": 9}
    assert totals(see("vllm", blocks, version="0.9.2")) == {"cached_input": 9}
    assert totals(see("vllm", blocks, version="0.8.5.post1")) == {}
    assert see("vllm", blocks, version="0.8.5").version == "0.8.5"


def test_repeats_are_told_once_by_the_one_that_is_furthest() -> None:
    line = 'sglang:realtime_tokens_total{{mode="decode",model_name="q",tp_rank="{}"}} {}\n'
    text = "".join(line.format(rank, value) for rank, value in enumerate((500, 510, 490)))
    (meter,) = see("sglang_scheduler", text).meters
    assert [part.value for part in meter.parts.values()] == [510]


@settings(max_examples=examples(25))
@given(st.integers(0, 10**15), st.integers(0, 10**6))
def test_six_digits_never_tell_more_than_was_there_nor_fall(value: int, more: int) -> None:
    """What llama.cpp prints, `%g`: the part's value and step enclose the truth, and values keep their order."""
    parts = []
    for truth in (value, value + more):
        (meter,) = see("llamacpp", f"llamacpp:tokens_predicted_total {truth:g}\n", "tiny").meters
        (part,) = meter.parts.values()
        assert part.value <= truth <= part.value + part.step
        assert (part.step == 1) == (truth < 1_000_000)
        parts.append(part.value)
    assert parts[0] <= parts[1]


def test_a_label_that_a_setting_keeps_and_the_page_lacks_is_no_label() -> None:
    mapping = MAPPINGS["sglang"]
    page = parse_page(recorded("sglang").encode(), mapping.register_names)
    seen = observe(page, Source(URL, mapping, keep_labels=("tenant",)))
    assert {tuple(meter.key.labels) for meter in seen.meters} == {("engine_type",)}
