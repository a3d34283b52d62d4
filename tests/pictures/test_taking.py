"""A picture in few colours is still the page: large areas are as they were, and what is small keeps its colour."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from tests.pictures.taking import COLOURS, reduced

CANVAS, ORANGE = (244, 245, 247), (189, 92, 18)
NEAR = 8
"""Of 255: nobody sees it in something small."""


def page() -> Image.Image:
    """A page of many greys and blues, more than are kept, with one small orange swatch."""
    drawn = Image.new("RGB", (400, 300), CANVAS)
    for x in range(400):
        drawn.paste((x % 200, x % 200, x % 200 + x // 8), (x, 100, x + 1, 250))
    drawn.paste(ORANGE, (10, 10, 12, 12))
    return drawn


def shown(drawn: Image.Image) -> Image.Image:
    written = BytesIO()
    drawn.save(written, "PNG")
    return Image.open(BytesIO(reduced(written.getvalue())))


def test_large_areas_keep_their_colour_and_small_ones_nearly() -> None:
    drawn = page()
    assert drawn.getcolors(COLOURS) is None, "more colours than are kept"
    few = shown(drawn)
    assert few.mode == "P"
    again = few.convert("RGB")
    assert again.getpixel((200, 50)) == CANVAS
    swatch = again.getpixel((11, 11))
    assert isinstance(swatch, tuple)
    assert max(abs(a - b) for a, b in zip(swatch, ORANGE, strict=True)) <= NEAR


def test_a_picture_of_few_colours_stays_exactly_as_it_is() -> None:
    drawn = Image.new("RGB", (40, 30), CANVAS)
    drawn.paste(ORANGE, (3, 3, 5, 5))
    assert shown(drawn).convert("RGB").tobytes() == drawn.tobytes()
