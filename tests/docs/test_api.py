"""The API's page names every address, scope and error code as the code has them."""

from __future__ import annotations

import ast
import re
from typing import Any

from django.urls import get_resolver
from rest_framework import exceptions

from metering.checks import Fault
from tenants.api_keys import SCOPES
from tests.docs.pages import ROOT, code, rows_of
from tests.house.test_problems import _all_problems

PAGE = "docs/api.md"
APPS = ("billing", "clusters", "metering", "tenants", "forecourt")
OF_THE_FRAMEWORK = (
    exceptions.NotAuthenticated,
    exceptions.PermissionDenied,
    exceptions.NotFound,
    exceptions.MethodNotAllowed,
    exceptions.NotAcceptable,
    exceptions.UnsupportedMediaType,
    exceptions.ParseError,
)


def errors() -> dict[tuple[str, int], str]:
    rows = rows_of(PAGE, "code", "status")
    found = {(code(row[0]), int(row[1])): row[2] for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_problem_is_listed_with_its_status_and_title() -> None:
    said = errors()
    for problem in _all_problems():
        assert said.get((problem.code, problem.status)) == problem.title, problem


def test_no_code_is_listed_that_nobody_answers() -> None:
    problems = {(one.code, one.status) for one in _all_problems()}
    framework = {(one.default_code, one.status_code) for one in OF_THE_FRAMEWORK}
    sources = "\n".join(path.read_text() for app in APPS for path in (ROOT / app).rglob("*.py"))
    for name, status in errors().keys() - problems - framework:
        assert re.search(rf'(status={status}, )?code="{name}"', sources), name


def test_every_code_of_the_framework_is_listed() -> None:
    assert {(one.default_code, one.status_code) for one in OF_THE_FRAMEWORK} <= errors().keys()


def test_every_code_of_a_rejected_event_is_listed() -> None:
    listed = {code(row[0]) for row in rows_of(PAGE, "code", "meaning")}
    assert listed == _rejections() | {fault.value for fault in Fault}


def _rejections() -> set[str]:
    """The codes that stand in the two modules that read events."""
    found: set[str] = set()
    for name in ("event_items.py", "events.py"):
        module = ast.parse((ROOT / "metering" / name).read_text())
        functions = [one for one in ast.walk(module) if isinstance(one, ast.FunctionDef)]
        for node in (inner for one in functions for inner in ast.walk(one)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Rejected":
                found |= _words(node.args[1])
            if isinstance(node, ast.Assign) and any(
                isinstance(to, ast.Name) and to.id == "code" for to in node.targets
            ):
                found |= _words(node.value)
    return found


def _words(node: ast.expr) -> set[str]:
    if isinstance(node, ast.IfExp):
        return _words(node.body) | _words(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_scopes_are_those_of_the_code() -> None:
    assert {code(row[0]): row[1] for row in rows_of(PAGE, "scope")} == SCOPES


def test_every_address_is_listed_with_its_scope() -> None:
    said = {(row[0], code(row[1])): code(row[2]) for row in rows_of(PAGE, "method")}
    found: dict[tuple[str, str], str] = {}
    for pattern, view in _views(get_resolver().url_patterns, "/"):
        if pattern.startswith("/api/v1/") and not pattern.endswith("schema"):
            address = re.sub(r"<(?:str|slug):(\w+)>", r"<\1>", re.sub(r"<uuid:\w+>", "<id>", pattern))
            scopes = getattr(getattr(view, "view_class", None), "required_scopes", None) or {"POST": ""}
            found |= {(method, address): scope for method, scope in scopes.items()}
    assert said == found


def _views(patterns: list[Any], before: str) -> list[tuple[str, Any]]:
    found = []
    for one in patterns:
        path = before + str(one.pattern)
        found += _views(one.url_patterns, path) if hasattr(one, "url_patterns") else [(path, one.callback)]
    return found
