"""A target is spared axe's look only where no finger misses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

if TYPE_CHECKING:
    from tests.plugins.browser import AxeCheck

pytestmark = pytest.mark.browser

HEAD = """<!doctype html><html lang="en"><title>Sample</title><style>
    body { background: #fff; color: #222; font: 12px sans-serif; }
    button { position: absolute; width: 30px; height: 30px; padding: 0; border: 0; background: #fff; color: #222; }
    .small { width: 16px; height: 16px; } .thin { height: 23px; }
</style><main>"""


def asked(page: Page) -> list[str]:
    """The targets that axe was asked about."""
    found: list[str] = page.evaluate("easyTargets.hard().map(one => one.textContent)")
    return found


def button(name: str, left: int, top: int, kind: str = "") -> str:
    return f"<button class='{kind}' style='left: {left}px; top: {top}px'>{name}</button>"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (button("A", 0, 0) + button("B", 30, 0) + button("C", 0, 30), []),
        (button("A", 0, 0) + button("B", 29, 0) + button("C", 0, 30), ["A", "B"]),
        (button("A", 0, 0, "small") + button("B", 40, 0), []),
        (button("A", 0, 0, "small") + button("B", 39, 0), ["A"]),
        (button("A", 0, 0, "thin") + button("B", 0, 46) + button("C", 30, 0), ["A"]),
        (button("A", 0, 0, "small") + "<p style='position: absolute; top: 20px'>B</p>", []),
        (button("A", 0, 0, "small") + "<div role=region aria-label=B tabindex=0 style='height: 50px'></div>", []),
        (
            button("A", 0, 0, "small") + "<div role=link tabindex=0 style='margin: 20px'>B</div>",
            ["A", "B"],
        ),
    ],
    ids=[
        "side by side",
        "over each other",
        "small, far off",
        "small, near",
        "thin",
        "text",
        "no target",
        "a role",
    ],
)
def test_axe_is_asked_about_targets_that_could_be_missed(
    still: Page, axe: AxeCheck, markup: str, expected: list[str]
) -> None:
    still.set_content(HEAD + markup)
    axe(still)
    assert asked(still) == expected


def test_what_could_be_missed_is_found(still: Page, axe: AxeCheck) -> None:
    still.set_content(HEAD + button("A", 0, 0, "small") + button("B", 18, 0, "small") + button("C", 90, 0))
    assert [(rule, html.split(">")[1]) for rule, html in axe(still)] == [
        ("target-size", "A</button"),
        ("target-size", "B</button"),
    ]


def test_targets_are_asked_about_where_they_are_now(still: Page, axe: AxeCheck) -> None:
    still.set_content(HEAD + button("A", 0, 0, "small") + button("B", 90, 0, "small"))
    assert axe(still) == []
    still.evaluate("document.querySelectorAll('button')[1].style.left = '18px'")
    assert [rule for rule, _ in axe(still)] == ["target-size", "target-size"]
    still.evaluate("document.querySelectorAll('button')[1].style.left = '90px'")
    assert axe(still) == []
