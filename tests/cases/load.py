"""The worked cases: one TOML file each, with what is `given` and what it `gives`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA_DIR = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Case:
    """One worked case; `given_text` and `gives_text` are the two halves of its file as written."""

    name: str
    title: str
    ref: str
    kind: str
    given: dict[str, Any]
    gives: dict[str, Any]
    given_text: str
    gives_text: str


def load_cases() -> list[Case]:
    """Read every case, ordered by file name."""
    return [_load(path) for path in sorted(DATA_DIR.glob("*.toml"))]


def _load(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    table = tomllib.loads(text)
    _, given_text, gives_text = text.split("#--\n")
    return Case(
        name=path.stem,
        title=table["title"],
        ref=table.get("ref", ""),
        kind=table["kind"],
        given=table["given"],
        gives=table["gives"],
        given_text=given_text.strip(),
        gives_text=gives_text.strip(),
    )
