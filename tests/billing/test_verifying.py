"""`forecourt verify`: an evidence file recomputes without a database, and a changed one does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import InvoiceEvidence
from billing.verifying import FOUND, UNREADABLE, WRONG, main, verify
from tests.billing.world import APRIL, MARCH, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]


@kept
def evidence() -> InvoiceEvidence:
    world = make_world()
    world.lease(2, price="2.35", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    return InvoiceEvidence.objects.get(invoice=invoice)


def test_the_command_needs_the_file_alone(evidence: InvoiceEvidence, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(evidence.document, encoding="utf-8")
    bad.write_text(evidence.document.replace('"3496.80"', '"3496.81"'), encoding="utf-8")
    # No settings of Django, no server: whatever looks for one fails.
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": "nonsense", "DJANGO_SETTINGS_MODULE": "nowhere"}
    told = [
        subprocess.run(
            [sys.executable, "-m", "forecourt.cli", "verify", str(path)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            check=False,
            text=True,
        )
        for path in (good, bad)
    ]
    assert [each.returncode for each in told] == [FOUND, WRONG], told
    assert told[0].stdout == f"ok    {evidence.invoice.number} 3496.80 sha256 {evidence.sha256}\n"
    assert told[1].stdout.startswith("WRONG")


def test_every_smallest_change_of_an_amount_is_found(evidence: InvoiceEvidence) -> None:
    assert verify(evidence.document) == []
    document = json.loads(evidence.document)
    for name in ("subtotal", "total"):
        changed = {**document, "invoice": {**document["invoice"], name: "3496.81"}}
        assert verify(json.dumps(changed)), name


def test_what_is_no_evidence_is_said_and_the_rest_still_looked_at(
    evidence: InvoiceEvidence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, other, text = tmp_path / "good.json", tmp_path / "other.json", tmp_path / "text.json"
    good.write_text(evidence.document, encoding="utf-8")
    other.write_text("[]", encoding="utf-8")
    text.write_text("no json", encoding="utf-8")
    assert main([str(other), str(text), str(tmp_path / "gone.json"), str(good)]) == UNREADABLE
    said = capsys.readouterr()
    assert said.out.startswith("ok ")
    assert said.err.count("\n") == 3
    assert "expected a JSON object with an invoice" in said.err
