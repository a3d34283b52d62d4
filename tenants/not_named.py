"""What a body names and is not there, or is another organization's: 404 as an address would be, with the field."""

from __future__ import annotations

from typing import ClassVar

from tenants.problems import Problem
from tenants.sentences import sentence


class NotNamed(Problem):
    """`field` names nothing that the caller has to do with; `listed` is the address that lists what it may name."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not Found"

    def __init__(self, field: str, listed: str) -> None:
        super().__init__(
            sentence(
                "%(field)s: there is nothing of this name for you; %(listed)s lists what is.",
                field=field,
                listed=listed,
            ),
            field=field,
        )
