"""Where the platform of a data folder is reached, for commands in another terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecourt.embedded.folder import folder_is_held

if TYPE_CHECKING:
    from forecourt.embedded.places import Places


def tell_address(places: Places, address: str) -> None:
    """Keep the address at which the platform of this folder is reached from now on."""
    places.served_at.write_text(f"{address}\n", encoding="utf-8")


def address_served(places: Places) -> str:
    """Return the address at which the platform of this folder is reached; empty where none runs or told one."""
    if not folder_is_held(places):
        return ""
    try:
        return places.served_at.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
