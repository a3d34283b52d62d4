"""Every kind of event that webhooks promise is told somewhere in the product, and nothing else is."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tenants.hooks.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
APPS = ("billing", "clusters", "metering", "tenants")
TABLE = ROOT / "tenants" / "hooks" / "kinds.py"
TELLING = frozenset({"tenants.hooks.emitting", "billing.telling", "metering.telling"})
NAMES = "tenants.hooks.kinds"
AWAITED = frozenset({"budget.threshold"})
"""Promised for rooms that are being built."""


def modules(*words: str) -> Iterator[ast.Module]:
    """The modules that say one of some words; only those are parsed."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            text = path.read_text()
            if path != TABLE and any(word in text for word in words):
                yield ast.parse(text)


def tells(module: ast.Module) -> bool:
    """Whether a module can tell: it takes the name of something that writes to the outbox, or is such a module."""
    imported = {node.module for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names}
    return bool(imported & TELLING) or NAMES in imported


def words(module: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_kind_has_a_module_that_tells_it() -> None:
    said = set().union(*(words(module) for module in modules(*TELLING, NAMES) if tells(module)))
    assert set(KINDS) - said - {"endpoint.test"} <= AWAITED


def test_a_kind_named_in_a_call_is_one_that_there_is() -> None:
    families = {kind.partition(".")[0] for kind in KINDS}
    for module in modules("kind="):
        for node in ast.walk(module):
            if not (isinstance(node, ast.keyword) and node.arg == "kind" and isinstance(node.value, ast.Constant)):
                continue
            kind = node.value.value
            if isinstance(kind, str) and "." in kind and kind.partition(".")[0] in families:
                assert kind in KINDS
