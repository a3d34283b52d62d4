"""Numbers of an issuer follow each other; one of another form is a fault, and no end of the look at the books."""

from __future__ import annotations

import pytest

from billing.proofs.proof import gap_among


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([], ""),
        (["INV-0002", "INV-0001"], ""),
        (["INV-0001"], "1 numbers below 3, [1] …"),
        (["INV-0001", "INV-0001"], "2 numbers below 3, [1, 1] …"),
        (["INV-0001", "INV-0003"], "2 numbers below 3, [1, 3] …"),
        (["INV-0001", "INV-0002", "INV-02"], "3 numbers below 3, [1, 2, 2] …"),
        (["INV-0001", "INV-0002-1"], "INV-0002-1 is no number of INV-"),
        (["INV-0001", "ACME-0002"], "ACME-0002 is no number of INV-"),
        (["INV-0001", "INV-"], "INV- is no number of INV-"),
        (["INV-0001", "INV-²"], "INV-² is no number of INV-"),
    ],
)
def test_numbers_are_held_to_their_order(numbers: list[str], said: str) -> None:
    assert gap_among(numbers, prefix="INV-", next_number=3 if numbers else 1) == said
