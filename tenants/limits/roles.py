"""The names of the database's roles."""

from typing import Final

WEB_ROLE: Final = "forecourt_web"
"""Whom the web processes sign in as: owner of no table, so it can neither remove a guard nor change a table."""
READER_ROLE: Final = "forecourt_reader"
"""Whom a request reads as: row-level security leaves it the rows of the organization and person that were told."""
