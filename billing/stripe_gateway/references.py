"""Small conversions that every part of the gateway needs: ids, references, instants."""

from datetime import UTC, datetime
from typing import Protocol

METADATA_REFERENCE = "forecourt_reference"
"""Under this name our reference is written on what we make at Stripe."""


class HasId(Protocol):
    """What Stripe sends in full where an id was asked to be expanded."""

    id: str


class _Metadata(Protocol):
    def to_dict(self) -> dict[str, str]: ...


def id_of(reference: str | HasId | None) -> str | None:
    """The id of what Stripe sends as an id or, expanded, as an object."""
    return reference if reference is None or isinstance(reference, str) else reference.id


def written(metadata: _Metadata | None, name: str = METADATA_REFERENCE) -> str:
    """What we wrote on an object under the name, "" if nothing."""
    return (metadata.to_dict() if metadata else {}).get(name, "")


def instant(epoch_s: int) -> datetime:
    """Stripe's whole seconds as an aware instant."""
    return datetime.fromtimestamp(epoch_s, UTC)


def seconds(at: datetime) -> int:
    """An instant as Stripe's whole seconds."""
    assert at.tzinfo is not None, at
    return int(at.timestamp())
