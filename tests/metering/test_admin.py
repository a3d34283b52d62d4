"""The back office of metered facts: every page opens, nothing changes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.event_models import EventCall
from metering.models import (
    Batch,
    BatchConflict,
    EventConflict,
    IngestCount,
    NodeCursor,
    UsageGap,
    UsageHour,
)
from tests.admin_pages import assert_read_only, open_every_page, operator, page_of, tables_of
from tests.factories import EPOCH
from tests.filled import Filled, fill
from tests.kept import kept
from tests.metering.stored import store_event

if TYPE_CHECKING:
    from tests.factories import Cast

filled = kept(fill)
SHOWN = {Batch, BatchConflict, NodeCursor, UsageHour, UsageGap, EventCall, EventConflict, IngestCount}


def receive(cast: Cast, filled: Filled) -> None:
    """One of each that agents and gateways leave behind."""
    node = filled.node
    Batch.objects.create(
        node=node,
        seq=1,
        hash="a" * 64,
        prev_hash="0" * 64,
        signature="s" * 88,
        content_encoding="zstd",
        body=b"\x80",
        readings=1,
        outcome={},
        metered_to_at=EPOCH,
        received_at=EPOCH,
    )
    BatchConflict.objects.create(node=node, seq=1, hash="b" * 64, signature="s" * 88, body=b"\x81", received_at=EPOCH)
    store_event(cast.tenant, EPOCH, model="sample-model")
    EventConflict.objects.create(
        reporter=cast.tenant,
        source="sample",
        event_id="r-1",
        content_sha256=b"c" * 32,
        content={"input": 2},
        received_at=EPOCH,
    )


def test_every_page_opens_and_nothing_changes_there(cast: Cast, filled: Filled) -> None:
    receive(cast, filled)
    root = operator()
    assert set(tables_of("metering")) == SHOWN
    opened = open_every_page(root, "metering")
    assert all(opened.values()), opened
    for model in SHOWN:
        assert_read_only(root, model)


def test_a_batch_is_shown_without_its_bytes(cast: Cast, filled: Filled) -> None:
    receive(cast, filled)
    text = operator().get(page_of(Batch, "change", Batch.objects.get().pk)).content.decode()
    assert "field-seq" in text
    assert "field-hash" in text
    assert 'class="form-row field-body"' not in text
