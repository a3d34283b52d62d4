"""Every domain exception answers a caller: its own code, a status that fits, a title."""

from __future__ import annotations

import importlib
import pkgutil
import re
from http import HTTPStatus
from pathlib import Path

import billing
import clusters
import forecourt
import metering
import tenants
from tenants.problems import Problem

ROOT = Path(__file__).resolve().parents[2]
NOT_IMPORTED = ("metering.agent", "migrations", "forecourt.demo", "forecourt.embedded", "forecourt.wsgi", "__main__")


def _load_everything() -> None:
    for package in (tenants, clusters, metering, billing, forecourt):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not any(part in module.name for part in NOT_IMPORTED):
                importlib.import_module(module.name)


def _all_problems() -> list[type[Problem]]:
    _load_everything()
    found: list[type[Problem]] = []
    waiting = [Problem]
    while waiting:
        for one in waiting.pop().__subclasses__():
            if one.__module__.split(".")[0] != "tests":
                found.append(one)
                waiting.append(one)
    return found


def test_every_problem_maps_to_an_answer() -> None:
    problems = _all_problems()
    assert len(problems) >= 10
    for problem in problems:
        assert 400 <= HTTPStatus(problem.status) < 600, problem
        assert problem.code.isidentifier(), problem
        assert problem.code == problem.code.lower(), problem
        assert problem.title[0].isupper(), problem


EMPTY_REFUSAL = re.compile(r"HttpResponse(Forbidden)?\((status=403)?\)|403\.html")


def test_a_page_that_a_role_does_not_include_says_so() -> None:
    """Whoever's role changes while a form is open reads which roles may: `NotAllowed` leads to that page."""
    pages = [path for app in ("billing", "clusters", "metering", "tenants") for path in (ROOT / app).rglob("*.py")]
    refusing = [path for path in pages if EMPTY_REFUSAL.search(path.read_text())]
    assert [str(path.relative_to(ROOT)) for path in refusing] == []


def test_codes_are_not_shared_by_different_titles() -> None:
    titles: dict[str, str] = {}
    for problem in _all_problems():
        assert titles.setdefault(problem.code, problem.title) == problem.title, problem
