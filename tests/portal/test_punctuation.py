"""Marks between parts of a line follow the reader's language."""

import re
from pathlib import Path

from django.utils import translation

from portal.punctuation import between, joined, one_after_another


def test_marks_follow_the_active_language() -> None:
    parts = f"node{between('colon')}{joined(['a', 'b'])}{between('comma')}c"
    assert parts == "node: a, b, c"
    with translation.override("zh-hans"):
        assert f"node{between('colon')}{joined(['a', 'b'])}" == "node\N{FULLWIDTH COLON}a\N{IDEOGRAPHIC COMMA}b"
        assert between("semicolon") == "\N{FULLWIDTH SEMICOLON}"
    with translation.override(None):
        assert between("comma") == ", "


def test_sentences_stand_one_after_another_without_room_after_a_full_width_stop() -> None:
    assert one_after_another(["One.", "", "Two."]) == "One. Two."
    with translation.override("zh-hans"):
        assert one_after_another(["一。", "", "二。"]) == "一。二。"


def test_styles_put_no_half_width_colon_behind_words() -> None:
    root = Path(__file__).parents[2]
    said = {file.name: re.findall(r'content: attr[^;]*":', file.read_text()) for file in root.glob("*/static/**/*.css")}
    assert "forms.css" in said
    assert {name for name, found in said.items() if found} == set()
