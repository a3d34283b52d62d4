"""What a page shows whose organization has nothing yet: an empty state, a form that begins it, or a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

WITHOUT_ROWS: Final = {
    "account-person": "the person's own",
    "handbook": "the documentation",
    "handbook-page": "the documentation",
    "shortcuts": "the keys of the keyboard",
    "provider-exports": "a form that asks for days",
    "provider-sign-on": "asks for the password first",
    "tenant-card": "says that no card is on file",
    "tenant-credit": "says that no contract holds credit",
    "tenant-exports": "a form that asks for days",
    "tenant-sign-on": "asks for the password first",
    "tenant-lease-new": "a form that asks what is free",
}
"""Pages that list nothing and begin nothing by a POST; what they are."""
SIGNS: Final = ('class="empty"', "card-b lead", "<tbody><tr", 'method="post"')
"""An empty state, words in the place of a table, rows, or a form that makes the first one."""


def says_nothing(name: str, answer: HttpResponseBase, content: bytes) -> bool:
    """Whether a page of the portal shows neither rows nor what to do to have some."""
    if name in WITHOUT_ROWS or not name.startswith(("tenant-", "provider-")):
        return False
    if not answer.headers["Content-Type"].startswith("text/html"):
        return False
    text = content.decode()
    main = text[text.index("<main") :]
    return not any(sign in main for sign in SIGNS)
