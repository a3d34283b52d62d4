"""Which kinds of events there are, what an endpoint may ask for, and what it is then told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.hooks.kinds import ALL, KINDS, TEST, UnknownKind, checked_kinds, wants

FAMILIES = sorted({f"{kind.partition('.')[0]}.*" for kind in KINDS})
KNOWN = st.sampled_from([*KINDS, *FAMILIES])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_is_a_thing_and_what_happened_and_fits_its_column(kind: str) -> None:
    thing, dot, happened = kind.partition(".")
    assert dot
    assert thing.isidentifier()
    assert happened.isidentifier()
    assert len(kind) <= 64
    assert KINDS[kind]
    assert not KINDS[kind].endswith(".")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_stands_for_its_kinds_and_no_others(family: str) -> None:
    assert checked_kinds([family]) == [family]
    told = {kind for kind in KINDS if wants([family], kind)}
    assert told == {kind for kind in KINDS if kind.startswith(family[:-1])} | {TEST}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {TEST}))
def test_one_kind_alone_is_told_of_itself_and_of_tests(kind: str) -> None:
    assert {other for other in KINDS if wants([kind], other)} == {kind, TEST}


def test_nothing_named_stands_for_all() -> None:
    assert all(wants([], kind) for kind in KINDS)


@pytest.mark.parametrize(
    "kind",
    [ALL, "", "invoice", "invoice.", ".*", "*.*", "invoice.**", "INVOICE.PAID", " invoice.paid", "invoice.paid.late"],
)
def test_what_is_no_kind_is_named_in_the_refusal(kind: str) -> None:
    with pytest.raises(UnknownKind) as refused:
        checked_kinds(["payout.paid", kind])
    assert refused.value.detail.startswith(f"kinds: {kind!r} is not one of ")
    assert (refused.value.status, refused.value.code) == (422, "unknown_event_kind")


@given(kinds=st.lists(KNOWN, max_size=12))
def test_checked_kinds_are_in_order_each_once_and_the_same_when_checked_again(kinds: list[str]) -> None:
    checked = checked_kinds(kinds)
    assert checked == sorted(set(kinds))
    assert checked_kinds(checked) == checked
    assert {kind for kind in KINDS if wants(checked, kind)} == {kind for kind in KINDS if wants(kinds, kind)}


@given(kinds=st.lists(KNOWN, min_size=1, max_size=5), more=KNOWN)
def test_asking_for_more_never_tells_less(kinds: list[str], more: str) -> None:
    before = {kind for kind in KINDS if wants(kinds, kind)}
    assert before <= {kind for kind in KINDS if wants([*kinds, more], kind)}
