"""A picture in few colours is still the page: what is small on it keeps its colour."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from tests.pictures.taking import reduced

ORANGE = (189, 92, 18)
NEAR = 8
"""Of 255: nobody sees it."""


def test_a_small_swatch_keeps_its_colour_beside_many_greys() -> None:
    greys = Image.new("RGB", (400, 300), (244, 245, 247))
    for grey in range(200):
        greys.paste((grey, grey, grey + 8), (grey * 2, 0, grey * 2 + 2, 300))
    greys.paste(ORANGE, (10, 10, 19, 19))
    written = BytesIO()
    greys.save(written, "PNG")
    kept = Image.open(BytesIO(reduced(written.getvalue()))).convert("RGB").getpixel((14, 14))
    assert isinstance(kept, tuple)
    assert max(abs(a - b) for a, b in zip(kept, ORANGE, strict=True)) <= NEAR
