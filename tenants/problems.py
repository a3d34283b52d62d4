"""Errors that a caller can act on: each carries a stable code and the HTTP status that answers it (RFC 9457)."""

from typing import ClassVar


class Problem(Exception):
    """Base of every domain exception that may reach an API or page.

    A subclass gives `status` (HTTP), `code` (stable, snake_case) and `title` (what kind of thing went wrong); the
    message says what was found, where, and what is expected. `extra` members are sent beside them, in plain English;
    `said` is what is said to people, who see the field (without it the reason among them, else the message), and
    `example` a right value: both as they can be told in another language.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request cannot be carried out"

    def __init__(self, detail: str, *, said: str = "", **extra: object) -> None:
        super().__init__(detail)
        self.said: object = said or extra.get("reason") or detail
        self.example: object = extra.get("example")
        self.detail = str(detail)
        self.extra = {name: str(value) if isinstance(value, str) else value for name, value in extra.items()}
