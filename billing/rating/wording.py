"""The wording of a term: what a contract says of it, as data that both parties can read, hash and agree to.

A wording is a struct of one kind; its document (JSON) has the same fields under the same names, money as strings and
instants in ISO 8601. A wording never changes: an amendment is another wording that holds from its own instant.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Generic, Literal, TypeVar

import msgspec

from tenants.sentences import ForPrograms, sentence

FOREVER = datetime.max.replace(tzinfo=UTC)
"""The end of what has none."""

_MISSING = re.compile(r"Object missing required field `(.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_NO_NUMBER = "Invalid decimal string"
_NO_INSTANT = "Invalid RFC3339 encoded datetime"
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


class MeteredWording(Wording, frozen=True, kw_only=True):
    """A wording that prices the usage of deployments, as one of two witnesses counts it.

    `tolerance_percent` is how far the other witness may be away before somebody looks.
    """

    witness: Literal["engine", "gateway"]
    tolerance_percent: Decimal = Decimal(1)


W = TypeVar("W", bound=Wording)


@dataclass(frozen=True, slots=True)
class Said(Generic[W]):
    """What version `contract_version` says of a term from an instant on; no wording says that the term ends there.

    A version replaces everything that earlier ones said of the time from its own first instant on.
    """

    contract_version: int
    from_at: datetime
    wording: W | None


@dataclass(frozen=True, slots=True)
class Stretch(Generic[W]):
    """The wording that is in force over `[from_at, to_at)` by version `contract_version` of the contract.

    One that `is_part` goes on with what the stretch before it says (`billing.rating.dividing`).
    """

    contract_version: int
    from_at: datetime
    to_at: datetime
    wording: W
    is_part: bool = False

    def __post_init__(self) -> None:
        assert self.from_at.tzinfo is not None
        assert self.from_at < self.to_at


def stretches_of(
    said: Iterable[Said[W]], from_at: datetime | None = None, to_at: datetime | None = None
) -> tuple[Stretch[W], ...]:
    """Return the wordings in force within `[from_at, to_at)`, in order; without an end they reach `FOREVER`."""
    in_force: list[Said[W]] = []
    for one in sorted(said, key=lambda each: (each.contract_version, each.from_at)):
        in_force = [earlier for earlier in in_force if earlier.from_at < one.from_at]
        in_force.append(one)
    ends = [one.from_at for one in in_force[1:]] + [FOREVER]
    found: list[Stretch[W]] = []
    for one, end in zip(in_force, ends, strict=False):
        start = one.from_at if from_at is None else max(one.from_at, from_at)
        until = end if to_at is None else min(end, to_at)
        if one.wording is not None and start < until:
            found.append(Stretch(one.contract_version, start, until, one.wording))
    return tuple(found)


def read_wording(kinds: type[W], document: Mapping[str, Any]) -> W:
    """Return the wording that a document says; `kinds` is one struct or a union of them. Raises `WrongWording`."""
    try:
        wording = msgspec.convert(document, kinds)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        assert found is not None
        inner, field = _MISSING.fullmatch(found["reason"]) or _UNKNOWN.fullmatch(found["reason"]), found["field"]
        named = ".".join(name for name in (field, inner[1] if inner else "") if name) or "kind"
        example = "2026-12-01T00:00:00Z" if found["reason"] == _NO_INSTANT else ""
        raise WrongWording(named, unlike(found["reason"]), example) from error
    wording.check()
    return wording


def unlike(found: str) -> ForPrograms:
    """Return what is said of a document whose form is wrong: to programs what was found, to people what is asked of
    them."""
    if _MISSING.fullmatch(found):
        people = sentence("This is missing.")
    elif found == _NO_INSTANT:
        people = sentence("An instant has an offset from UTC.")
    elif found == _NO_NUMBER:
        people = sentence("This is no number.")
    else:
        people = sentence("This is not what is asked for here.")
    return ForPrograms(f"{found}.", people)


def write_wording(wording: Wording) -> dict[str, Any]:
    """Return the document of a wording: `read_wording` gives the same wording back, and one value has one text."""
    return write_struct(wording)


def write_struct(struct: msgspec.Struct) -> dict[str, Any]:
    """Return a struct as JSON has it: numbers without trailing zeros as strings, instants in UTC."""
    document: dict[str, Any] = _written(msgspec.to_builtins(struct, builtin_types=(Decimal, datetime)))
    return document


def plain(number: Decimal) -> str:
    """Return a number without exponent and trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _written(value: Any) -> Any:
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case dict():
            return {_written(key): _written(each) for key, each in value.items()}
        case list() | tuple():
            return [_written(each) for each in value]
        case _:
            return value


def assert_in_order(stretches: Sequence[Stretch[Any]]) -> None:
    """Assert that stretches follow each other without overlap."""
    assert all(left.to_at <= right.from_at for left, right in pairwise(stretches)), stretches
