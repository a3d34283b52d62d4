"""Bodies that stand as examples where the members that must be there do not say what an operation is for."""

from __future__ import annotations

from typing import Any, Final

BODIES: Final[dict[str, Any]] = {}
"""By the id of the operation."""
