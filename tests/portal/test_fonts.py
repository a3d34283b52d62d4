"""The interface face is cut from the installed package."""

from pathlib import Path

from fontTools.ttLib import TTFont

from portal.fonts import WEIGHTS, cut_fonts


def test_three_small_weights_with_the_letters_that_the_portal_needs(tmp_path: Path) -> None:
    files = cut_fonts(tmp_path / "fonts")
    assert [file.name for file in files] == [f"sans-{weight}.woff2" for weight in WEIGHTS]
    assert sorted(file.name for file in (tmp_path / "fonts").iterdir()) == [file.name for file in files]
    for file in files:
        assert file.stat().st_size < 30_000
        with TTFont(file) as font:
            letters = set(font.getBestCmap())
            digits = {font["hmtx"][font.getBestCmap()[ord(digit)]][0] for digit in "0123456789"}
        assert {ord(letter) for letter in "AZaz09$\N{EURO SIGN}\N{MINUS SIGN}\N{EN DASH}"} <= letters
        assert len(digits) == 1, "digits are equally wide, so that columns of figures line up"


def test_cutting_twice_replaces_the_files(tmp_path: Path) -> None:
    first = [file.read_bytes() for file in cut_fonts(tmp_path)]
    assert [file.read_bytes()[:4] for file in cut_fonts(tmp_path)] == [content[:4] for content in first]


def test_two_runs_at_once_leave_each_others_files_alone(tmp_path: Path) -> None:
    """A run that begins while another is about to put its file in place."""
    for process in (1, 2):
        (tmp_path / f"sans-400.{process}.part").write_bytes(b"half a font")
    cut_fonts(tmp_path)
    assert {file.name for file in tmp_path.glob("*.part")} == {"sans-400.1.part", "sans-400.2.part"}
