"""What is run states its licence, may be run by everyone, and is listed."""

from __future__ import annotations

import re
from email.message import Message
from pathlib import Path

import pytest

from forecourt.licences import UNSTATED, Package, installed, locked, page, stated

ROOT = Path(__file__).parents[2]
LISTED = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
# Who runs these as a service must give its own source away.
NOT_TAKEN = re.compile(r"\b(A?GPL|Affero|SSPL|GNU General)", re.IGNORECASE)
STATES_NONE = {"saxonche"}
"""Packages without a word of it: the Mozilla Public License 2.0 stands in SaxonC's own papers."""


def told(**fields: str | list[str]) -> Message:
    """Metadata of a package."""
    message = Message()
    for name, value in fields.items():
        for one in [value] if isinstance(value, str) else value:
            message[name.replace("_", "-")] = one
    return message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License_Expression": "MIT"}, "MIT"),
        ({"License_Expression": "MIT", "License": "BSD"}, "MIT"),
        ({"License": " Apache-2.0 "}, "Apache-2.0"),
        ({"License": "x" * 60}, "x" * 60),
        ({"License": "x" * 61}, UNSTATED),
        (
            {"License": "MIT License\n\nCopyright (c)", "Classifier": "License :: OSI Approved :: MIT License"},
            "MIT License",
        ),
        ({"Classifier": ["License :: OSI Approved :: A", "Topic :: B", "License :: OSI Approved :: C"]}, "A, C"),
        ({"Classifier": "Topic :: B"}, UNSTATED),
        ({}, UNSTATED),
    ],
)
def test_a_licence_is_named_as_its_package_names_it(fields: dict[str, str | list[str]], expected: str) -> None:
    assert stated(told(**fields)) == expected


def test_a_lock_file_names_each_package_once_and_its_hashes_are_none() -> None:
    lock = 'b-two==1.0 ; python_version < "3.12" \\\n    --hash=sha256:aa==\nb-two==2.0 \\\n    --hash=sha256:bb\n'
    lock += "A.one==1\n"
    assert locked(lock) == ["A.one", "b-two"]


def test_what_is_for_another_system_is_left_out() -> None:
    assert [one.name for one in installed(["django", "no-such-package-here"])] == ["django"]


def test_a_page_has_a_row_for_each() -> None:
    text = page([Package("one", "MIT"), Package("two", "BSD-3-Clause")])
    assert text.startswith("# Licences\n")
    assert text.endswith("|---|---|\n| one | MIT |\n| two | BSD-3-Clause |\n")


def rows() -> dict[str, str]:
    return dict(re.findall(r"^\| (\S+) \| (.+) \|$", LISTED, re.MULTILINE)[1:])


def test_the_list_is_as_the_lock_file_says() -> None:
    names = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    found = {one.name: one.licence for one in installed(names)}
    # A row for another system or version of Python stays; what is installed here must be there as it is.
    assert set(rows()) <= set(names), "run: python manage.py write_licences"
    assert {name: rows().get(name) for name in found} == found, "run: python manage.py write_licences"


def test_nothing_binds_who_runs_it_to_publish_their_own() -> None:
    assert len(rows()) > 50
    for name, licence in rows().items():
        # The Lesser one lets a program call the library.
        assert not NOT_TAKEN.search(licence.replace("LGPL", "")), name
        assert (licence == UNSTATED) == (name in STATES_NONE), name
