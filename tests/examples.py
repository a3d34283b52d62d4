"""How many examples a test draws: few that show something; `EXAMPLES=20` in the environment draws 20 times as many."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("EXAMPLES", "1"))


def examples(few: int) -> int:
    """Return how many to draw where `few` show what there is to see."""
    return few * TIMES
