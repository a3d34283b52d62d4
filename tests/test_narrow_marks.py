"""Half-width marks are found wherever they stand beside Chinese words, and figures have none."""

from __future__ import annotations

import pytest

from tests.narrow_marks import narrow_marks


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<p>组织: <b>Quarry</b></p>", {"组织: Quarry"}),
        ("<p><a>node-1</a>: 未见读数</p>", {"node-1: 未见读数"}),
        ("<p>组织\N{FULLWIDTH COLON}<b>Quarry</b>\N{FULLWIDTH COMMA}共 1,000 个、自 12:00 起</p>", set()),
        ("<p>输入<span>, 输出</span></p>", {"输入, 输出"}),
        ('<button aria-label="文件: a">×</button>', {"文件: a"}),
        ("<td>输入</td><td>, </td>", set()),
        ("<p>自 2026年11月18日, 12:00</p>", {"自 2026年11月18日, 12:00"}),
        ("<code>输入: 1</code><p translate='no'>输入, 输出</p><p>好</p>", set()),
    ],
)
def test_half_width_marks_beside_chinese_words_are_found(page: str, found: set[str]) -> None:
    assert narrow_marks(page) == found
