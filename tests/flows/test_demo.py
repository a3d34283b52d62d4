"""`forecourt demo` as a user runs it: everything checked, own traces, wrong options, Ctrl-C; nothing left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.demo_run import demo, environment, has_begun, wait_until
from tests.faults.ended import CODE, CONVERSATION, FEW, SHORT, Ended, own_samples

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
MONEY = re.compile(r"\d+\.\d\d")
WHOLE = re.compile(r"-?\d+")


def shape(found: Any) -> Any:
    """The names in a report, and of each value its kind."""
    if isinstance(found, dict):
        return {name: shape(value) for name, value in found.items()}
    if isinstance(found, list):
        return [shape(found[0])] if found else []
    return type(found).__name__


def test_the_report_says_that_everything_held(ended: Ended) -> None:
    assert ended.status == 0
    checks = ended.report["checks"]
    assert len(checks) == 17
    assert [check for check in checks if not check["ok"]] == []
    for check in checks:
        assert f"✓ {check['name']}: {check['detail']}" in ended.said
    assert "\x1b" not in ended.said


def test_the_report_has_the_documented_shape(ended: Ended) -> None:
    tokens = {"input": "str", "output": "str"}
    assert shape(ended.report) == {
        "tokens": {"engine": tokens, "gateway": tokens, "billed": tokens},
        "events": {"sent": "int", "accepted": "int", "duplicates": "int"},
        "gpu_seconds": "str",
        "invoices": [
            {
                "number": "str",
                "tenant": "str",
                "kind": "str",
                "total": "str",
                "currency": "str",
                "status": "str",
                "lines": [{"description": "str", "quantity": "str", "unit": "str", "amount": "str"}],
            }
        ],
        "ledger": {"balanced": "bool", "postings": "int"},
        "residual": tokens,
        "seconds": {"setup": "float", "run": "float", "close": "float"},
        "checks": [{"name": "str", "ok": "bool", "detail": "str"}],
    }


def test_the_figures_of_the_report_agree_with_each_other(ended: Ended) -> None:
    report = ended.report
    tokens, events, invoices = report["tokens"], report["events"], report["invoices"]
    assert tokens["engine"] == tokens["gateway"] == tokens["billed"]
    assert all(WHOLE.fullmatch(count) for count in tokens["engine"].values())
    assert report["residual"] == {"input": "0", "output": "0"}
    assert events["accepted"] == len(CONVERSATION + CODE)
    assert events["sent"] == events["accepted"] + events["duplicates"]
    lines = [line for invoice in invoices for line in invoice["lines"]]
    assert all(MONEY.fullmatch(each["amount"]) for each in lines)
    for invoice in invoices:
        cents = [int(line["amount"].replace(".", "")) for line in invoice["lines"]]
        assert sum(cents) == int(invoice["total"].replace(".", ""))
    billed = sum(int(line["quantity"]) for line in lines if line["unit"] == "tokens")
    assert billed == sum(int(count) for count in tokens["billed"].values())
    leases = [float(line["quantity"]) for line in lines if line["unit"] == "gpu_seconds"]
    assert sum(leases) == pytest.approx(float(report["gpu_seconds"]))
    # One posting for each invoice that is not nothing, one for each payment; what is too small for Stripe is carried.
    posted = [invoice for invoice in invoices if float(invoice["total"])]
    paid = [invoice for invoice in posted if invoice["status"] == "paid"]
    assert {invoice["status"] for invoice in invoices if float(invoice["total"]) >= 1} == {"paid"}
    assert report["ledger"] == {"balanced": True, "postings": len(posted) + len(paid)}


def test_a_trace_and_a_job_list_of_ones_own_come_out_exactly(ended: Ended) -> None:
    report = ended.report
    rows = CONVERSATION + CODE
    expected = {"input": str(sum(size for size, _ in rows)), "output": str(sum(made for _, made in rows))}
    assert report["tokens"] == {"engine": expected, "gateway": expected, "billed": expected}
    assert report["events"]["accepted"] == len(rows)
    chat = next(each for each in report["invoices"] if each["tenant"] == "sample-chat")
    conversation = sum(size + made for size, made in CONVERSATION)
    assert [line["quantity"] for line in chat["lines"]] == [str(conversation)]
    lines = [line for each in report["invoices"] for line in each["lines"]]
    (job_line,) = [line for line in lines if "jobs on demand" in line["description"]]
    # 5,000 s whole, 8,001 s in two parts that make one card, 50 s on eight cards.
    assert job_line["quantity"] == "13401"
    names = [check["name"] for check in report["checks"]]
    assert "requests are the trace's rows" in names
    assert not [name for name in names if "Azure" in name or "openb" in name]


def test_nothing_runs_on_after_the_demo(ended: Ended) -> None:
    assert ended.left == []


def test_what_cannot_be_done_is_said_in_a_line_and_nothing_is_started(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "forecourt.cli", "demo", "--once", "--data", str(data), "--jobs", "nowhere"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(covered=True), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "nowhere/openb_pod_list_default.csv: No such file or directory; expected the openb" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert not data.exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear")
    with demo(tmp_path / "run", "--data", str(tmp_path)) as run:
        assert run.wait(60) == 1
        assert f"{tmp_path} is not empty and no earlier demo's" in run.said
    assert (tmp_path / "letter").read_text() == "Dear"


def test_ctrl_c_while_it_starts_ends_everything(tmp_path: Path) -> None:
    with demo(tmp_path) as run:
        wait_until(run, lambda: has_begun(run, 1))
        run.interrupt()
        assert run.wait(60) == 1
        assert "Stopped" in run.said
        assert run.processes() == []


def test_ctrl_c_while_it_meters_ends_everything(tmp_path: Path) -> None:
    with demo(tmp_path, *SHORT, *FEW, *own_samples(tmp_path / "samples")) as run:
        wait_until(run, lambda: "gateway" in run.pids())
        assert len(run.processes()) > 10
        run.interrupt()
        assert run.wait(180) == 1
        assert run.said.rstrip().endswith("forecourt demo: Stopped.")
        assert "Traceback" not in run.said
        assert run.processes() == []
