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
from tests.fakes import engine_pages

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


def test_every_built_in_mapping_is_whole_and_has_a_recorded_page() -> None:
    mappings = load_mappings()
    assert {"vllm", "sglang", "llamacpp", "tgi", "tensorrt_llm", "lmdeploy", "lightllm"} <= mappings.keys()
    for path in BUILT_IN_DIR.glob("*.toml"):
        assert path.stem in mappings, f"{path.name} names another engine"
        assert (engine_pages.FOLDER / f"{path.stem}.txt").exists(), f"no recorded page for {path.stem}"


@pytest.mark.parametrize("mapping", load_mappings().values(), ids=lambda mapping: mapping.engine)
def test_every_built_in_mapping_meters_prompts_and_outputs(mapping: EngineMapping) -> None:
    assert {"input", "output"} <= {rule.quantity for rule in mapping.meters}
    assert mapping.page.startswith("/")
    # A histogram of all tokens in one step: never a register.
    assert not any("iteration_tokens" in name for name in mapping.register_names)


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
        (('cached_tokens = "inside"', 'cached_tokens = "perhaps"'), "$.cached_tokens", ""),
        (('quantity = "input"', 'quantity = "tokens"'), "$.meters[0].quantity", ""),
        (('quantity = "input"', 'quantity = "input"\ncolour = 1'), "$.meters[0]", "the fields quantity, series"),
        (('["mine_prompt_total"]', "[]"), "$.meters[0].series", "length >= 1"),
        (('["mine_prompt_total"]', '["mine prompt"]'), "$.meters[0].series[0]", "matching regex"),
        (('["mine_prompt_total"]', '["a", "a"]'), "$.meters[0]", "each once"),
        (('["mine_prompt_total"]', '["a"]\nkeep = ["x"]\nsum_over = ["x"]'), "$.meters[0]", "one of the two"),
        (('cached_tokens = "inside"', 'cached_tokens = "outside"'), "$.meters[0]", "add the cached series"),
        (('page = "/stats"', 'page = "/stats"\nversion_series = "v"'), "$.version_series", "both or none"),
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
