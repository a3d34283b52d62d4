"""Errors that a caller can act on: each carries a stable code and the HTTP status that answers it (RFC 9457)."""

from typing import ClassVar


class Problem(Exception):
    """Base of every domain exception that may reach an API or page.

    A subclass gives `status` (HTTP), `code` (stable, snake_case) and `title` (what kind of thing went wrong); the
    message says what was found, where, and what is expected. `extra` members are sent beside them.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request cannot be carried out"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra
