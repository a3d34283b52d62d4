"""Cuts the interface face out of the installed font package, so that no font file is kept in the
repository.
"""

from os import getpid
from pathlib import Path

from font_hanken_grotesk import HankenGrotesk, HankenGroteskMedium, HankenGroteskSemiBold
from fontTools.subset import Options, Subsetter, load_font, parse_unicodes, save_font

FOLDER = Path(__file__).parent / "static" / "portal" / "fonts"
WEIGHTS = {400: HankenGrotesk, 500: HankenGroteskMedium, 600: HankenGroteskSemiBold}
RANGES = "20-7E,A0-FF,2010-2026,2032,20AC,2190-2193,2212,2260,2264,2265"
FEATURES = ["kern", "liga", "locl", "mark", "mkmk", "ccmp"]


def cut_fonts(folder: Path) -> list[Path]:
    """Writes ``sans-400.woff2``, ``sans-500.woff2`` and ``sans-600.woff2`` (Latin, about 18 KB each) into
    ``folder``.

    Each file is replaced as a whole, from one of the run's own, so that two runs at once cannot leave half a font nor
    take each other's away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for weight, source in WEIGHTS.items():
        options = Options(flavor="woff2", layout_features=FEATURES)
        target = folder / f"sans-{weight}.woff2"
        fresh = target.with_suffix(f".{getpid()}.part")
        with load_font(str(source), options) as font:
            subsetter = Subsetter(options)
            subsetter.populate(unicodes=parse_unicodes(RANGES))
            subsetter.subset(font)
            save_font(font, str(fresh), options)
        fresh.replace(target)
        written.append(target)
    return written
