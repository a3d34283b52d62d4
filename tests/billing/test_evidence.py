from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.basis import LeaseBasis, PeriodBasis, ShareBasis, Usage, rate
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.evidence import (
    Header,
    Proof,
    Residual,
    canonical,
    differences,
    digest,
    make_document,
    read_basis,
    recompute,
)
from billing.models import Invoice
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.lines import make_bill
from clusters.occupancy import Hold
from metering.models import Batch, UsageGap, Witness
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, make_world

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
VERSIONS = (
    PriceVersion("v1", MARCH, {(MODEL, TokenClass.OUTPUT): Decimal("1.10")}, {H100: Decimal("1.94")}),
    PriceVersion(
        "v2",
        NOON,
        {(MODEL, TokenClass.OUTPUT): Decimal("0.98")},
        {H100: Decimal("2.35")},
        {(MODEL, TokenClass.OUTPUT, 200_000): Decimal("1.47")},
    ),
)


def basis(*usage: Usage) -> PeriodBasis:
    """A lease at the book's price over a price change, and a share of the usage given."""
    held = Hold("slice-1", 119, NOON - HOUR, NOON + 2 * HOUR, "card-1", H100)
    return PeriodBasis(
        contract="C-0001",
        contract_version=1,
        currency="USD",
        zone="Europe/Berlin",
        from_at=MARCH,
        to_at=APRIL,
        versions=VERSIONS,
        leases=(LeaseBasis("L-0001", "a slice", None, (held,)),),
        shares=(ShareBasis("S-0001", "sample", Decimal("12.5000"), "tenant", "engine", usage),),
    )


def used(hour: int, tokens: int, quality: str = "A", over: int = 0) -> Usage:
    at = NOON + hour * HOUR
    return Usage("d-1", MODEL, TokenClass.OUTPUT, quality, at, at + HOUR, tokens, over)


def document(given_basis: PeriodBasis, **proof: Any) -> dict[str, Any]:
    bill = make_bill(rate(given_basis).lines, given_basis.currency)
    header = Header("INV-0001", "Provider", "Tenant", APRIL, bill.total, Decimal("0.00"), bill.total)
    loaded: dict[str, Any] = json.loads(canonical(make_document(header, given_basis, Proof(**proof), bill)))
    return loaded


def test_a_document_holds_the_basis_it_was_made_of() -> None:
    whole = basis(used(0, 7_000_000), used(30, 5, "E"), used(30, 600_000, over=512_000))
    assert read_basis(document(whole)) == whole
    assert recompute(document(whole)) == make_bill(rate(whole).lines, "USD")
    assert differences(document(whole)) == []


def test_a_document_from_before_tiers_still_recomputes() -> None:
    made = document(basis(used(0, 7_000_000), used(30, 5, "E")))
    old = copy.deepcopy(made)
    old["format"] = "forecourt-evidence-1"
    for version in old["price_versions"]:
        version["per_mtok"] = [price for price in version["per_mtok"] if not price.pop("context_over")]
    for share in old["token_shares"]:
        share["usage"] = [usage[:-1] for usage in share["usage"]]
    for line in old["lines"]:
        for subline in line["sublines"]:
            del subline["context_over"]
    assert differences(old) == []
    assert recompute(old) == recompute(made)
    old["token_shares"][0]["usage"][0][-1] = "7000001"
    assert any("line 2: quantity" in each for each in differences(old))


def test_the_text_is_canonical_and_its_hash_is_over_its_bytes() -> None:
    text = canonical({"b": 1, "a": ["é", None]})
    assert text == '{"a":["é",null],"b":1}'
    assert digest(text) == hashlib.sha256(text.encode()).hexdigest()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="forecourt-evidence-1"):
        recompute({"format": "other"})


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("lines", 0, "amount"), "1.00", "line 1: amount"),
        (("token_shares", 0, "usage", 0, 7), 200_000, "line 2: subline 1"),
        (("lines", 1, "sublines", 0, "context_over"), 200_000, "line 2: subline 1"),
        (("price_versions", 1, "per_mtok", 1, "context_over"), 128_000, "line 2: subline 2"),
        (("price_versions", 1, "per_mtok", 1, "context_over"), 150_000, "cannot be recomputed"),
        (("lines", 0, "quality"), {"A": "1"}, "line 1: quality"),
        (("lines", 1, "exact_amount"), "0.0", "line 2: exact_amount"),
        (("lines", 0, "sublines", 0, "quantity"), "1", "line 1: subline 1"),
        (("invoice", "subtotal"), "1.00", "subtotal"),
        (("invoice", "tax"), "1.00", "total"),
        (("invoice", "total"), "1.00", "total"),
        (("token_shares", 0, "usage", 0, 6), "7000001", "line 2: quantity"),
        (("token_shares", 0, "usage", 0, 4), "2026-03-05T11:00:00+00:00", "line 2: subline"),
        (("token_shares", 0, "usage", 0, 4), "2026-03-06T12:00:00+00:00", "cannot be recomputed"),
        (("token_shares", 0, "usage", 0, 2), "thoughts", "cannot be recomputed"),
        (("leases", 0, "holds"), [{}], "cannot be recomputed"),
        (("token_shares", 0, "share_percent"), "12.6", "line 2: share_percent"),
        (("leases", 0, "holds", 0, "share_permille"), 120, "line 1: quantity"),
        (("leases", 0, "rate_per_gpu_hour"), "1", "line 1: amount"),
        (("price_versions", 1, "per_mtok", 0, "price"), "0.99", "line 2: subline"),
        (("price_versions", 1, "effective_at"), "2026-03-05T13:00:00+00:00", "line 1: subline"),
        (("period", "to_at"), "2026-03-05T12:00:00+00:00", "line 1: quantity"),
    ],
)
def test_a_changed_figure_is_found(path: tuple[str | int, ...], value: object, found: str) -> None:
    forged = copy.deepcopy(document(basis(used(0, 7_000_000), used(1, 1_000_000, over=128_000))))
    at: Any = forged
    for step in path[:-1]:
        at = at[step]
    assert at[path[-1]] != value
    at[path[-1]] = value
    assert any(found in each for each in differences(forged)), differences(forged)


def test_a_line_or_subline_left_out_is_found() -> None:
    forged = document(basis(used(0, 7_000_000)))
    forged["lines"][0]["sublines"].pop()
    assert differences(forged)
    forged = document(basis(used(0, 7_000_000)))
    forged["lines"].pop()
    assert "lines: 1 stated, 2 computed" in differences(forged)


def test_what_the_other_witness_counted_is_told_apart_from_nothing_seen() -> None:
    residuals = (Residual("d-1", MODEL, "output", 118, 59), Residual("d-2", MODEL, "output", 5, None))
    made = document(basis(used(0, 1)), residuals=residuals)["residuals"]
    assert [(row["billed"], row["control"], row["residual"]) for row in made] == [
        ("118", "59", "59"),
        ("5", None, None),
    ]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 600), st.integers(1, 10**18), st.sampled_from("AES"), st.sampled_from((0, 128_000, 512_000))
        ),
        max_size=12,
        unique_by=lambda each: (each[0], each[2], each[3]),
    )
)
def test_every_document_recomputes_to_its_own_lines(hours: list[tuple[int, int, str, int]]) -> None:
    made = document(basis(*(used(*each) for each in hours)))
    assert differences(made) == []
    assert canonical(json.loads(canonical(made))) == canonical(made)


def make_invoice() -> Invoice:
    world = make_world(tokens={(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}, gpus={H100: "2.35"})
    world.lease(2, price=None, from_at=NOON, rolled_to_at=APRIL)
    shared = world.share(witness=Witness.ENGINE, rolled_to_at=APRIL)
    node = shared.endpoint.node
    for seq in range(1, 5):
        Batch.objects.create(
            node=node,
            seq=seq,
            hash=f"{seq:064x}",
            prev_hash=f"{seq - 1:064x}",
            signature="",
            content_encoding="identity",
            body=b"",
            readings=1,
            outcome={},
            metered_to_at=NOON,
            received_at=NOON,
        )
    rows = [
        *shared.use({"input": 600_000, "output": 400_000}, at=NOON, records=360),
        *shared.use({"output": 1}, at=NOON + HOUR, records=5),
    ]
    for number, row in enumerate(rows, 2):
        type(row).objects.filter(pk=row.pk).update(first_batch_seq=number, last_batch_seq=number)
    shared.use({"output": 399_000}, at=NOON, witness=Witness.GATEWAY)
    UsageGap.objects.create(node=node, subject="node", from_at=NOON, to_at=NOON + timedelta(minutes=5), reason="silent")
    ensure_periods(contract=world.contract, now=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    return closed.invoice


@pytest.mark.django_db
def test_an_issued_invoice_is_sealed_with_all_that_recomputes_it() -> None:
    invoice = make_invoice()
    sealed = invoice.evidence
    assert sealed.sha256 == digest(sealed.document)
    made = json.loads(sealed.document)
    assert canonical(made) == sealed.document
    assert differences(made) == []
    assert recompute(made).total == invoice.total
    assert made["invoice"]["number"] == invoice.number
    assert [version["number"] for version in made["price_versions"]] == [1]
    assert made["usage_records"] == "725"
    [batches] = made["batches"]
    assert (batches["first_seq"], batches["last_seq"]) == (2, 4)
    assert (batches["first_hash"], batches["last_hash"]) == (f"{2:064x}", f"{4:064x}")
    residuals = {row["class"]: row["residual"] for row in made["residuals"]}
    assert residuals == {"input": None, "output": "1001"}
    assert [gap["reason"] for gap in made["usage_gaps"]] == ["silent"]
    [share] = made["token_shares"]
    assert len(share["usage"]) == 3
