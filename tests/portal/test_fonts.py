"""The interface face is cut from the installed package."""

from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from portal.fonts import WEIGHTS, cut_fonts


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a first run makes, in a folder that was not there."""
    return cut_fonts(tmp_path_factory.mktemp("look") / "fonts")


def test_three_small_weights_with_the_letters_that_the_portal_needs(cut: list[Path]) -> None:
    files = cut
    assert [file.name for file in files] == [f"sans-{weight}.woff2" for weight in WEIGHTS]
    assert sorted(file.name for file in files[0].parent.iterdir()) == [file.name for file in files]
    for file in files:
        assert file.stat().st_size < 30_000
        with TTFont(file) as font:
            letters = set(font.getBestCmap())
            digits = {font["hmtx"][font.getBestCmap()[ord(digit)]][0] for digit in "0123456789"}
        assert {ord(letter) for letter in "AZaz09$\N{EURO SIGN}\N{MINUS SIGN}\N{EN DASH}"} <= letters
        assert len(digits) == 1, "digits are equally wide, so that columns of figures line up"


def test_cutting_again_replaces_the_files_and_leaves_those_of_another_run_alone(
    cut: list[Path], tmp_path: Path
) -> None:
    """A run that begins while another is about to put its file in place."""
    for file in cut:
        (tmp_path / file.name).write_bytes(b"an older font")
    for process in (1, 2):
        (tmp_path / f"sans-400.{process}.part").write_bytes(b"half a font")
    again = cut_fonts(tmp_path)
    assert [file.read_bytes()[:4] for file in again] == [file.read_bytes()[:4] for file in cut] == [b"wOF2"] * 3
    assert {file.name for file in tmp_path.glob("*.part")} == {"sans-400.1.part", "sans-400.2.part"}
