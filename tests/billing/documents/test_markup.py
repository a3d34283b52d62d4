from __future__ import annotations

from billing.documents.markup import Node


def test_paths_become_elements_and_empty_texts_nothing() -> None:
    root = Node.root("a:Root", {"a": "urn:sample:a"})
    root.text("a:Outer/a:Inner", "1 < 2", unit="x")
    root.text("a:Outer/a:Empty", "")
    root.at("a:Last")
    assert root.file().decode().splitlines() == [
        "<?xml version='1.0' encoding='utf-8'?>",
        '<a:Root xmlns:a="urn:sample:a">',
        " <a:Outer>",
        '  <a:Inner unit="x">1 &lt; 2</a:Inner>',
        " </a:Outer>",
        " <a:Last />",
        "</a:Root>",
    ]
