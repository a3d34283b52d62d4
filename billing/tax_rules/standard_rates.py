"""Standard rates of value added tax by country and the day from which each is in force.

Known from 2021 on for the member states of the European Union, Norway, Switzerland and the United Kingdom. Source:
national laws as summed up by public tables of the years 2021 to 2026; looked through last on 2026-11-22. A provider can
put a rate of its own in the place of any of them: nothing here is tax advice.
"""

from datetime import date
from decimal import Decimal
from typing import Final

FIRST_DAY: Final = date(2021, 1, 1)
"""Before it no rate is known."""

_UNCHANGED: Final = {
    "AT": "20",
    "BE": "21",
    "BG": "20",
    "CY": "19",
    "CZ": "21",
    "DE": "19",
    "DK": "25",
    "ES": "21",
    "FR": "20",
    "GB": "20",
    "GR": "24",
    "HR": "25",
    "HU": "27",
    "IT": "22",
    "LT": "21",
    "LV": "21",
    "MT": "18",
    "NL": "21",
    "NO": "25",
    "PL": "23",
    "PT": "23",
    "SE": "25",
    "SI": "22",
}
_CHANGED: Final = {
    "CH": (("2021-01-01", "7.7"), ("2024-01-01", "8.1")),
    "EE": (("2021-01-01", "20"), ("2024-01-01", "22"), ("2025-07-01", "24")),
    "FI": (("2021-01-01", "24"), ("2024-09-01", "25.5")),
    "IE": (("2021-01-01", "21"), ("2021-03-01", "23")),
    "LU": (("2021-01-01", "17"), ("2023-01-01", "16"), ("2024-01-01", "17")),
    "RO": (("2021-01-01", "19"), ("2025-08-01", "21")),
    "SK": (("2021-01-01", "20"), ("2025-01-01", "23")),
}

STANDARD_RATES: Final[dict[str, tuple[tuple[date, Decimal], ...]]] = {
    **{country: ((FIRST_DAY, Decimal(percent)),) for country, percent in _UNCHANGED.items()},
    **{
        country: tuple((date.fromisoformat(day), Decimal(percent)) for day, percent in steps)
        for country, steps in _CHANGED.items()
    },
}
"""Each country's rates in the order of their first days."""
