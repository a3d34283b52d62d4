"""The wording of a term: what a contract says of it, as data that both parties can read, hash and agree to.

A wording is a struct of one kind; its document (JSON) has the same fields under the same names, money as strings and
instants in ISO 8601. A wording never changes: an amendment is another wording that holds from its own instant.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Generic, TypeVar

import msgspec

_AT = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<field>.*)`)?$", re.DOTALL)


class WrongWording(ValueError):
    """A field of a wording is not what it must be: which field, why, and what a right one looks like."""

    def __init__(self, field: str, reason: str, example: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" Example: {example}" if example else ""))
        self.field = field
        self.reason = reason
        self.example = example


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What a contract says of one term. Subclasses are tagged with their `TermKind`."""

    def check(self) -> None:
        """Raise `WrongWording` where fields contradict each other; types are checked before."""


W = TypeVar("W", bound=Wording)


@dataclass(frozen=True, slots=True)
class Stretch(Generic[W]):
    """The wording that is in force over `[from_at, to_at)` by version `contract_version` of the contract."""

    contract_version: int
    from_at: datetime
    to_at: datetime
    wording: W

    def __post_init__(self) -> None:
        assert self.from_at.tzinfo is not None
        assert self.from_at < self.to_at


def read_wording(kinds: type[W], document: Mapping[str, Any]) -> W:
    """Return the wording that a document says; `kinds` is one struct or a union of them. Raises `WrongWording`."""
    try:
        wording = msgspec.convert(document, kinds)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        assert found is not None
        raise WrongWording(found["field"] or "kind", found["reason"] + ".") from error
    wording.check()
    return wording


def write_wording(wording: Wording) -> dict[str, Any]:
    """Return the document of a wording: `read_wording` gives the same wording back."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(wording))
    return document


def assert_in_order(stretches: Sequence[Stretch[Any]]) -> None:
    """Assert that stretches follow each other without overlap."""
    assert all(left.to_at <= right.from_at for left, right in pairwise(stretches)), stretches
