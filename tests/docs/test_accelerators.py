"""The page on accelerators says what the code and the mapping files say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.agent.accelerators import UNITS, CardRule, load_accelerator, load_accelerators
from metering.agent.card_pages import observe_cards
from metering.agent.exposition import parse_page
from metering.agent.nvml import CardReading, HealthReading
from metering.agent.nvml_calls import DRIVER_GONE, EMPTY, ENVIRONMENT, LOST, UNKNOWN_ERROR, UNSUPPORTED
from tests.docs.pages import blocks_of, code, rows_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/accelerators.md"


def test_every_exporter_is_listed_with_what_its_file_says() -> None:
    rows = []
    for name, mapping in sorted(load_accelerators().items()):
        read = dict.fromkeys(f"`{rule.quantity}` ({rule.unit})" for rule in mapping.readings)
        pace = f"`:{mapping.default_port}{mapping.page}`, {mapping.interval_s} s"
        rows.append([f"`{name}`", mapping.title, pace, ", ".join(read), "; ".join(mapping.cannot_tell)])
    assert rows_of(PAGE, "exporter") == rows


def test_every_vendor_names_its_mapping_and_says_where_energy_is_unknown() -> None:
    mappings = load_accelerators()
    seen = set()
    for row in rows_of(PAGE, "card", "source"):
        names = row[1].split("`")[1::2]
        seen |= set(names)
        for name in names:
            known = any(rule.quantity == "energy_mj" for rule in mappings[name].readings)
            assert known or "**unknown**" in row[2], name
    assert seen == set(mappings)


def test_every_field_of_nvml_is_listed() -> None:
    fields = {*CardReading.__struct_fields__, *HealthReading.__struct_fields__} - {"uuid", "instances"}
    assert {code(row[0]) for row in rows_of(PAGE, "field", "NVML")} == fields


def test_every_error_is_listed_with_its_reason() -> None:
    groups = [UNSUPPORTED, EMPTY, DRIVER_GONE, LOST, ENVIRONMENT, {UNKNOWN_ERROR}]
    rows = rows_of(PAGE, "code", "reason")
    assert [{int(each) for each in row[0].split(", ")} for row in rows[:-1]] == [set(group) for group in groups]
    assert rows[-1][0] == "any other"


def test_the_file_of_ones_own_is_one_and_reads_its_page(tmp_path: Path) -> None:
    path = tmp_path / "moore_threads.toml"
    (text,) = [block for block in blocks_of(PAGE, "toml") if "moore_threads" in block]
    path.write_text(text, encoding="utf-8")
    mapping = load_accelerator(path)
    page = (
        'mtgpu_power_watts{uuid="a1",name="MTT S4000",sn="77"} 212.5\n'
        'mtgpu_util{uuid="a1",name="MTT S4000",sn="77"} 0.83\n'
        'mtgpu_memory_used_bytes{uuid="a1",name="MTT S4000",sn="77"} 1073741824\n'
        'mtgpu_memory_used_bytes{uuid="a1",name="MTT S4000",sn="77",vgpu="1"} 9e9\n'
    )
    seen = observe_cards(parse_page(page.encode(), mapping.series), mapping, "node-1")
    (card,) = seen.cards.values()
    assert (card.uuid, card.serial, card.model) == ("MTT-a1", "77", "MTT S4000")
    assert card.values == {"power_mw": 212_500, "utilisation_percent": 83, "memory_used_mib": 1_024}


def test_the_units_in_the_comments_are_all_there_are() -> None:
    text = text_of(PAGE)
    for units in UNITS.values():
        assert all(f"`{unit}`" in text or unit in text for unit in units)
    for name in ("plus", "combine", "where", "type"):
        assert name in CardRule.__struct_fields__
        assert name in text
