"""The document's shapes of wordings take what the readers take, and name every field that they read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from billing.agreements.wording_shapes import REFS, wording_shapes
from billing.rating.kinds import KINDS, read_any_wording
from billing.rating.wording import WrongWording, write_wording

EXAMPLES: tuple[dict[str, Any], ...] = (
    {"kind": "lease", "accelerator_model": "NVIDIA H100 80GB HBM3", "price_per_gpu_hour": "2.10"},
    {"kind": "lease", "early_end": "notice", "early_end_notice_days": 30, "flat_amount_per_day": "480"},
    {"kind": "token_share", "share_percent": "20", "witness": "gateway"},
    {"kind": "token_share", "share_percent": "20", "witness": "engine", "hybrid": {"rent_amount_per_span": "50000"}},
    {"kind": "token_price", "witness": "gateway"},
)
WRONG: tuple[dict[str, Any], ...] = (
    {"kind": "lease", "price": "2.10"},
    {"kind": "token_share", "share_percent": "20", "witness": "both"},
    {"kind": "token_share", "share_percent": "20"},
    {"kind": "rent"},
    {"price_per_gpu_hour": "2.10"},
)


def accepts(document: dict[str, Any]) -> bool:
    whole = {"$ref": f"{REFS}Wording", "components": {"schemas": wording_shapes()}}
    return Draft202012Validator(whole).is_valid(document)


@pytest.mark.parametrize("document", EXAMPLES)
def test_what_is_read_fits_as_it_is_sent_and_as_it_is_written(document: dict[str, Any]) -> None:
    wording = read_any_wording(document)
    assert accepts(document)
    assert accepts(write_wording(wording))


@pytest.mark.parametrize("document", WRONG)
def test_what_is_refused_for_its_form_fits_no_shape(document: dict[str, Any]) -> None:
    with pytest.raises(WrongWording):
        read_any_wording(document)
    assert not accepts(document)


def test_every_kind_has_its_shape_with_every_field() -> None:
    shapes = wording_shapes()
    mapping = shapes["Wording"]["discriminator"]["mapping"]
    assert set(mapping) == set(KINDS)
    for kind, ref in mapping.items():
        shape = shapes[ref.removeprefix(REFS)]
        read = {field.encode_name for field in msgspec.structs.fields(KINDS[kind].wording)}
        assert set(shape["properties"]) == read | {"kind"}
        assert shape["description"]


def test_parts_have_names_of_their_own_and_are_named_rightly() -> None:
    shapes = wording_shapes()
    assert all("Wording" in name and name.isalnum() for name in shapes)
    assert {"WordingShareWordsTierMode", "WordingTokenPriceWordingTierMode", "WordingGrant"} <= set(shapes)
    assert refs_in(shapes) <= {REFS + name for name in shapes}


def refs_in(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(refs_in, part)) if part else set()
    if isinstance(part, dict):
        return set().union(*map(refs_in, part.values())) if part else set()
    return {part} if isinstance(part, str) and part.startswith(REFS) else set()
