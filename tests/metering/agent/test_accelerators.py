"""Exporters of accelerators as data: what a file must be, and what is said of a wrong one."""

from pathlib import Path

import pytest

from metering.agent.accelerators import BUILT_IN_DIR, UNITS, load_accelerator, load_accelerators
from metering.agent.engines import MappingError

MINE = """
accelerator = "mine"
title = "My exporter"
page = "/stats"
default_port = 9999
id_labels = ["uuid"]
cannot_tell = []

[[readings]]
quantity = "power_mw"
unit = "W"
any_of = ["mine_power"]
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_built_in_file_is_a_mapping_of_its_own_name() -> None:
    mappings = load_accelerators()
    assert set(mappings) == {path.stem for path in BUILT_IN_DIR.glob("*.toml")}
    assert {
        "all_smi", "amd", "ascend", "cambricon", "dcgm_exporter", "gaudi", "neuron", "nvidia_gpu_exporter", "tpu"
    } == set(mappings)  # fmt: skip


def test_power_is_never_made_into_energy() -> None:
    """A register of energy is on the page or unknown: a file cannot ask for an integral of watts."""
    assert set(UNITS["energy_mj"]) & set(UNITS["power_mw"]) == set()
    for mapping in load_accelerators().values():
        if not any(rule.quantity == "energy_mj" for rule in mapping.readings):
            assert any("energy" in sentence for sentence in mapping.cannot_tell), mapping.accelerator


def test_a_persons_file_adds_an_exporter_and_replaces_a_built_in_one(tmp_path: Path) -> None:
    write(tmp_path, MINE)
    write(tmp_path, MINE.replace('"mine"', '"amd"', 1), "amd.toml")
    mappings = load_accelerators(tmp_path)
    assert (mappings["mine"].page, mappings["amd"].title) == ("/stats", "My exporter")
    assert "gaudi" in mappings


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        (('accelerator = "mine"', 'accelerator = "My Card"'), "$.accelerator", "matching regex"),
        (('page = "/stats"', 'page = "stats"'), "$.page", "matching regex"),
        (("default_port = 9999", "default_port = 0"), "$.default_port", ">= 1"),
        (('title = "My exporter"', ""), "$", "the fields accelerator, title"),
        (('title = "My exporter"', 'titel = "x"\ntitle = "My exporter"'), "$", "the fields accelerator, title"),
        (('id_labels = ["uuid"]', "id_labels = []"), "$.id_labels", "length >= 1"),
        (('quantity = "power_mw"', 'quantity = "power"'), "$.readings[0].quantity", "one of energy_mj, power_mw"),
        (('quantity = "power_mw"', 'quantity = "power_mw"\ncolour = 1'), "$.readings[0]", "the fields quantity, unit"),
        (('unit = "W"', 'unit = "J"'), "$.readings[0].unit", "one of W, mW, uW for power_mw"),
        (('["mine_power"]', "[]"), "$.readings[0].any_of", "length >= 1"),
        (('["mine_power"]', '["mine power"]'), "$.readings[0].any_of[0]", "matching regex"),
        (('["mine_power"]', '["a"]\nplus = ["a"]'), "$.readings[0]", "each once"),
        (('["mine_power"]', '["a"]\ntype = "counter"'), "$.readings[0].type", "gauge: only energy adds up"),
        (('["mine_power"]', '["a"]\ntype = "histogram"'), "$.readings[0].type", "one of counter, gauge"),
        (('["mine_power"]', '["a"]\ncombine = "last"'), "$.readings[0].combine", "one of largest, sum, mean"),
        (('id_labels = ["uuid"]', 'id_labels = ["uuid"]\nid_scope = "rack"'), "$.id_scope", "one of global, node"),
        (
            ('id_labels = ["uuid"]', 'id_labels = ["uuid"]\nprofile_label = "p"'),
            "$.profile_label",
            "instance_label beside it",
        ),
    ],
)
def test_a_wrong_file_says_where_and_what_is_expected(
    tmp_path: Path, change: tuple[str, str], where: str, expected: str
) -> None:
    path = write(tmp_path, MINE.replace(*change, 1))
    with pytest.raises(MappingError) as refused:
        load_accelerator(path)
    assert (refused.value.path, refused.value.where) == (path, where)
    assert expected in refused.value.expected
    assert str(refused.value).startswith("mine.toml: ")


def test_a_mean_of_energy_is_refused(tmp_path: Path) -> None:
    text = MINE.replace("power_mw", "energy_mj").replace('"W"', '"J"\ncombine = "mean"')
    with pytest.raises(MappingError, match="a mean of energy registers"):
        load_accelerator(write(tmp_path, text))


def test_broken_toml_two_files_of_one_exporter_and_an_absent_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"broken.toml: the file"):
        load_accelerator(write(tmp_path, "accelerator = ", "broken.toml"))
    (tmp_path / "broken.toml").unlink()
    write(tmp_path, MINE)
    write(tmp_path, MINE, "second.toml")
    with pytest.raises(MappingError, match="in another file too"):
        load_accelerators(tmp_path)
    with pytest.raises(MappingError, match="is not there"):
        load_accelerators(tmp_path / "absent")
