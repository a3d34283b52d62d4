"""A program that has only the document learns where each id of an address comes from."""

from __future__ import annotations

import re

from forecourt.parameter_words import PARAMETER_WORDS, words_of
from tests.api.published import published

PLACE = re.compile(r"`([a-z-]+(?:/[a-z{}_-]+)*)`")


def test_every_parameter_says_what_it_is() -> None:
    for path, methods in published()["paths"].items():
        for method, operation in methods.items():
            untold = [one["name"] for one in operation.get("parameters", []) if not one.get("description")]
            assert untold == [], f"{method} {path}"


def test_every_address_that_is_named_as_a_list_can_be_read() -> None:
    paths = published()["paths"]
    named = set()
    for path, methods in paths.items():
        for operation in methods.values():
            for one in operation.get("parameters", []):
                if one["in"] == "path" and " list" in one["description"]:
                    named.add((path, PLACE.findall(one["description"])[-1]))
    assert len(named) > 60
    assert [(path, name) for path, name in named if "get" not in paths.get(f"/api/v1/{name}", {})] == []


def test_no_words_are_left_over() -> None:
    used = set()
    for path, methods in published()["paths"].items():
        for operation in methods.values():
            for one in operation.get("parameters", []):
                before = path.partition(f"/{{{one['name']}}}")[0] + "/" if one["in"] == "path" else f"{path}?"
                used.add(before.removeprefix("/api/v1/") + one["name"])
    assert set(PARAMETER_WORDS) - used == set()


def test_an_id_is_told_by_the_address_before_it() -> None:
    asked = {"name": "refund_id", "in": "path"}
    assert words_of("/api/v1/refunds/{refund_id}/sent", asked) == "the `id` of one of those that `refunds` lists"
