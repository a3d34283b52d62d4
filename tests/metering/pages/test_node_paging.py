"""Pages of nodes: which are shown, and what leads on."""

from __future__ import annotations

from metering.pages.node_paging import node_pagination


def test_one_page_has_no_links() -> None:
    assert node_pagination("/p/fleet/", {}, 1, 20, 20) is None
    assert node_pagination("/p/fleet/", {}, 1, 0, 20) is None


def test_a_page_says_which_nodes_it_shows_and_keeps_what_was_asked() -> None:
    first = node_pagination("/p/fleet/", {"q": "west"}, 1, 1_204, 20)
    assert first is not None
    assert (first.summary, first.previous_url) == ("Nodes 1 to 20 of 1,204", "")
    assert first.next_url == "/p/fleet/?q=west&page=2"
    last = node_pagination("/p/fleet/", {"q": "west"}, 61, 1_204, 20)
    assert last is not None
    assert (last.summary, last.next_url) == ("Nodes 1,201 to 1,204 of 1,204", "")
    assert last.previous_url == "/p/fleet/?q=west&page=60"
