"""Whatever a page does, a program can do too: every use case that pages call is called by the API, or says why not."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
APPS: Final = ("billing", "clusters", "metering", "tenants")

OF_PERSONS: Final = {
    "metering.substituting.decide_substitution": "the second of two persons decides; a key is no person",
    "metering.substituting.propose_substitution": "one person proposes what another decides",
    "tenants.accounts.addresses.keep_address": "a person's own account",
    "tenants.accounts.codes.spend": "a person's own second step",
    "tenants.accounts.leaving.leave": "a person's own account",
    "tenants.accounts.sign_on.keep_provider": "an owner's to say: no key that leaks opens the door (decision 0052)",
    "tenants.accounts.sign_on.remove_provider": "as above",
    "tenants.accounts.sign_on.require_second_step": "as above",
    "tenants.members.accepting.accept": "a person joins",
    "tenants.members.accepting.accept_as_new": "a person joins",
    "tenants.members.changing.leave": "a person leaves",
    "tenants.sign_in.note_attempt": "counts tries of signing in",
}
"""What is a person's alone, and why no key does it."""


def modules() -> Iterator[tuple[str, Path]]:
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            if "migrations" not in file.parts:
                yield ".".join(file.relative_to(ROOT).with_suffix("").parts), file


def is_page(module: str) -> bool:
    return ".pages" in module or module.endswith("_pages")


def is_api(module: str) -> bool:
    return module.endswith((".api", "_api")) or ".api." in module


def called(file: Path) -> set[str]:
    """What a module uses of others, by its whole name."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    known = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    found = set()
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in known:
            found.add(known[node.id])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            found.add(f"{known[node.value.id]}.{node.attr}")
    return found


def writing(file: Path) -> Iterator[str]:
    """The functions of a module that are, or begin, a transaction."""
    text = file.read_text(encoding="utf-8")
    if "atomic" in text:
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and "atomic" in ast.unparse(node):
                yield node.name


def test_programs_can_do_what_pages_do() -> None:
    cases: set[str] = set()
    by_pages: set[str] = set()
    by_programs: set[str] = set()
    for module, file in modules():
        if is_page(module):
            by_pages |= called(file)
        elif is_api(module):
            by_programs |= called(file)
        else:
            cases |= {f"{module}.{name}" for name in writing(file)}
    assert len(cases & by_pages) > 60, "does this still read what use cases are?"
    lacking = (cases & by_pages) - by_programs
    assert lacking - set(OF_PERSONS) == set(), "give it an address of the API"
    assert set(OF_PERSONS) - lacking == set(), "it has one by now: take it off the list"
