"""A provider's floor, read as a whole: what stands in clusters that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tenants.models import Organization


def own_floor(provider: Organization) -> AbstractContextManager[None]:
    """See what is asked for by a provider's clusters, where the provider itself reads: each card is then its own."""
    return within_own(provider.pk, "cards, and what is known of them, stand in clusters that name their provider")
