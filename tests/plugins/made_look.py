"""Makes the interface face and the compiled words before a run's workers begin, as `forecourt setup` makes them.

Git keeps neither. Workers that each made them took each other's files away, and a test that reads Chinese got English
where no earlier one had compiled the words.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from portal.catalogue import compile_catalogue
from portal.fonts import FOLDER, are_cut, cut_fonts

if TYPE_CHECKING:
    import pytest

ROOT: Final = Path(__file__).parents[2]


def pytest_configure(config: pytest.Config) -> None:
    """Make what is missing or older than its source; a worker finds it made."""
    if hasattr(config, "workerinput"):
        return
    if not are_cut(FOLDER):
        cut_fonts(FOLDER)
    for words in stale_words(ROOT):
        compile_catalogue(words)


def stale_words(root: Path) -> list[Path]:
    """The catalogues of the apps that were changed since they were compiled, or never were."""
    found = sorted(root.glob("*/locale/*/LC_MESSAGES/django.po"))
    return [one for one in found if not is_fresh(one.with_suffix(".mo"), one)]


def is_fresh(made: Path, source: Path) -> bool:
    """Whether `made` is there and not older than what it is made from."""
    return made.exists() and made.stat().st_mtime >= source.stat().st_mtime
