"""Every refusal of a proposal says where it is wrong and what can be said instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.agreements.proposals import Known, read_changes, write_changes
from billing.rating.kinds import KINDS
from billing.rating.rated import TermKind
from billing.rating.wording import WrongWording

START = datetime(2026, 3, 1, tzinfo=UTC)
AT = "2026-03-05T12:00:00Z"
DAY_LATER = "2026-03-06T12:00:00Z"
LEASE = {"kind": "lease", "price_per_gpu_hour": "2"}
SHARE = {"kind": "token_share", "share_percent": "20", "witness": "gateway"}
KNOWN = {
    "L-0001": Known(TermKind.LEASE, "cards", START, START + timedelta(days=30)),
    "S-0001": Known(TermKind.TOKEN_SHARE, "tokens", START, None),
}
ONE, TWO = UUID(int=1), UUID(int=2)


def read(*changes: Any, known: dict[str, Known] = KNOWN, zone: str = "Europe/Berlin") -> Any:
    return read_changes(list(changes), contract="C-0031", zone=zone, currency="USD", known=known)


def refused(*changes: Any) -> WrongWording:
    with pytest.raises(WrongWording) as caught:
        read(*changes)
    return caught.value


@pytest.mark.parametrize("given", [None, "text", {}, 5, []])
def test_what_is_no_list_of_changes_is_refused_with_an_example(given: Any) -> None:
    with pytest.raises(WrongWording) as caught:
        read_changes(given, contract="C-1", zone="UTC", currency="USD", known={})
    assert caught.value.field == "changes"
    assert "price_per_gpu_hour" in (caught.value.example or "")


@pytest.mark.parametrize(
    ("change", "field", "words", "example"),
    [
        ({"currency": "EUR"}, "currency", "EUR is not the contract's USD.", "USD"),
        ({"ref": "L-9"}, "ref", "The contract has no term L-9.", "L-0001"),
        ({"wording": None}, "wording", "Only a term that there is can end", "L-0001"),
        ({"ref": "S-0001"}, "wording.kind", "cannot become a lease", "token_share"),
        ({"to_at": AT}, "to_at", "The end must lie after the start", DAY_LATER),
        ({"to_at": "2026-03-05T12:00"}, "to_at", "The end must lie after the start", DAY_LATER),
        ({"from_at": "tomorrow"}, "from_at", "", ""),
        ({"to_at": "never"}, "to_at", "", ""),
        ({"deployments": [str(ONE), str(ONE)]}, "deployments", "One is named twice.", "each once"),
    ],
)
def test_a_refusal_names_field_reason_and_example(change: dict[str, Any], field: str, words: str, example: str) -> None:
    error = refused({"from_at": AT, "wording": LEASE, **change})
    assert error.field == f"changes[0].{field}"
    assert words in error.reason
    assert example in (error.example or "")
    assert error.example


def test_the_place_of_a_wrong_change_is_its_own() -> None:
    good = {"from_at": AT, "wording": LEASE}
    assert refused(good, good, {**good, "currency": "EUR"}).field == "changes[2].currency"
    assert refused(good, {**good, "surprise": 1}).field == "changes[1]"


def test_a_term_is_changed_once_in_a_proposal() -> None:
    change = {"ref": "L-0001", "from_at": AT, "wording": LEASE}
    error = refused(change, {**change, "from_at": "2026-03-06T12:00:00Z"})
    assert (error.field, error.reason) == ("changes[1].ref", "L-0001 is changed twice.")


def test_a_wording_of_no_kind_is_told_all_kinds_and_one_of_a_kind_its_fields() -> None:
    unknown = refused({"from_at": AT, "wording": {"kind": "gift"}})
    assert unknown.field.startswith("changes[0].wording")
    wrong = refused({"from_at": AT, "wording": {"kind": "lease", "price": "2"}})
    assert wrong.field.startswith("changes[0].wording")
    for error in (unknown, wrong):
        assert error.example


def test_an_hour_that_there_is_not_or_twice_is_refused_in_local_time() -> None:
    """Clocks in Berlin go forward on 29 March 2026 at 2:00 and back on 25 October at 3:00."""
    for local in ("2026-03-29T02:30", "2026-10-25T02:30"):
        error = refused({"from_at": local, "wording": LEASE})
        assert error.field == "changes[0].from_at"
        assert error.example
    [exact] = read({"from_at": "2026-10-25T02:30+01:00", "wording": LEASE})
    assert exact.from_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_references_go_past_those_that_are_taken_and_differ_by_kind() -> None:
    taken = {**KNOWN, "L-0031-1": Known(TermKind.LEASE, "", START, None)}
    lease, share = read({"from_at": AT, "wording": LEASE}, {"from_at": AT, "wording": SHARE}, known=taken)
    assert lease.ref == "L-0031-2"
    assert share.ref == f"{KINDS[TermKind.TOKEN_SHARE].ref_prefix}-0031-1"


def test_a_title_is_kept_cut_or_taken_over() -> None:
    long, kept, said = read(
        {"from_at": AT, "wording": LEASE, "title": "x" * 300},
        {"ref": "L-0001", "from_at": AT, "wording": LEASE},
        {"ref": "S-0001", "from_at": AT, "wording": SHARE, "title": "all tokens"},
    )
    assert (long.title, kept.title, said.title) == ("x" * 200, "cards", "all tokens")


def test_what_is_written_says_ends_ids_and_instants_in_utc() -> None:
    change = {"ref": "L-0001", "from_at": "2026-03-05T13:00", "wording": LEASE, "slices": [str(TWO), str(ONE)]}
    [ended, changed] = write_changes(read({"ref": "S-0001", "from_at": AT, "wording": None}, change))
    assert (ended["wording"], ended["to_at"], ended["slices"]) == (None, None, None)
    assert (changed["from_at"], changed["to_at"]) == (AT, "2026-03-31T00:00:00Z")
    assert changed["slices"] == [str(ONE), str(TWO)]
    [empty] = read({"ref": "S-0001", "from_at": AT, "wording": SHARE, "deployments": []})
    assert empty.deployments == ()
    assert empty.slices is None
