"""The page of journeys and the tests name each other: no job without its test, no test without its words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "journeys.md"
SECTION = re.compile(
    r"^### (?P<title>.+)\n(?P<steps>(?:(?!^#).*\n)*?)^Test: `(?P<file>\w+\.py)` `(?P<name>\w+)`$", re.MULTILINE
)
MONTH = HERE.parent / "test_month_by_mouse.py"
"""One long walk with Stripe and a bank, of which jobs are steps."""


def kept() -> dict[tuple[str, str], str]:
    """The tests of journeys by file and name, with the first line of what they say they do."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        if path == Path(__file__):
            continue
        for one in ast.parse(path.read_text()).body:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
                found[path.name, one.name] = (ast.get_docstring(one) or "").partition("\n")[0].rstrip(".")
    return found


def described() -> dict[tuple[str, str], str]:
    """The sections of the page by the test that each names, with their headings."""
    return {(one["file"], one["name"]): one["title"] for one in SECTION.finditer(PAGE.read_text())}


def steps_of_the_month() -> set[tuple[str, str]]:
    """The steps that the walk of a month really takes."""
    functions = {one.name: one for one in ast.parse(MONTH.read_text()).body if isinstance(one, ast.FunctionDef)}
    calls = [one.func for one in ast.walk(functions["test_a_month_is_run_by_mouse"]) if isinstance(one, ast.Call)]
    return {(MONTH.name, one.id) for one in calls if isinstance(one, ast.Name) and one.id in functions}


def test_each_section_names_its_test_and_each_test_its_section() -> None:
    of_the_month = {name: title for name, title in described().items() if name[0] == MONTH.name}
    assert described() == kept() | of_the_month
    assert of_the_month.keys() <= steps_of_the_month()
    assert len(of_the_month) >= 7


def test_each_heading_is_a_job_with_steps() -> None:
    headings = re.findall(r"^### (.+)$", PAGE.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(described().values()), "a section without a test"
    assert [one["title"] for one in SECTION.finditer(PAGE.read_text()) if not one["steps"].strip()] == []


@pytest.mark.parametrize("path", sorted(HERE.glob("test_*s.py")), ids=lambda path: path.stem)
def test_nobody_types_an_address(path: Path) -> None:
    calls = [one for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Attribute)]
    assert "goto" not in {one.attr for one in calls}
