"""Wordings: documents are read whole or refused with the field, and come back the same."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.rating.wording import Stretch, Wording, WrongWording, assert_in_order, read_wording, write_wording

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Sample(Wording, frozen=True, kw_only=True, tag="sample"):
    """A wording of the tests."""

    percent: Decimal
    at: datetime | None = None
    steps: tuple[int, ...] = ()

    def check(self) -> None:
        """Shares lie within the whole."""
        if not 0 <= self.percent <= 100:
            raise WrongWording("percent", f"{self.percent} is not within 0 and 100.", "30")


def test_a_document_and_its_wording_are_the_same() -> None:
    wording = Sample(percent=Decimal("30.5"), at=AT, steps=(1, 2))
    document = write_wording(wording)
    assert document == {"kind": "sample", "percent": "30.5", "at": "2026-03-01T00:00:00Z", "steps": [1, 2]}
    assert read_wording(Sample, document) == wording


@pytest.mark.parametrize(
    ("document", "field", "reason"),
    [
        ({"kind": "sample", "percent": "101"}, "percent", "101 is not within 0 and 100."),
        ({"kind": "sample"}, "percent", "Object missing required field `percent`."),
        ({"kind": "sample", "percent": "x"}, "percent", "Invalid decimal string."),
        ({"kind": "sample", "percent": "1", "steps": [1, "x"]}, "steps[1]", "Expected `int`, got `str`."),
        ({"kind": "sample", "percent": "1", "more": 1}, "more", "Object contains unknown field `more`."),
        ({"kind": "other"}, "kind", "Invalid value 'other'."),
    ],
)
def test_a_wrong_document_is_refused_with_its_field(document: dict[str, object], field: str, reason: str) -> None:
    with pytest.raises(WrongWording) as refused:
        read_wording(Sample, document)
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_an_example_is_part_of_what_is_said() -> None:
    assert str(WrongWording("percent", "Too much.", "30")) == "percent: Too much. Example: 30"
    assert str(WrongWording("percent", "Too much.")) == "percent: Too much."


def test_stretches_follow_each_other() -> None:
    wording = Sample(percent=Decimal(1))
    first = Stretch(1, AT, AT.replace(day=10), wording)
    second = Stretch(2, AT.replace(day=10), AT.replace(day=20), wording)
    assert_in_order([first, second])
    with pytest.raises(AssertionError):
        assert_in_order([second, first])
    with pytest.raises(AssertionError):
        Stretch(1, AT, AT, wording)
