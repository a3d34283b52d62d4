"""English is found wherever people read or hear it, and names are none."""

from __future__ import annotations

import pytest

from tests.english_left import english_left


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<p>30 % of list price</p>", {"of", "list", "price"}),
        ("<p>标价的 30 %、NVIDIA H100 与 quartz-70b、C-0001 · p_1 · a/b</p>", set()),
        ("<p>每百万 token 计价</p>", {"token"}),
        ('<button aria-label="Close it">×</button>', {"Close", "it"}),
        ('<br><img alt="A chart."><p>图</p>', {"chart"}),
        ('<input placeholder="Search"><p>词</p>', {"Search"}),
        ("<p>用 <code>doctor run</code> 查看</p><p>well</p>", {"well"}),
        ('<div lang="en"><p>In English</p></div><p>中文</p>', set()),
        ('<td translate="no">budget</td><td>budget</td>', {"budget"}),
        ("<script>let here = 1</script><p>好</p>", set()),
        ("<p>Sample North 收入 Stripe 账户</p>", {"Stripe"}),
    ],
)
def test_words_of_english_are_found(page: str, words: set[str]) -> None:
    assert english_left(page, ("Sample North",)) == words
