"""The client in the docs has the operations that there are, and pulls a month of invoices over real HTTP."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from forecourt import client_writer
from forecourt.client_writer import TARGET, client_text, operations
from tests.filled import api_key, fill

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast

EXAMPLE = TARGET.with_name("month_of_invoices.py")
MONTH = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")


def test_the_client_is_as_the_document_says() -> None:
    before = TARGET.read_text(encoding="utf-8")
    assert client_text(before) == before, "python manage.py write_client"


def test_the_command_writes_it_and_keeps_what_is_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "forecourt_client.py"
    head, _mark, _rest = TARGET.read_text(encoding="utf-8").partition(client_writer.BEGIN)
    made.write_text(head + client_writer.BEGIN, encoding="utf-8")
    monkeypatch.setattr("forecourt.management.commands.write_client.TARGET", made)
    call_command("write_client", verbosity=0)
    assert made.read_text(encoding="utf-8") == TARGET.read_text(encoding="utf-8")


def test_a_file_without_the_mark_is_not_overwritten() -> None:
    with pytest.raises(AssertionError, match="has no line"):
        client_text("something else")


def test_every_operation_that_a_key_calls_is_in_it() -> None:
    found = operations()
    assert found["invoices_list"] == ("GET", "/api/v1/invoices")
    assert "batches_create" not in found, "a node's signature is no key"
    client: Any = runpy.run_path(str(TARGET))
    assert client["OPERATIONS"] == {name: f"{method} {path}" for name, (method, path) in found.items()}


def test_the_example_is_ten_lines() -> None:
    assert len([line for line in EXAMPLE.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]) <= 10


@pytest.mark.django_db(transaction=True)
def test_a_month_of_invoices_comes_over_http(live_server: LiveServer, cast: Cast) -> None:
    filled = fill(cast)
    told = subprocess.run(
        [sys.executable, str(EXAMPLE), live_server.url, *MONTH],
        env={**os.environ, "FORECOURT_KEY": api_key(cast.tenant)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (line,) = told.stdout.splitlines()
    assert line.startswith(f"{filled.number} ")
    assert line.endswith(" lines")
    client: Any = runpy.run_path(str(TARGET))
    api = client["Forecourt"](live_server.url, api_key(cast.tenant))
    assert [row["number"] for row in api.each(api.invoices_list, limit=1)] == [filled.number]
    assert api.usage_list(from_="2026-03-01T00:00:00Z", to="2026-04-01T00:00:00Z", group_by="model", limit=3)["usage"]
    assert api.invoices_csv_retrieve(invoice_id=filled.invoice.id).startswith(b"line,heading,")
    with pytest.raises(client["ApiError"], match="404 not_found") as refused:
        api.invoices_retrieve(invoice_id="00000000-0000-0000-0000-000000000009")
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    with pytest.raises(AttributeError, match="no operation"):
        api.invoices_invent()
