"""Whose the rows of every table are. A model without an entry fails `tests/forecourt/rows/test_declared.py`.

New models: add a line to the file that fits (`people`, `hardware`, `money`), beside what they belong to.
"""

from __future__ import annotations

from typing import Final

from forecourt.rows.hardware import CLUSTERS, METERING
from forecourt.rows.money import BILLS, BOOKS, BUDGETS, COLLECTING, CONTRACTS, PRICES
from forecourt.rows.people import PEOPLE
from forecourt.rows.rules import Declared

DECLARED: Final[dict[str, Declared]] = {
    **PEOPLE,
    **CLUSTERS,
    **METERING,
    **PRICES,
    **CONTRACTS,
    **BILLS,
    **COLLECTING,
    **BUDGETS,
    **BOOKS,
}
"""By the model's label in lower case, `app.model`."""
