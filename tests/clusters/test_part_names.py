"""Names of whole cards and of parts of them."""

import pytest

from clusters.models import SliceKind
from clusters.part_names import FRACTION, WHOLE, Part, names_of, share_sign

CARD = "NVIDIA H100 80GB HBM3"
MIG = Part("mig", "1g.10gb", 143)
QUARTER = Part(FRACTION, "", 250)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([Part()], f"1 × {CARD}"),
        ([Part()] * 8, f"8 × {CARD}"),
        ([QUARTER], f"¼ × {CARD}"),
        ([QUARTER] * 2, f"2 × ¼ × {CARD}"),
        ([MIG], f"1 × {CARD} MIG 1g.10gb"),
        ([MIG] * 3, f"3 × {CARD} MIG 1g.10gb"),
        ([Part("mig", "2g.20gb", 286), MIG, MIG], f"2 × {CARD} MIG 1g.10gb + 1 × {CARD} MIG 2g.20gb"),
        ([Part(FRACTION, "", 500), QUARTER], f"¼ × {CARD} + ½ × {CARD}"),
        ([Part("mig", "", 143)], f"1 × {CARD} MIG"),
        ([], ""),
    ],
)
def test_what_is_held_is_named_with_its_part(parts: list[Part], words: str) -> None:
    assert names_of(CARD, parts) == words


@pytest.mark.parametrize(
    ("share", "sign"), [(500, "½"), (125, "⅛"), (333, "⅓"), (120, "12%"), (124, "12.4%"), (1, "0.1%")]
)
def test_a_share_has_a_sign_or_a_percentage(share: int, sign: str) -> None:
    assert share_sign(share) == sign


def test_kinds_are_those_of_slices() -> None:
    assert (WHOLE, FRACTION) == (SliceKind.WHOLE, SliceKind.FRACTION)
