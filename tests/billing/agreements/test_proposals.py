from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.agreements.proposals import Change, Known, read_changes, write_changes
from billing.rating.rated import TermKind
from billing.rating.wording import WrongWording
from tests.examples import examples

START = datetime(2026, 3, 1, tzinfo=UTC)
LEASE = {"kind": "lease", "price_per_gpu_hour": "2"}
KNOWN = {
    "L-0001": Known(TermKind.LEASE, "cards", START, START + timedelta(days=30)),
    "S-0001": Known(TermKind.TOKEN_SHARE, "tokens", START, None),
}
ONE, TWO = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def read(*changes: Any, contract: str = "C-0031") -> tuple[Change, ...]:
    return read_changes(list(changes), contract=contract, zone="Europe/Berlin", currency="USD", known=KNOWN)


def test_times_without_an_offset_are_local_to_the_contract() -> None:
    local, utc = read(
        {"from_at": "2026-03-05T13:00", "wording": LEASE}, {"from_at": "2026-03-05T12:00:00Z", "wording": LEASE}
    )
    assert local.from_at == utc.from_at == datetime(2026, 3, 5, 12, tzinfo=UTC)


def test_new_terms_are_named_after_the_contract_and_known_ones_keep_their_names() -> None:
    new, second, known = read(
        {"from_at": "2026-03-05T12:00:00Z", "wording": LEASE},
        {"from_at": "2026-03-05T12:00:00Z", "wording": LEASE},
        {"ref": "L-0001", "from_at": "2026-03-05T12:00:00Z", "wording": LEASE},
    )
    assert (new.ref, second.ref, known.ref) == ("L-0031-1", "L-0031-2", "L-0001")
    assert (new.is_new, known.is_new, known.title) == (True, False, "cards")
    [long] = read({"from_at": "2026-03-05T12:00:00Z", "wording": LEASE}, contract="x" * 32)
    assert len(long.ref) <= 32


def test_a_changed_term_keeps_its_end_and_an_extension_says_one() -> None:
    end = KNOWN["L-0001"].to_at
    assert end is not None
    [changed] = read({"ref": "L-0001", "from_at": "2026-03-05T12:00:00Z", "wording": LEASE})
    assert changed.to_at == end
    [open_ended] = read({"ref": "L-0001", "from_at": end.isoformat(), "wording": LEASE})
    assert open_ended.to_at is None
    [ending] = read({"ref": "S-0001", "from_at": "2026-03-05T12:00:00Z", "wording": None, "to_at": "2026-03-09T00:00"})
    assert (ending.kind, ending.to_at) == (TermKind.TOKEN_SHARE, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slices": [ONE, ONE]}, "changes[0].slices"),
        ({"slices": [f"00000000-0000-0000-0000-{number:012d}" for number in range(10_001)]}, "changes[0].slices"),
        ({"from_at": "1999-01-01T00:00"}, "changes[0].from_at"),
        ({"from_at": 5}, "changes[0]"),
        ({"wording": {"kind": "lease", "price_per_gpu_hour": "a lot"}}, "changes[0].wording.price_per_gpu_hour"),
        ({"wording": {}}, "changes[0].wording.kind"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongWording) as refused:
        read({"from_at": "2026-03-05T12:00:00Z", "wording": LEASE, **change})
    assert refused.value.field == field


def test_a_proposal_has_so_many_changes_at_most() -> None:
    with pytest.raises(WrongWording, match="1 to 100"):
        read(*[{"from_at": "2026-03-05T12:00:00Z", "wording": LEASE}] * 101)


moments = st.integers(0, 10_000).map(lambda minutes: (START + timedelta(minutes=minutes)).isoformat())
changes = st.fixed_dictionaries(
    {"from_at": moments, "wording": st.just(LEASE), "title": st.text(max_size=20)},
    optional={"slices": st.permutations([ONE, TWO]), "to_at": st.none()},
)


@settings(max_examples=examples(25))
@given(st.lists(changes, min_size=1, max_size=5))
def test_what_is_written_is_read_back(proposed: list[dict[str, Any]]) -> None:
    found = read(*proposed)
    assert read(*write_changes(found)) == found
    assert all(change.slices is None or list(change.slices) == sorted(change.slices) for change in found)
