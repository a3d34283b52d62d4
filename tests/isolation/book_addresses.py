"""Addresses of the books: of a provider its own, of the operator everything; a tenant has a statement of account."""

from __future__ import annotations

from typing import Any

from tests.isolation.callers import OWN_PROVIDER, PROVIDERS, people, programs

SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}
MONTH = {"month": "2026-04"}
ACCOUNT = {"account_id": "{account}"}
POSTING = {"posting_id": "{posting}"}
# The operator of the cast has no people: to everybody else its pages are not there.
NOBODY = people(alice=404, bob=404, charlie=404, petra=404)
OF_PROVIDERS = programs(tenant=404, provider=200, outsider=200)
OF_ONE_PROVIDER = programs(tenant=404, provider=200, outsider=404)

BOOK_ADDRESSES: list[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]]] = [
    *(
        (f"{side}-{page}", own if not arguments else theirs, "get", arguments, MONTH)
        for side, own, theirs in (("provider", OWN_PROVIDER, PROVIDERS), ("operator", NOBODY, NOBODY))
        for page, arguments in (
            ("books", {}),
            ("books-csv", {}),
            ("book-account-csv", ACCOUNT),
            ("journal-csv", {}),
            ("journal-beancount", {}),
            ("book-account", ACCOUNT),
            ("book-posting", POSTING),
        )
    ),
    ("api-books-accounts", OF_PROVIDERS, "get", {}, {}),
    ("api-books-accounts", programs(tenant=404, provider=404, outsider=404), "get", {}, {"book": "installation"}),
    ("api-books-entries", OF_ONE_PROVIDER, "get", ACCOUNT, SPAN),
    ("api-books-posting", OF_ONE_PROVIDER, "get", POSTING, {}),
    ("api-books-journal", OF_PROVIDERS, "get", {}, SPAN),
    ("api-books-beancount", OF_PROVIDERS, "get", {}, SPAN),
]
