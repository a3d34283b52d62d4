"""Marks between parts of a line follow the reader's language."""

from django.utils import translation

from portal.punctuation import between, joined


def test_marks_follow_the_active_language() -> None:
    parts = f"node{between('colon')}{joined(['a', 'b'])}{between('comma')}c"
    assert parts == "node: a, b, c"
    with translation.override("zh-hans"):
        assert f"node{between('colon')}{joined(['a', 'b'])}" == "node\N{FULLWIDTH COLON}a\N{IDEOGRAPHIC COMMA}b"
    with translation.override(None):
        assert between("comma") == ", "
