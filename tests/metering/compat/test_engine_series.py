"""Which series are registers, by the agent's own mappings."""

from __future__ import annotations

import pytest

from metering.agent.engines import EngineMapping, MeterRule, load_mappings
from metering.compat.engine_series import Reading, SeriesIndex, created_key, gen_ai_mapping, meter_key
from tests.metering.compat.written import LABELS, PROMPT

INDEX = SeriesIndex([*load_mappings().values(), gen_ai_mapping()])


def one(name: str, labels: dict[str, str]) -> Reading | None:
    return next(iter(INDEX.read(name, labels)), None)


def test_every_rule_of_every_engine_is_found_by_its_series() -> None:
    for mapping in load_mappings().values():
        for rule in mapping.meters:
            for name in rule.sample_names:
                assert INDEX.is_register(name), (mapping.engine, name)


@pytest.mark.parametrize("name", ["up", "vllm:iteration_tokens_total", "go_goroutines", "vllm:num_requests_running"])
def test_other_series_are_none(name: str) -> None:
    assert not INDEX.wants(name)
    assert INDEX.read(name, LABELS) == []


def test_a_series_is_read_by_its_engine() -> None:
    reading = one(PROMPT, LABELS)
    assert reading is not None
    assert (reading.mapping.engine, reading.rule.quantity) == ("vllm", "input")
    key = meter_key(reading, PROMPT, {**LABELS, "pod": "p-1", "prometheus_replica": "a"}, "vllm/10.0.0.5:8000")
    assert (key.subject_id, key.model, key.labels["engine"]) == ("vllm/10.0.0.5:8000", "sample-model", "0")
    assert key.labels["@series"] == "vllm:prompt_tokens_total{pod=p-1}"


def test_a_name_that_may_be_anybodys_counts_only_where_the_engine_is_named() -> None:
    assert INDEX.is_register("prompt_tokens_total")
    assert INDEX.read("prompt_tokens_total", {"model_name": "m"}) == []
    reading = one("prompt_tokens_total", {"model_name": "m", "forecourt_engine": "nim"})
    assert reading is not None
    assert reading.mapping.engine == "nim"
    assert INDEX.read(PROMPT, {**LABELS, "forecourt_engine": "nobody"}) == []


def test_only_samples_that_a_rule_reads_are_registers() -> None:
    name = "sglang:cached_tokens_total"
    total = one(name, {"model_name": "m", "cache_source": "total"})
    assert total is not None
    assert total.rule.quantity == "cached_input"
    device = one(name, {"model_name": "m", "cache_source": "device"})
    assert device is None or device.rule is not total.rule


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("gen_ai.client.inference.usage.input_tokens", "input"),
        ("gen_ai.client.inference.usage.cache_read.input_tokens", "cached_input"),
        ("gen_ai_client_inference_usage_reasoning_output_tokens_total", "reasoning"),
    ],
)
def test_the_conventions_counters_are_registers(name: str, quantity: str) -> None:
    reading = one(name, {"gen_ai.request.model": "m"})
    assert reading is not None
    assert (reading.mapping.engine, reading.rule.quantity) == ("gen_ai", quantity)
    assert meter_key(reading, name, {"gen_ai.request.model": "m", "tenant": "t"}, "x").model == "m"
    assert INDEX.read("gen_ai.client.token.usage", {}) == []


def test_of_two_engines_with_one_series_the_models_label_decides() -> None:
    rules = [MeterRule("input", ["x:a"])]
    engines = [
        EngineMapping(engine=label, title="", page="/", cached_tokens="inside", meters=rules, model_labels=[label])
        for label in ("model", "served")
    ]
    (found,) = SeriesIndex(engines).read("x:a", {"served": "m"})
    assert found.mapping.engine == "served"


def test_long_labels_stay_apart_within_the_wires_bounds() -> None:
    reading = one(PROMPT, LABELS)
    assert reading is not None
    keys = {meter_key(reading, PROMPT, {**LABELS, "x": "y" * 5_000 + end}, "t").labels["@series"] for end in "ab"}
    assert len(keys) == 2
    assert all(len(text) <= 512 for text in keys)
    assert created_key("a", {"x": "1"}) != created_key("a", {"x": "2"})
