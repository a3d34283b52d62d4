"""The page on engines says what the mappings say, row by row; its worked example is run."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import msgspec
import pytest

from metering.agent.command import main
from metering.agent.engines import EngineMapping, KnownBug, MeterRule, load_mappings
from metering.agent.epochs import OTHER_PROCESS_READS_MAX
from metering.agent.observe import METERS_PER_ENDPOINT_MAX
from tests.docs.pages import blocks_of, cells_of, rows_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/engines.md"
MAPPINGS = load_mappings()


def engine_row(mapping: EngineMapping) -> str:
    """The row of an engine in the first table."""
    quantities = dict.fromkeys(rule.quantity for rule in mapping.meters)
    pages = " or ".join(f"`{page}`" for page in (mapping.page, *mapping.old_pages) if page)
    cells = [
        f"`{mapping.engine}`",
        mapping.title,
        mapping.covers,
        pages or "none",
        str(mapping.default_port or "–"),
        mapping.cached_tokens if mapping.readable else "–",
        ", ".join(quantities) or "nothing: the gateway's events",
        start_markers(mapping),
        mapping.cannot_tell,
    ]
    return f"| {' | '.join(cells)} |"


def start_markers(mapping: EngineMapping) -> str:
    """What on a page or behind it tells one life of the counters from the next, the most trusted first."""
    names = {"created": "`_created`", "process_start": "`process_start_time_seconds`"}
    markers = [names[hint] for hint in mapping.epoch_hints]
    if mapping.epoch_header:
        markers.append(f"header `{mapping.epoch_header}`")
    if mapping.process_proves_reset:
        markers.append("the process")
    return ", ".join(markers) or "none"


def series_row(mapping: EngineMapping, rule: MeterRule) -> str:
    """The row of one way to read a quantity in the second table."""
    series = " + ".join([*(f"`{name}`" for name in rule.series), *(f"`{name}` where there" for name in rule.optional)])
    only = [f"role {', '.join(rule.roles)}"] if rule.roles else []
    only += [f"version {rule.versions}"] if rule.versions else []
    only += [f"`{label}` {_values(values)}" for label, values in rule.where.items()]
    only += [f"`{label}` not {_values(values)}" for label, values in rule.where_not.items()]
    repeats = [f"once over {_names(rule.repeats)}"] if rule.repeats else []
    summed = [*repeats, *([_names(rule.sum_over)] if rule.sum_over else [])]
    cells = [
        f"`{mapping.engine}`",
        rule.quantity,
        series,
        rule.type,
        "; ".join(only),
        "; ".join(summed),
        _names(rule.keep),
    ]
    return f"| {' | '.join(cells)} |"


def _names(labels: list[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _values(values: list[str]) -> str:
    return ", ".join(value or "absent" for value in values)


def bug_row(mapping: EngineMapping, bug: KnownBug) -> str:
    """The row of a known bug in the third table."""
    return f"| `{mapping.engine}` | {bug.versions or 'all'} | {bug.where} | {bug.what} |"


def _cells(rows: list[str]) -> list[list[str]]:
    return [cells_of(row) for row in rows]


def test_every_engine_is_listed_as_its_mapping_says() -> None:
    assert rows_of(PAGE, "engine", "name") == _cells([engine_row(mapping) for mapping in MAPPINGS.values()])
    assert list(MAPPINGS) == sorted(MAPPINGS)


def test_every_series_is_listed_in_the_order_in_which_it_is_tried() -> None:
    assert rows_of(PAGE, "engine", "class") == _cells(
        [series_row(mapping, rule) for mapping in MAPPINGS.values() for rule in mapping.meters]
    )


def test_every_known_bug_is_listed() -> None:
    assert rows_of(PAGE, "engine", "versions") == _cells(
        [bug_row(mapping, bug) for mapping in MAPPINGS.values() for bug in mapping.known_bugs]
    )


def test_the_fields_of_a_mapping_are_all_explained() -> None:
    listed = [re.findall(r"`(\w+)`", row[0])[0] for row in rows_of(PAGE, "field")]
    fields = [field.name for kind in (EngineMapping, MeterRule) for field in msgspec.structs.fields(kind)]
    assert listed == fields


def test_limits() -> None:
    assert f"{METERS_PER_ENDPOINT_MAX} meters" in text_of(PAGE)
    assert f"{OTHER_PROCESS_READS_MAX} reads in a row" in text_of(PAGE)


def test_the_worked_example_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mapping,) = blocks_of(PAGE, "toml")
    (page,) = blocks_of(PAGE, "prom")
    command, *report = blocks_of(PAGE, "console")[0].splitlines(keepends=True)
    name = tomllib.loads(mapping)["engine"]
    (tmp_path / f"{name}.toml").write_text(mapping, encoding="utf-8")
    (tmp_path / "saved.prom").write_text(page, encoding="utf-8")
    assert command == f"$ forecourt agent check-engine {name}.toml --page saved.prom\n"
    assert main(["check-engine", str(tmp_path / f"{name}.toml"), "--page", str(tmp_path / "saved.prom")]) == 0
    assert capsys.readouterr().out == "".join(report)
    assert name in load_mappings(tmp_path)
