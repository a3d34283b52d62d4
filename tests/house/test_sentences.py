"""What refuses a person says why in a sentence that can be told in the reader's language.

A reason that is a bare text would stand in English on a Chinese page. Held for every module but those whose refusals
only programs are told.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
APPS: Final = ("tenants", "clusters", "metering", "billing", "forecourt")
ROOTS: Final = {"Problem", "WrongWording", "WrongInstant", "WrongCost", "WrongRule", "WrongFile", "WrongSchedule"}
"""The exceptions whose reasons pages show, with all that are made of them."""
FIELD_FIRST: Final = {"WrongWording", "WrongCost", "WrongRule", "WrongFact", "WrongOutage", "WrongStatement"}
"""Those that name the field first, and say the reason after it."""
FOR_PROGRAMS: Final = (
    "*_api.py",
    "*/api.py",
    "metering/agent/*",
    "metering/compat/*",
    "metering/compat/api/*",
    # What agents, gateways and other programs send.
    *(f"metering/{name}.py" for name in ("acknowledging", "admission", "api_parameters", "billing_reporters")),
    *(f"metering/{name}.py" for name in ("events", "gateway_sources", "ingest", "node_keys", "sent_bodies")),
    *(f"clusters/{name}.py" for name in ("bodies", "enrolment")),
    *(f"tenants/{name}.py" for name in ("api_keys", "authentication", "conditional", "idempotency", "rate_limits")),
    # What only the platform's own code can get wrong, and what commands and tests set up without asking anybody.
    *(f"billing/{name}.py" for name in ("ledger", "term_versions", "documents/beginning")),
    *("forecourt/sample.py", "tenants/hooks/kinds.py"),
)


@cache
def _modules() -> dict[Path, ast.Module]:
    found = sorted(file for app in APPS for file in (ROOT / app).rglob("*.py") if "migrations" not in file.parts)
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in found}


def _refusing(modules: Iterable[ast.Module]) -> set[str]:
    """Return the names of the classes that refuse."""
    classes = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    names = set(ROOTS)
    while True:
        more = {one.name for one in classes if {ast.unparse(base) for base in one.bases} & names} - names
        if not more:
            return names
        names |= more


def _bare(module: ast.Module, refusing: set[str]) -> Iterator[int]:
    """Yield the lines at which something is refused with a text that is no sentence."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in refusing:
            reason = node.args[1:2] if node.func.id in FIELD_FIRST else node.args[:1]
            said_apart = [each.value for each in node.keywords if each.arg in ("said", "reason")]
            if any(isinstance(each, ast.Constant | ast.JoinedStr) for each in said_apart or reason):
                yield node.lineno


def _found(modules: Mapping[Path, ast.Module]) -> list[str]:
    refusing = _refusing(modules.values())
    people = {file: module for file, module in modules.items() if not any(map(file.match, FOR_PROGRAMS))}
    return [f"{file}:{line}" for file, module in people.items() for line in _bare(module, refusing)]


def test_whoever_is_refused_is_told_in_a_sentence() -> None:
    assert _found(_modules()) == []


def _joined(module: ast.Module) -> Iterator[int]:
    """Yield the lines at which a value of a sentence is put together with commas, which Chinese readers would see."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sentence":
            for value in (each.value for each in node.keywords):
                # What a file said itself is quoted as it stood there.
                is_quoted = isinstance(value, ast.Subscript) or (
                    isinstance(value, ast.BoolOp) and isinstance(value.values[0], ast.Subscript)
                )
                if not is_quoted and "', '.join(" in ast.unparse(value):
                    yield node.lineno


def test_no_value_of_a_sentence_is_put_together_with_commas() -> None:
    found = [f"{file}:{line}" for file, module in _modules().items() for line in _joined(module)]
    assert found == []
    assert list(_joined(ast.parse("sentence('%(a)s', a=', '.join(names) or None)"))) == [1]


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('class Late(Problem): ...\nraise Late("It is late.")', ["billing/own.py:2"]),
        ('class Late(Problem): ...\nclass Later(Late): ...\nraise Later(f"It is {at}.")', ["billing/own.py:3"]),
        ('class Late(Problem): ...\nraise Late(sentence("It is late."))', []),
        ('raise WrongWording("at", "It is late.", "now")', ["billing/own.py:1"]),
        ('raise WrongWording("at", sentence("It is late."), "now")', []),
        ('raise Problem(f"at: {late}", said=late.reason)', []),
        ('raise Problem(f"at: {late}", reason="It is late.")', ["billing/own.py:1"]),
    ],
)
def test_a_bare_reason_is_seen_wherever_it_stands(code: str, lines: list[str]) -> None:
    assert _found({Path("billing/own.py"): ast.parse(code)}) == lines


def test_what_only_programs_are_told_is_named_where_it_is() -> None:
    files = [file.relative_to(ROOT) for app in APPS for file in (ROOT / app).rglob("*.py")]
    assert [pattern for pattern in FOR_PROGRAMS if not any(file.match(pattern) for file in files)] == []
