"""Keys of events: inserted once, compared with what is stored, and never half of a call."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import transaction

from metering.event_models import EventKey
from metering.event_rows import KeyKnown, copy_keys, insert_keys, stored_contents

CALL, LATER = UUID(int=1), UUID(int=2)
A, B, C = (bytes([number]) * 16 for number in (1, 2, 255))
SAID, OTHER = bytes(range(16)), bytes(range(16, 32))

pytestmark = pytest.mark.django_db


def calls() -> dict[bytes, UUID]:
    return {key.bytes: call for key, call in EventKey.objects.values_list("key", "call")}


def test_new_keys_are_copied_with_their_content_and_call() -> None:
    copy_keys(CALL, {C: SAID, A: OTHER})
    assert stored_contents([A, B, C]) == {A: OTHER, C: SAID}
    assert calls() == {A: CALL, C: CALL}


def test_a_copy_with_one_known_key_stores_none_of_it() -> None:
    copy_keys(CALL, {B: SAID})
    with pytest.raises(KeyKnown), transaction.atomic():
        copy_keys(LATER, {A: SAID, B: SAID, C: SAID})
    assert calls() == {B: CALL}


def test_inserting_tells_which_keys_are_new_and_leaves_the_known() -> None:
    assert insert_keys(CALL, {A: SAID}) == {A}
    assert insert_keys(LATER, {A: OTHER, B: OTHER}) == {B}
    assert stored_contents([A, B]) == {A: SAID, B: OTHER}
    assert calls() == {A: CALL, B: LATER}
    assert insert_keys(LATER, {A: OTHER, B: OTHER}) == set()


def test_nothing_asked_is_nothing_found() -> None:
    copy_keys(CALL, {A: SAID})
    assert stored_contents([]) == {}
    assert insert_keys(LATER, {}) == set()
    assert calls() == {A: CALL}
