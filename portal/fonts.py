"""Cuts the interface face out of the installed font package, so that no font file is kept in the
repository.
"""

from os import getpid
from pathlib import Path

from font_hanken_grotesk import HankenGrotesk, HankenGroteskMedium, HankenGroteskSemiBold
from fontTools.subset import Options, Subsetter, load_font, parse_unicodes, save_font

FOLDER = Path(__file__).parent / "static" / "portal" / "fonts"
WEIGHTS = {400: HankenGrotesk, 500: HankenGroteskMedium, 600: HankenGroteskSemiBold}
PARTS = {
    "": "20-7E,A0,A3,A5,A7,A9,AB,B0,B1,B5,B7,BB,D7,F7,2010-2026,2032,20AC,2190-2193,2212,2260,2264,2265",
    "-more": "A1,A2,A4,A6,A8,AA,AC-AF,B2-B4,B6,B8-BA,BC-D6,D8-F6,F8-FF",
}
"""What every page has, and letters with marks, which a browser asks for where a page has one: in `tokens.css` too."""
FILES = [f"sans-{weight}{part}.woff2" for weight in WEIGHTS for part in PARTS]
FEATURES = ["kern"]
"""A ligature of f and i is a tenth of a file, and an accent comes with its letter."""


def are_cut(folder: Path) -> bool:
    """Whether ``folder`` holds every file, which it does not where an earlier version cut fewer."""
    return all((folder / name).exists() for name in FILES)


def cut_fonts(folder: Path) -> list[Path]:
    """Writes ``sans-400.woff2`` and ``sans-400-more.woff2`` and the same of 500 and 600 (Latin, about 12 and 7 KB each)
    into ``folder``.

    Each file is replaced as a whole, from one of the run's own, so that two runs at once cannot leave half a font nor
    take each other's away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for weight, source in WEIGHTS.items():
        for part, letters in PARTS.items():
            target = folder / f"sans-{weight}{part}.woff2"
            _cut(source, letters, target)
            written.append(target)
    return written


def _cut(source: Path, letters: str, target: Path) -> None:
    options = Options(flavor="woff2", layout_features=FEATURES)
    fresh = target.with_suffix(f".{getpid()}.part")
    with load_font(str(source), options) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=parse_unicodes(letters))
        subsetter.subset(font)
        save_font(font, str(fresh), options)
    fresh.replace(target)
