"""The licences of everything that an installation runs, as the packages state them themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

LOCKED: Final = re.compile(r"^([A-Za-z0-9._-]+)==[^ ]+", re.MULTILINE)
NAME_CHARACTERS_MAX: Final = 60
"""Longer, or of several lines, is a licence's whole text and no name."""
CLASSIFIER: Final = "License :: "
UNSTATED: Final = "not stated"
HEAD: Final = """# Licences

What an installation runs besides this repository, each with the licence that its package states. Versions and hashes
are in `requirements.lock`. Written by `python manage.py write_licences`; a test holds it to the lock file.

| package | licence |
|---|---|
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A package and its licence in one line."""

    name: str
    licence: str


def locked(lock: str) -> list[str]:
    """Return the names in a lock file, each once, in order of the alphabet."""
    return sorted(set(LOCKED.findall(lock)), key=str.lower)


def stated(told: Message) -> str:
    """Return the licence that a package states: its SPDX expression, else a name, else its classifiers."""
    name = (told.get("License-Expression") or told.get("License") or "").strip()
    if name and "\n" not in name and len(name) <= NAME_CHARACTERS_MAX:
        return name
    classifiers = told.get_all("Classifier") or []
    found = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith(CLASSIFIER)]
    return ", ".join(found) or UNSTATED


def installed(names: Iterable[str]) -> list[Package]:
    """Return those of the packages that this machine has: some are for other systems only."""
    found = []
    for name in names:
        try:
            # What is given is a message of headers; its declared type has less to it.
            found.append(Package(name, stated(cast("Message", metadata(name)))))
        except PackageNotFoundError:
            continue
    return found


def page(packages: Iterable[Package]) -> str:
    """Return the page that lists them."""
    return HEAD + "".join(f"| {one.name} | {one.licence} |\n" for one in packages)
