"""Importing public prices: once a file and day, append-only, with what changed since the import before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from billing.models import IndexImport, IndexPrice, IndexSource
from billing.price_files import GPU_HEAD
from billing.price_index import WrongPriceFile, import_prices
from billing.queries.price_index import index_changes
from tests.billing.litellm_sample import ENTRIES, price_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, tzinfo=UTC)
FIRST, SECOND = date(2026, 11, 1), date(2026, 11, 9)


def take(content: bytes, as_of: date = FIRST, source: IndexSource = IndexSource.LITELLM) -> IndexImport:
    return import_prices(source=source, content=content, as_of=as_of, now=NOW)


def changed() -> bytes:
    """One price rises, one falls, a model is new and one is gone."""
    large: dict[str, Any] = {
        **ENTRIES["sample-large"],
        "input_cost_per_token": 3.752e-07,
        "output_cost_per_token": 1e-06,
    }
    new = {"litellm_provider": "sample-lab", "input_cost_per_token": 1e-06}
    return price_file({"sample-large": large, "sample-image": ENTRIES["sample-image"], "sample-new": new})


def test_an_import_is_stored_once() -> None:
    first = take(price_file())
    assert take(price_file()) == first
    assert (first.read, first.prices.count(), first.skipped) == (3, 10, [])
    assert take(price_file(), SECOND) != first
    assert IndexPrice.objects.get(imported=first, name="sample-large", quantity="output").price == Decimal("1.1")


def test_what_rose_fell_is_new_and_gone_since_the_import_before() -> None:
    assert index_changes(take(price_file())) is None
    changes = index_changes(take(changed(), SECOND))
    assert changes is not None
    assert (changes.before, changes.counts) == (FIRST, {"rose": 1, "fell": 1, "new": 1, "gone": 2})
    assert changes.changes[0].change.relative == Decimal("0.34")
    same = index_changes(take(changed(), date(2026, 11, 10)))
    assert same is not None
    assert same.changes == ()


@pytest.mark.parametrize(
    ("content", "as_of", "said"),
    [
        (b"no file", FIRST, "no JSON file"),
        (price_file({"m": {"litellm_provider": "p"}}), FIRST, "of m: it has no price"),
        (price_file(), date(2026, 11, 21), "lies in the future"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_whole(content: bytes, as_of: date, said: str) -> None:
    with pytest.raises(WrongPriceFile, match=said):
        take(content, as_of)
    assert not IndexImport.objects.exists()


def test_a_table_of_which_nothing_is_taken_says_why_of_its_first_row() -> None:
    content = f"{','.join(GPU_HEAD)}\ncloudy,H100,2.99,USD,,2026-03-01,a page\n".encode()
    with pytest.raises(WrongPriceFile, match=r"of line 2: mark: expected on_demand, spot or reserved, found ''\."):
        take(content, source=IndexSource.GPU_HOURS)


@pytest.mark.parametrize("table", ["billing_indeximport", "billing_indexprice"])
def test_what_was_imported_stands(table: str) -> None:
    take(price_file())
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")


def test_the_command_says_what_was_taken_left_out_and_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, table = tmp_path / "prices.json", tmp_path / "gpu.csv"
    path.write_bytes(price_file({**ENTRIES, "odd": {"litellm_provider": "p", "input_cost_per_token": "free"}}))
    call_command("import_price_index", str(path), "--as-of", "2026-10-01")
    said = capsys.readouterr().out
    assert "10 prices of 4 entries, as of 2026-10-01." in said
    assert "odd: input_cost_per_token: expected a number, found str" in said
    path.write_bytes(changed())
    call_command("import_price_index", str(path), "--as-of", "2026-10-02")
    assert "Since 2026-10-01: 1 rose, 1 fell, 1 new, 2 gone." in capsys.readouterr().out
    table.write_text(f"{','.join(GPU_HEAD)}\na,H100,2.5,USD,on_demand,2026-10-01,page\n")
    call_command("import_price_index", str(table), "--as-of", "2026-10-02")
    assert "1 prices of 1 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("prices.txt", b"x", "say --source"), ("prices.json", b"x", "no JSON file"), ("none.json", None, "No such file")],
)
def test_the_command_refuses_what_it_cannot_read(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        call_command("import_price_index", str(path), "--as-of", "2026-10-01")
