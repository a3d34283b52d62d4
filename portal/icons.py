"""The line icons of the portal: our own paths on a 20 by 20 grid, drawn with the colour of the text around
them.
"""

from typing import Literal

from django.utils.safestring import SafeString

IconName = Literal[
    "bank",
    "bell",
    "bolt",
    "cal",
    "chart",
    "check",
    "chev",
    "chip",
    "clock",
    "close",
    "code",
    "cross",
    "doc",
    "down",
    "empty",
    "flag",
    "gear",
    "home",
    "info",
    "key",
    "ledger",
    "link",
    "menu",
    "people",
    "plus",
    "pulse",
    "scale",
    "search",
    "shield",
    "sign",
    "sign-out",
    "tag",
    "updown",
    "warn",
]

PATHS: dict[IconName, str] = {
    "bank": "m2.5 7.5 7.5-4.5 7.5 4.5zM4.5 8v6.5M8.2 8v6.5M11.8 8v6.5M15.5 8v6.5M2.5 17h15",
    "bell": "M5 14V9a5 5 0 0 1 10 0v5l1.5 1.5h-13zM8.5 17.5h3",
    "bolt": "M11 2 4.5 11.5H10L9 18l6.5-9.5H10z",
    "cal": "M3 6h14M5 10h6M8 13.5h8M4 17h5",
    "chart": "M3 17V9.5M8 17V4M13 17v-6M18 17H2",
    "check": "m4 10.5 4 4 8-9",
    "chev": "m8 5 5 5-5 5",
    "chip": "M5.5 5.5h9v9h-9zM8 2.5v3M12 2.5v3M8 14.5v3M12 14.5v3M2.5 8h3M2.5 12h3M14.5 8h3M14.5 12h3",
    "clock": "M10 18a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM10 5.5V10l3 2",
    "close": "m5 5 10 10M15 5 5 15",
    "code": "m7 6-4 4 4 4M13 6l4 4-4 4",
    "cross": "m6 6 8 8M14 6l-8 8",
    "doc": "M5 2.5h7l3.5 3.5v11.5H5zM8 9h5M8 12h5M8 15h3",
    "down": "M10 3v10M5.5 9 10 13.5 14.5 9M3.5 17h13",
    "empty": "M3 11.5 5 4h10l2 7.5V16H3zM3 11.5h4l1 2h4l1-2h4",
    "flag": "M4.5 18V3h10.5l-2 3.5 2 3.5H4.5",
    "gear": (
        "M10 12.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM10 2v2.4M10 15.6V18M2 10h2.4M15.6 10H18"
        "M4.3 4.3 6 6M14 14l1.7 1.7M4.3 15.7 6 14M14 6l1.7-1.7"
    ),
    "home": "m3 9.5 7-6.5 7 6.5M5 8v9h10V8M8.5 17v-5h3v5",
    "info": "M10 18a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM10 9v5M10 6h.01",
    "key": "M12.5 3a4.5 4.5 0 1 1-3.9 6.7L3 15.3V17h2.5v-2H8v-2.5l1.4-1.4",
    "ledger": "M4 3h12v14H4zM4 7h12M8 7v10M11 10.5h2.5M11 13.5h2.5",
    "link": (
        "M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-3 3a3 3 0 0 0 4.3 4.3l1-1"
    ),
    "menu": "M3 5.5h14M3 10h14M3 14.5h14",
    "people": (
        "M7.5 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 17c0-3 2.5-4.5 5.5-4.5S13 14 13 17"
        "M13 4.3a3 3 0 0 1 0 5.4M15 12.9c1.9.6 3 2 3 4.1"
    ),
    "plus": "M10 4v12M4 10h12",
    "pulse": "M2 10h4l2.5-6 3.5 12 2.5-6H18",
    "scale": "M10 3v14M6 17h8M4 6l12-1.5M4 6l-2 5.5h4zM16 4.5 14 10h4z",
    "search": "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5 17 17",
    "shield": "M10 2.5 16 5v4.5c0 4-2.5 6.7-6 8-3.5-1.3-6-4-6-8V5zM7.5 10l2 2 3.5-4",
    "sign": "M3 17h14M5 13.5l.6-2.8L13 3.3l2.2 2.2-7.4 7.4z",
    "sign-out": "M8 3H4v14h4M8.5 10H17M13.5 6.5 17 10l-3.5 3.5",
    "tag": "M3 3h6.5l7.5 7.5-6.5 6.5L3 9.5zM6.5 6.5h.01",
    "updown": "m7 8 3-3 3 3M7 12l3 3 3-3",
    "warn": "M10 2.8 18.3 17H1.7zM10 8v4M10 14.5h.01",
}


class UnknownIconError(LookupError):
    """A template asked for an icon that is not drawn."""


def draw_icon(name: str) -> SafeString:
    """The icon as an SVG that is hidden from assistive technology: words stand beside every icon."""
    path = next((path for key, path in PATHS.items() if key == name), None)
    if path is None:
        raise UnknownIconError(name)
    return SafeString(
        f'<svg class="ic" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path d="{path}"/></svg>'
    )
