"""Mappings as data: the built-in ones, a person's own, and clear refusals."""

from pathlib import Path

import pytest

from metering.agent.engines import (
    BUILT_IN_DIR,
    EngineMapping,
    MappingError,
    created_name,
    load_mapping,
    load_mappings,
)

MINE = """
engine = "mine"
title = "My engine"
page = "/stats"
cached_tokens = "inside"
[[meters]]
quantity = "input"
series = ["mine_prompt_total"]
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_built_in_mapping_has_its_own_file() -> None:
    mappings = load_mappings()
    assert sorted(mappings) == sorted(path.stem for path in BUILT_IN_DIR.glob("*.toml"))


@pytest.mark.parametrize("mapping", load_mappings().values(), ids=lambda mapping: mapping.engine)
def test_every_built_in_mapping_is_whole(mapping: EngineMapping) -> None:
    assert mapping.covers
    assert mapping.cannot_tell
    assert mapping.readable == bool(mapping.page) == bool(mapping.meters)
    if mapping.readable and mapping.engine != "triton":
        assert {"input", "output"} <= {rule.quantity for rule in mapping.meters}
    # A histogram of all tokens in one step: never a register.
    assert not any("iteration_tokens" in name for name in mapping.register_names)
    # A label is kept, or summed, or repeats: an endpoint's meters stay few.
    assert all(len(rule.keep) <= 4 for rule in mapping.meters)


def test_an_engine_without_counters_says_why_and_who_meters_it() -> None:
    mapping = load_mappings()["ollama"]
    assert not mapping.readable
    assert mapping.how_metered == (
        "Ollama has no page of counters. Its tokens are metered by the usage events of the gateway in front of it."
    )
    assert load_mappings()["vllm"].how_metered == "registers of /metrics"


def test_hints_of_a_counter_and_of_a_histogram() -> None:
    assert created_name("vllm:prompt_tokens_total") == "vllm:prompt_tokens_created"
    assert created_name("lightllm_cache_length_sum") == "lightllm_cache_length_created"
    mappings = load_mappings()
    assert "process_start_time_seconds" in mappings["vllm"].hint_names
    assert "vllm:prompt_tokens_created" in mappings["vllm"].hint_names
    assert mappings["sglang"].hint_names == frozenset()


def test_a_histogram_is_read_by_its_sum() -> None:
    assert "tgi_request_input_length_sum" in load_mappings()["tgi"].register_names


def test_a_persons_file_adds_an_engine_and_replaces_a_built_in_one(tmp_path: Path) -> None:
    write(tmp_path, MINE)
    write(tmp_path, MINE.replace('"mine"', '"tgi"', 1), "mytgi.toml")
    mappings = load_mappings(tmp_path)
    assert mappings["mine"].page == "/stats"
    assert mappings["tgi"].title == "My engine"
    assert "vllm" in mappings


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        (('engine = "mine"', 'engine = "My Engine"'), "$.engine", "matching regex"),
        (('page = "/stats"', 'page = "stats"'), "$.page", "matching regex"),
        (('title = "My engine"', ""), "$", "the fields engine, title"),
        (('title = "My engine"', 'titel = "x"\ntitle = "My engine"'), "$", "the fields engine, title"),
        (
            ('cached_tokens = "inside"', 'cached_tokens = "perhaps"'),
            "$.cached_tokens",
            "one of inside, outside, unreported",
        ),
        (('quantity = "input"', 'quantity = "tokens"'), "$.meters[0].quantity", "one of input, cached_input"),
        (('quantity = "input"', 'quantity = "input"\ncolour = 1'), "$.meters[0]", "the fields quantity, series"),
        (('["mine_prompt_total"]', "[]"), "$.meters[0].series", "length >= 1"),
        (('["mine_prompt_total"]', '["mine prompt"]'), "$.meters[0].series[0]", "matching regex"),
        (('["mine_prompt_total"]', '["a", "a"]'), "$.meters[0]", "each once"),
        (('["mine_prompt_total"]', '["a"]\nkeep = ["x"]\nsum_over = ["x"]'), "$.meters[0]", "one of the two"),
        (('cached_tokens = "inside"', 'cached_tokens = "outside"'), "$.meters[0]", "add the cached series"),
        (('page = "/stats"', 'page = "/stats"\nversion_series = "v"'), "$.version_series", "both or none"),
        (('page = "/stats"', ""), "$", "the path of the page"),
        (('page = "/stats"', 'page = "/stats"\ncounters = "none"'), "$.counters", "neither of them"),
        (('page = "/stats"', 'page = "/stats"\ndestructive_pages = ["/stats/"]'), "$.page", "another page"),
        (('quantity = "input"', 'quantity = "input"\nversions = "0.9"'), "$.meters[0].versions", ">=0.9.2,<0.11"),
        (
            ('quantity = "input"', 'quantity = "input"\nroles = ["both"]'),
            "$.meters[0].roles[0]",
            "one of unified, prefill",
        ),
        (('"mine_prompt_total"]', '"a"]\nkeep = ["x"]\nrepeats = ["x"]'), "$.meters[0]", "one of the two"),
        (
            ('"mine_prompt_total"]', '"a"]\nwhere = {x = ["1"]}\nwhere_not = {x = ["2"]}'),
            "$.meters[0]",
            "one of the two",
        ),
        (
            ("[[meters]]", '[[known_bugs]]\nwho = "x"\n[[meters]]'),
            "$.known_bugs[0]",
            "the fields where, what, versions",
        ),
    ],
)
def test_a_wrong_file_says_where_and_what_is_expected(
    tmp_path: Path, change: tuple[str, str], where: str, expected: str
) -> None:
    path = write(tmp_path, MINE.replace(*change, 1))
    with pytest.raises(MappingError) as refused:
        load_mapping(path)
    assert (refused.value.path, refused.value.where) == (path, where)
    assert expected in refused.value.expected
    assert str(refused.value).startswith("mine.toml: ")


def test_an_input_that_adds_cached_tokens_twice_is_refused(tmp_path: Path) -> None:
    text = MINE.replace('["mine_prompt_total"]', '["mine_prompt_total"]\noptional = ["mine_cached_total"]')
    text += '[[meters]]\nquantity = "cached_input"\nseries = ["mine_cached_total"]\n'
    with pytest.raises(MappingError, match="cached_tokens is inside"):
        load_mapping(write(tmp_path, text))
    load_mapping(write(tmp_path, text.replace('"inside"', '"outside"')))


def test_broken_toml_two_files_of_one_engine_and_an_absent_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"broken.toml: the file"):
        load_mapping(write(tmp_path, "engine = ", "broken.toml"))
    (tmp_path / "broken.toml").unlink()
    write(tmp_path, MINE)
    write(tmp_path, MINE, "second.toml")
    with pytest.raises(MappingError, match="in another file too"):
        load_mappings(tmp_path)
    with pytest.raises(MappingError, match="is not there"):
        load_mappings(tmp_path / "absent")


def test_no_meters_and_no_reason_are_refused(tmp_path: Path) -> None:
    head = 'engine = "mine"\ntitle = "Mine"\n'
    with pytest.raises(MappingError, match=r"\$.meters: there are none"):
        load_mapping(write(tmp_path, head + 'page = "/metrics"\n'))
    with pytest.raises(MappingError, match=r"\$.why: is missing"):
        load_mapping(write(tmp_path, head + 'counters = "none"\n'))
    assert not load_mapping(write(tmp_path, head + 'counters = "none"\nwhy = "It has none."\n')).readable


DESTRUCTIVE = ["/metrics", "/metrics/", "//metrics", "/./metrics?x=1", "/%6Detrics", "/METRICS", "/trt/metrics"]


@pytest.mark.parametrize("path", [*DESTRUCTIVE, "/perf_metrics"])
@pytest.mark.parametrize(
    ("name", "meter"),
    [
        ('engine = "tensorrt_llm"', 'series = ["mine_total"]'),
        ('engine = "mine"\nlistener_words = ["trtllm-serve"]', 'series = ["mine_total"]'),
        ('engine = "mine"', 'series = ["trtllm_prompt_tokens_total"]'),
    ],
)
def test_a_persons_file_may_not_read_a_page_that_each_read_empties(
    tmp_path: Path, path: str, name: str, meter: str
) -> None:
    """By name, by listener or by series: whatever is about TensorRT-LLM."""
    text = f'{name}\ntitle = "Mine"\npage = "{path}"\n[[meters]]\nquantity = "output"\n{meter}\n'
    write(tmp_path, text)
    with pytest.raises(MappingError, match="emptied by each read") as refused:
        load_mappings(tmp_path)
    assert refused.value.expected == "/prometheus/metrics"
    write(tmp_path, text.replace(path, "/prometheus/metrics"))
    assert load_mappings(tmp_path)


def test_a_worker_that_passes_the_series_on_has_a_page_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, (BUILT_IN_DIR / "dynamo_worker.toml").read_text(encoding="utf-8"), "dynamo_worker.toml")
    assert load_mappings(tmp_path)["dynamo_worker"].page == "/metrics"


def test_a_value_is_known_to_one_unit_of_the_last_digit_that_the_page_prints() -> None:
    mapping = load_mappings()["llamacpp"]
    assert [mapping.resolution(value) for value in (0, 999_999, 1_000_000, 9_999_990, 10**8)] == [1, 1, 10, 10, 1_000]
    assert load_mappings()["vllm"].resolution(10**15) == 1


@pytest.mark.parametrize(
    ("engine", "command_line", "role"),
    [
        (
            "vllm",
            """vllm serve m --kv-transfer-config '{"kv_connector":"NixlConnector","kv_role":"kv_producer"}'""",
            "prefill",
        ),
        ("vllm", """vllm serve m --kv-transfer-config '{"kv_role": "kv_consumer"}'""", "decode"),
        ("vllm", """vllm serve m --kv-transfer-config '{"kv_role":"kv_both"}'""", None),
        ("vllm", "vllm serve m --kv-transfer-config.kv_role kv_consumer", "decode"),
        ("vllm", "vllm serve kv_producer", None),
        ("vllm", "vllm serve m --kv_role kv_producer --kv_role kv_consumer", None),
        ("vllm", "vllm serve m", None),
        ("tensorrt_llm", "trtllm-serve m --server_role CONTEXT", "prefill"),
        ("tensorrt_llm", "trtllm-serve serve m --server_role=generation", "decode"),
        ("llamacpp", "llama-server -m kv_producer", None),
    ],
)
def test_a_command_line_can_tell_the_role(engine: str, command_line: str, role: str | None) -> None:
    assert load_mappings()[engine].role_of(command_line) == role


def test_bugs_are_told_of_a_version_that_has_them() -> None:
    vllm = load_mappings()["vllm"]
    assert [bug.where for bug in vllm.bugs_of("0.9.1")] == ["vllm PR 21257 (2025-07)"]
    # What is true of every version is no news of this one.
    assert vllm.bugs_of("0.33.0") == vllm.bugs_of(None) == []
