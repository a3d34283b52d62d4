"""In whose name something is done, and what the audit log calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts for an organization: a person with the role of their membership, or a program."""

    organization: Organization
    name: str
    """A person's e-mail address, or `API key` and its prefix."""
    role: str
    """A program acts as an admin does, within its scopes."""
    scopes: frozenset[str] | None = None
    """Those of a program; None for a person."""
