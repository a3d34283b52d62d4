"""Where a platform is reached is told to commands in another terminal, for as long as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecourt.embedded.folder import held_folder, service_account
from forecourt.embedded.places import places_of
from forecourt.embedded.served import address_served, tell_address

if TYPE_CHECKING:
    from pathlib import Path


def test_the_address_is_known_while_the_folder_is_held_and_one_was_told(tmp_path: Path) -> None:
    places = places_of(tmp_path)
    with held_folder(places, service_account(), free_bytes_min=0):
        assert address_served(places) == ""
        tell_address(places, "http://127.0.0.1:8097")
        assert address_served(places) == "http://127.0.0.1:8097"
    assert address_served(places) == ""
