"""Pictures that organizations upload: PNG and JPEG within bounds, looked at by their own bytes, never by their name."""

from typing import Final

from tenants.problems import Problem
from tenants.sentences import sentence

LOGO_BYTES_MAX: Final = 200 * 1024
LOGO_PIXELS_MAX: Final = 2_000
"""Pixels a logo may have on each side."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of a JPEG after which its height and width stand."""


class WrongLogo(Problem):
    """The bytes are no picture that is taken."""

    status = 422
    code = "wrong_logo"
    title = "The picture cannot be used as a logo"


def logo_type(content: bytes) -> str:
    """Return the media type of a logo; raises `WrongLogo` for what is no PNG or JPEG, too large, or broken."""
    if len(content) > LOGO_BYTES_MAX:
        raise WrongLogo(
            sentence(
                "The picture has %(count)s bytes: at most %(most)s are taken.", count=len(content), most=LOGO_BYTES_MAX
            ),
            limit=LOGO_BYTES_MAX,
        )
    if content.startswith(_PNG):
        media_type, size = "image/png", _png_size(content)
    elif content.startswith(_JPEG):
        media_type, size = "image/jpeg", _jpeg_size(content)
    else:
        raise WrongLogo(sentence("The picture is neither PNG nor JPEG by its first bytes."))
    if size is None:
        raise WrongLogo(sentence("The picture is broken: its width and height cannot be read."))
    if not all(0 < side <= LOGO_PIXELS_MAX for side in size):
        raise WrongLogo(
            sentence(
                "The picture has %(size)s x %(size_2)s pixels: at most %(most)s a side are taken.",
                size=size[0],
                size_2=size[1],
                most=LOGO_PIXELS_MAX,
            )
        )
    return media_type


def _png_size(content: bytes) -> tuple[int, int] | None:
    if content[12:16] != b"IHDR" or len(content) < 33 or b"IEND" not in content[-12:]:
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame; each says its own length."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        if length < 2:
            return None
        at += 2 + length
    return None
