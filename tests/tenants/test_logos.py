"""Pictures are looked at by their bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tenants.logos import LOGO_BYTES_MAX, WrongLogo, logo_type


def picture(kind: str, width: int = 40, height: int = 20) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_png_and_jpeg_are_taken(kind: str, media_type: str) -> None:
    assert logo_type(picture(kind)) == media_type
    assert logo_type(picture(kind, 2_000, 1)) == media_type


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_with_too_many_pixels_is_refused(kind: str) -> None:
    with pytest.raises(WrongLogo, match="2001 x 1 pixels"):
        logo_type(picture(kind, 2_001, 1))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "neither PNG nor JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither PNG nor JPEG"),
        (b"GIF89a", "neither PNG nor JPEG"),
        (picture("PNG")[:30], "broken"),
        (picture("PNG")[:-8], "broken"),
        (picture("JPEG")[:20], "broken"),
        (b"\xff\xd8\xff\xe0\x00\x01" + b"\0" * 20, "broken"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * LOGO_BYTES_MAX, "at most 204800"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(WrongLogo, match=why):
        logo_type(content)


def test_a_picture_without_pixels_is_refused() -> None:
    content = bytearray(picture("PNG"))
    content[16:20] = b"\0\0\0\0"
    with pytest.raises(WrongLogo, match="0 x 20"):
        logo_type(bytes(content))
