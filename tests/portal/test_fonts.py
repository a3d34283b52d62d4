"""The interface face is cut from the installed package."""

import re
from pathlib import Path

import pytest
from fontTools.subset import parse_unicodes
from fontTools.ttLib import TTFont

from portal.fonts import FILES, FOLDER, PARTS, WEIGHTS, are_cut, cut_fonts


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a first run makes, in a folder that was not there."""
    return cut_fonts(tmp_path_factory.mktemp("look") / "fonts")


def letters_of(file: Path) -> set[int]:
    with TTFont(file) as font:
        return set(font.getBestCmap())


def test_three_small_weights_with_the_letters_that_the_portal_needs(cut: list[Path]) -> None:
    assert [file.name for file in cut] == FILES
    assert sorted(cut[0].parent.iterdir()) == sorted(cut)
    for file in cut[::2]:
        assert file.stat().st_size < 13_000
        with TTFont(file) as font:
            digits = {font["hmtx"][font.getBestCmap()[ord(digit)]][0] for digit in "0123456789"}
        assert {ord(letter) for letter in "AZaz09§×·€\N{MINUS SIGN}\N{EN DASH}"} <= letters_of(file)
        assert len(digits) == 1, "digits are equally wide, so that columns of figures line up"


def test_letters_with_marks_stand_apart_and_browsers_are_told_which_they_are(cut: list[Path]) -> None:
    for plain, more in zip(cut[::2], cut[1::2], strict=True):
        assert letters_of(plain) & letters_of(more) == set()
        assert letters_of(plain) | letters_of(more) >= set(range(0xC0, 0x100))
    for name in ("css/tokens.css", "ops.css"):
        style = (FOLDER.parent / name).read_text()
        said = re.findall(r"sans-\d+-more\.woff2.*?unicode-range: ([^;]+);", style)
        assert len(said) == len(WEIGHTS)
        for ranges in said:
            assert set(parse_unicodes(ranges.replace("U+", ""))) == set(parse_unicodes(PARTS["-more"]))


def test_cutting_again_replaces_the_files_and_leaves_those_of_another_run_alone(
    cut: list[Path], tmp_path: Path
) -> None:
    """A run that begins while another is about to put its file in place."""
    for file in cut:
        (tmp_path / file.name).write_bytes(b"an older font")
    for process in (1, 2):
        (tmp_path / f"sans-400.{process}.part").write_bytes(b"half a font")
    again = cut_fonts(tmp_path)
    assert [file.read_bytes()[:4] for file in again] == [file.read_bytes()[:4] for file in cut] == [b"wOF2"] * 6
    assert are_cut(tmp_path)
    (tmp_path / "sans-500-more.woff2").unlink()
    assert not are_cut(tmp_path), "as an earlier version left it"
    assert {file.name for file in tmp_path.glob("*.part")} == {"sans-400.1.part", "sans-400.2.part"}
