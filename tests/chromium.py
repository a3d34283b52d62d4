"""Which Chromium opens the pages: the system's, so that none is downloaded."""

from __future__ import annotations

import os
from shutil import which
from typing import Final

PROGRAMS: Final = ("chromium-headless-shell", "chromium")
"""Of two the one without windows, which does nothing but show pages and takes two thirds of the work for that."""


def chromium() -> str:
    """Return its path; ``CHROMIUM`` names another one."""
    named = [os.environ.get("CHROMIUM"), *map(which, PROGRAMS)]
    return next((path for path in named if path), "/usr/bin/chromium")
