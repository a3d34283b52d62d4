"""The rules of the house that no other tool holds: size of rooms, tests that mirror modules, answers, isolation."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
APPS = ("forecourt", "billing", "metering", "clusters", "tenants", "portal")
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
PARTS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements stand within others."""
LOOSE_ENDS = re.compile(
    r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover|pytest\.mark\.skip|xfail|mock\.patch"
)
BUCKETS = {"utils", "common", "core", "helpers", "services", "misc"}


def tracked(*suffixes: str) -> list[Path]:
    """Files of the project: those git knows, and those new to it that it does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    names = [name for name in listing.split("\0") if name.endswith(suffixes)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for path in tracked(".py") if "migrations" not in path.parts]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module: they are statements, so that no expression needs a look."""
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for part in PARTS:
            waiting += getattr(node, part, ())


@pytest.mark.unmeasured
def test_no_function_is_longer_than_a_screen() -> None:
    too_long = []
    for path in sources():
        text = path.read_text()
        if text.count("\n") < FUNCTION_LINES_MAX:
            continue
        for node in functions(text):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                too_long.append(f"{relative(path)}:{node.lineno} {node.name} has {lines} lines")
    assert not too_long, "\n".join(too_long)


def test_functions_are_found_wherever_they_stand() -> None:
    text = "class A:\n  def a(self):\n    if a:\n      pass\n    else:\n      async def b(): pass\n"
    text += "try: pass\nexcept A:\n  def c(): pass\nfinally:\n  with a:\n    for a in b:\n      def d(): pass\n"
    text += "match a:\n  case 1:\n    while a:\n      def e(): pass\n"
    assert {one.name for one in functions(text)} == set("abcde")


def test_no_file_outgrows_its_room() -> None:
    files = [path for path in tracked(".py", ".html", ".css", ".js") if "migrations" not in path.parts]
    too_long = [
        f"{relative(path)} has {lines} lines"
        for path in files
        if (lines := path.read_text().count("\n")) > FILE_LINES_MAX
    ]
    assert not too_long, "\n".join(too_long)


def test_no_loose_ends() -> None:
    this_folder = Path(__file__).parent
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in tracked(".py", ".html", ".css", ".js", ".sh", ".toml")
        if this_folder not in path.parents
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if LOOSE_ENDS.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_bucket_modules() -> None:
    found = [relative(path) for path in sources() if path.stem in BUCKETS or BUCKETS & set(path.parts[:-1])]
    assert not found


def test_every_app_has_migrations_or_no_models() -> None:
    for app in APPS:
        has_models = (ROOT / app / "models.py").exists() or (ROOT / app / "models").is_dir()
        assert has_models == (ROOT / app / "migrations" / "__init__.py").exists(), app


def test_no_inline_script_style_or_handler_in_templates() -> None:
    forbidden = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", re.IGNORECASE)
    found = [
        f"{relative(path)}:{number}: {line.strip()[:100]}"
        for path in tracked(".html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not found, "\n".join(found)


def test_tests_are_at_least_half_of_the_python() -> None:
    lines = {True: 0, False: 0}
    for path in sources():
        if path.is_relative_to(ROOT / "bench"):
            continue
        lines[path.is_relative_to(ROOT / "tests")] += path.read_text().count("\n")
    assert lines[True] >= lines[False], f"{lines[True]} lines of tests for {lines[False]} lines of product"


@pytest.mark.parametrize("app", APPS)
def test_every_test_module_mirrors_a_module(app: str) -> None:
    folder = ROOT / "tests" / app
    strays = []
    for path in sorted(folder.rglob("test_*.py")):
        module = ROOT / app / path.parent.relative_to(folder) / path.name.removeprefix("test_")
        stem = module.with_suffix("")
        candidates = [module, stem / "__init__.py", *module.parent.glob(f"{stem.name.split('__')[0]}.py")]
        if not any(candidate.exists() for candidate in candidates):
            strays.append(relative(path))
    assert not strays, f"no module for: {', '.join(strays)} (name it test_<module>.py or test_<module>__<aspect>.py)"
