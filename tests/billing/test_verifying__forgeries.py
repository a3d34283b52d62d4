"""`forecourt verify` against a forger: the least change of what an amount follows from shows, no nonsense breaks it."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.canonical import canonical, digest
from billing.models import InvoiceEvidence
from billing.verifying import FOUND, NOT_AS_SEALED, UNREADABLE, WRONG, main, verify
from tests.billing.adjusting.late import FAR, late_world
from tests.billing.tax.taxed import VAT_IDS, charges_tax, own_rate, stands
from tests.billing.world import APRIL, HOUR
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

MILLION = 1_000_000
Place = tuple[str | int, ...]


@kept
def document(cast: Cast) -> dict[str, Any]:
    """April: tokens by tiers, a lease, a rate of tax that changes in the month, and late tokens of March."""
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "DE", vat_id="")
    own_rate(cast.provider, "DE", "7", (APRIL + timedelta(days=20)).date())
    late = late_world(parties=(cast.provider, cast.tenant))
    late.use(25 * MILLION)
    late.close()
    late.use(-3 * MILLION, stored_at=APRIL + timedelta(days=9))
    late.use(2 * MILLION, at=APRIL)
    late.world.lease(2, from_at=APRIL, to_at=APRIL + 30 * HOUR, price="2.35", now=APRIL, rolled_to_at=FAR)
    invoice = late.close(APRIL)
    found: dict[str, Any] = json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)
    assert verify(canonical(found)) == []
    return found


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place of a document that holds no list and no object."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*place, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, (*place, number))
    else:
        yield place, value


def put(document: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    found: Any = copy.deepcopy(document)
    inner = found
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return found  # type: ignore[no-any-return]  # it is the copy of a document


def named(place: Place) -> str:
    return "/".join("*" if isinstance(step, int) else step for step in place)


def by_the_least(value: Any) -> Any:
    """The same of another value: its last digit one more, a word one letter longer."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str) and value[-1:].isdigit():
        return f"{value[:-1]}{(int(value[-1]) + 1) % 10}"
    return f"{value or ''}x"


HELD = (
    "adjustments/*/lines/*/adjusted_amount",
    "adjustments/*/lines/*/amount",
    "adjustments/*/lines/*/billed_amount",
    "adjustments/*/lines/*/billed_quantity",
    "adjustments/*/lines/*/line",
    "adjustments/*/lines/*/quantity",
    "adjustments/*/lines/*/withheld_amount",
    "adjustments/*/contract/currency",
    "adjustments/*/contract/number",
    "adjustments/*/invoice",
    "contract/currency",
    "facts/*/amount",
    "facts/*/invoice",
    "facts/*/quantity",
    "invoice/subtotal",
    "invoice/tax",
    "invoice/total",
    "lines/*/amount",
    "lines/*/exact_amount",
    "lines/*/quantity",
    "lines/*/sublines/*/quantity",
    "lines/*/sublines/*/unit_price",
    "lines/*/rule",
    "lines/*/term",
    "taxes/basis/buyer/country",
    "taxes/basis/seller/country",
    "taxes/lines/*/rate",
    "taxes/lines/*/tax",
    "taxes/rates/*/category",
    "taxes/rates/*/country",
    "taxes/rates/*/percent",
    "taxes/rates/*/reason",
    "taxes/rates/*/tax",
    "taxes/rates/*/taxable",
    "terms/*/ref",
    "terms/*/wordings/*/wording/price_per_gpu_hour",
)
"""What decides or is an amount: the least change of any of them shows, wherever it stands."""
BY_THE_HASH = ("invoice/issuer", "invoice/tenant", "invoice/number", "invoice/issued_at", "taxes/basis/seller/vat_id")
"""What nothing in the file follows from."""


def test_the_least_change_of_whatever_an_amount_follows_from_shows(document: dict[str, Any]) -> None:
    looked_at: dict[str, int] = dict.fromkeys(HELD, 0)
    unseen = []
    for place, value in leaves(document):
        if named(place) in looked_at:
            looked_at[named(place)] += 1
            if not verify(canonical(put(document, place, by_the_least(value)))):
                unseen.append((place, value))
    assert unseen == []
    assert [name for name, times in looked_at.items() if not times] == []


def test_tokens_that_were_used_are_held_on_both_bills(document: dict[str, Any]) -> None:
    """The count is the seventh of each row of usage."""
    for terms in (document["terms"], document["adjustments"][0]["terms"]):
        rows = [row for term in terms for row in term["usage"]]
        assert rows
        for row in rows:
            row[6] = str(int(row[6]) + 1)
            assert any("quantity" in each for each in verify(canonical(document)))
            row[6] = str(int(row[6]) - 1)
    assert verify(canonical(document)) == []


def test_names_are_held_by_the_hash_on_the_invoice(document: dict[str, Any]) -> None:
    """Nothing in a file says who its parties are; whoever has the invoice has the hash."""
    sealed = digest(canonical(document))
    assert verify(canonical(document), sealed) == verify(canonical(document), sealed.upper()) == []
    for place, value in leaves(document):
        if named(place) in BY_THE_HASH:
            forged = canonical(put(document, place, by_the_least(value)))
            assert verify(forged) == []
            assert verify(forged, sealed) == [f"sha256: {sealed} expected"]


def test_a_text_that_says_something_twice_is_not_as_sealed(document: dict[str, Any]) -> None:
    """Of two members of one name some readers take the first, others the last."""
    text = canonical(document)
    twice = text.replace('{"currency":', '{"currency":"EUR","currency":', 1)
    assert json.loads(twice) == document
    for changed in (twice, text + "\n", json.dumps(document, indent=1), text.replace(",", ", ", 1)):
        assert verify(changed) == [NOT_AS_SEALED]


def nodes(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place of a document down to the members of lists in lists."""
    if isinstance(value, dict | list):
        for step, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, step)
            yield from nodes(each, (*place, step))


@pytest.mark.parametrize("nonsense", [None, {}, -1, "x"], ids=repr)
def test_whatever_makes_no_sense_is_an_answer_and_never_a_crash(document: dict[str, Any], nonsense: Any) -> None:
    seen = set()
    for place in nodes(document):
        if named(place) in seen or place == ("invoice",):
            continue
        seen.add(named(place))
        found = verify(canonical(put(document, place, nonsense)))
        if place[0] in ("lines", "taxes") and place != ("taxes",) and nonsense in (-1, "x"):
            assert found or named(place).startswith("taxes/basis"), place
    assert len(seen) > 100


def test_a_closed_period_is_of_the_same_contract_and_before_the_bill(document: dict[str, Any]) -> None:
    [section] = document["adjustments"]
    section["contract"]["number"] = "C-9999"
    assert verify(canonical(document)) == [f"adjustment of C-9999 on a bill of {document['contract']['number']}"]
    section["contract"]["number"] = document["contract"]["number"]
    document["period"]["from_at"] = section["period"]["from_at"]
    assert any("after the bill's began" in each for each in verify(canonical(document)))


def test_an_adjustment_that_is_left_out_of_either_place_shows(document: dict[str, Any]) -> None:
    without = {**document, "adjustments": []}
    assert any(each.startswith("adjustments: ") for each in verify(canonical(without)))
    unbilled = {**document, "facts": []}
    assert any("on the bill" in each for each in verify(canonical(unbilled)))
    twice = {**document, "adjustments": document["adjustments"] * 2}
    assert any(each.startswith("adjustments: ") for each in verify(canonical(twice)))


def test_the_command_takes_the_hash_of_one_file(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, text = tmp_path / "evidence.json", canonical(document)
    file.write_bytes(text.encode())
    assert main([str(file), "--sha256", digest(text)]) == FOUND
    assert main([str(file), "--sha256", "0" * 64]) == WRONG
    assert f"sha256: {'0' * 64} expected" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        main([str(file), str(file), "--sha256", digest(text)])
    assert refused.value.code == UNREADABLE


def test_line_ends_are_bytes_too(document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "evidence.json"
    body = canonical(document).encode() + b"\r\n"
    file.write_bytes(body)
    assert main([str(file)]) == WRONG
    assert hashlib.sha256(body).hexdigest() in capsys.readouterr().out
    file.write_bytes(b"\xff\xfe")
    assert main([str(file)]) == UNREADABLE


def test_a_file_that_makes_no_sense_does_not_keep_the_next_from_being_looked_at(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_bytes(canonical({**document, "lines": ["x"]}).encode())
    good.write_bytes(canonical(document).encode())
    assert main([str(bad), str(good)]) == WRONG
    said = capsys.readouterr().out
    assert "cannot be recomputed" in said
    assert "\nok " in said
