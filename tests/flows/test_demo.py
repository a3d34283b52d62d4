"""`forecourt demo` as a user runs it: everything checked, own traces, wrong options, Ctrl-C; nothing left behind."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.demo_run import DemoRun, demo, environment
from tests.faults.undisturbed import RUN_S, Ended, run_to_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
MONEY = re.compile(r"\d+\.\d\d")
WHOLE = re.compile(r"-?\d+")
TRACE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
JOBS_HEADER = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
)
CONVERSATION = [(374, 44), (396, 109), (879, 55), (0, 1), (91, 0), (16_384, 700)]
CODE = [(4808 + number, 10 + number % 7) for number in range(60)]


def shape(found: Any) -> Any:
    """The names in a report, and of each value its kind."""
    if isinstance(found, dict):
        return {name: shape(value) for name, value in found.items()}
    if isinstance(found, list):
        return [shape(found[0])] if found else []
    return type(found).__name__


def test_the_report_says_that_everything_held(undisturbed: Ended) -> None:
    assert undisturbed.status == 0
    checks = undisturbed.report["checks"]
    assert len(checks) == 15
    assert [check for check in checks if not check["ok"]] == []
    for check in checks:
        assert f"✓ {check['name']}: {check['detail']}" in undisturbed.said
    assert "\x1b" not in undisturbed.said


def test_the_report_has_the_documented_shape(undisturbed: Ended) -> None:
    tokens = {"input": "str", "output": "str"}
    assert shape(undisturbed.report) == {
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


def test_the_figures_of_the_report_agree_with_each_other(undisturbed: Ended) -> None:
    report = undisturbed.report
    tokens, events, invoices = report["tokens"], report["events"], report["invoices"]
    assert tokens["engine"] == tokens["gateway"] == tokens["billed"]
    assert all(WHOLE.fullmatch(count) for count in tokens["engine"].values())
    assert report["residual"] == {"input": "0", "output": "0"}
    assert events["accepted"] == 400
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
    # One posting for each invoice, one for each payment; what is too small for Stripe is carried.
    paid = [invoice for invoice in invoices if invoice["status"] == "paid"]
    assert {invoice["status"] for invoice in invoices if float(invoice["total"]) >= 1} == {"paid"}
    assert report["ledger"] == {"balanced": True, "postings": len(invoices) + len(paid)}


def test_nothing_runs_on_after_the_demo(undisturbed: Ended) -> None:
    assert undisturbed.left == []


def write_trace(folder: Path, name: str, rows: list[tuple[int, int]]) -> None:
    folder.mkdir(exist_ok=True)
    lines = [
        f"2023-11-16 18:{15 + number // 60:02d}:{number % 60:02d}.6805900,{size},{output}"
        for number, (size, output) in enumerate(rows)
    ]
    (folder / f"AzureLLMInferenceTrace_{name}.csv").write_text("\n".join([TRACE_HEADER, *lines]))


def write_jobs(folder: Path, *rows: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "openb_pod_list_default.csv").write_text("\n".join([JOBS_HEADER, *rows]))


def test_a_trace_and_a_job_list_of_ones_own_come_out_exactly(tmp_path: Path) -> None:
    trace, jobs = tmp_path / "trace", tmp_path / "jobs"
    write_trace(trace, "conv", CONVERSATION)
    write_trace(trace, "code", CODE)
    write_jobs(
        jobs,
        "a,12000,16384,1,1000,,LS,Running,0,5000,0",
        "b,6000,12288,1,460,,LS,Running,0,9001,1000",
        "c,6000,12288,1,540,,BE,Succeeded,0,9001,1000",
        "d,6000,12288,8,1000,A100,BE,Succeeded,100,200,150",
        "e,6000,12288,0,0,,BE,Succeeded,100,200,150",
        "f,6000,12288,2,1000,,BE,Pending,100,,",
    )
    ended = run_to_end(tmp_path, "--days", "1", "--trace", str(trace), "--jobs", str(jobs))
    rows = CONVERSATION + CODE
    expected = {"input": str(sum(size for size, _ in rows)), "output": str(sum(made for _, made in rows))}
    assert ended.report["tokens"] == {"engine": expected, "gateway": expected, "billed": expected}
    assert ended.report["events"]["accepted"] == len(rows)
    chat = next(each for each in ended.report["invoices"] if each["tenant"] == "sample-chat")
    conversation = sum(size + made for size, made in CONVERSATION)
    assert [line["quantity"] for line in chat["lines"]] == [str(conversation)]
    lines = [line for each in ended.report["invoices"] for line in each["lines"]]
    (job_line,) = [line for line in lines if "jobs on demand" in line["description"]]
    # 5,000 s whole, 8,001 s in two parts that make one card, 50 s on eight cards.
    assert job_line["quantity"] == "13401"
    names = [check["name"] for check in ended.report["checks"]]
    assert "requests are the trace's rows" in names
    assert not [name for name in names if "Azure" in name or "openb" in name]


def refused(folder: Path, *options: str) -> str:
    """What a demo says that does not start; its status is 1 or 2 and it leaves no process and no data."""
    data = folder / "data"
    command = [sys.executable, "-m", "forecourt.cli", "demo", "--once", "--data", str(data), *options]
    done = subprocess.run(
        command, cwd=folder, env=environment(covered=True), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr, done.stderr
    assert not data.exists()
    return done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--days", "32"], "argument --days: '32' is not a number of days from 1 to 31"),
        (["--days", "1.5"], "argument --days: '1.5' is not a number of days from 1 to 31"),
        (["--port", "65536"], "argument --port: '65536' is not a port from 0 to 65535"),
        (["--requests", "-5"], "argument --requests: '-5' is not a number of requests from 1 to 1000000"),
        (["--seed", "seven"], "argument --seed: invalid int value: 'seven'"),
        (["--json", "nowhere/report.json"], "nowhere/report.json cannot be written: expected a file in a folder"),
        (["--twice"], "unrecognized arguments: --twice"),
        (["--trace", "nowhere"], "nowhere/AzureLLMInferenceTrace_conv.csv: No such file or directory; expected"),
        (["--jobs", "nowhere"], "nowhere/openb_pod_list_default.csv: No such file or directory; expected the openb"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_started(tmp_path: Path, options: list[str], said: str) -> None:
    assert said in refused(tmp_path, *options)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2023-11-16 18:15:46.68,many,44", "AzureLLMInferenceTrace_conv.csv line 3: invalid literal for int()"),
        ("2023-11-16 18:15:46.68,-3,44", "line 3: -3 tokens in one request; at most 100000000"),
        ("16 November,3,44", "line 3: Invalid isoformat string: '16 November'"),
        ("2023-11-16 18:15:46.68,3", "line 3: int() argument must be"),
        ("2024-01-30 00:00:00,3,4", "after the sample's month ends"),
    ],
)
def test_a_broken_trace_is_named_by_file_and_line(tmp_path: Path, row: str, said: str) -> None:
    write_trace(tmp_path, "code", CODE)
    lines = [TRACE_HEADER, "2023-11-16 18:15:46.6805900,374,44", row]
    (tmp_path / "AzureLLMInferenceTrace_conv.csv").write_text("\n".join(lines))
    assert said in refused(tmp_path, "--trace", str(tmp_path))


def test_an_empty_or_binary_trace_is_refused(tmp_path: Path) -> None:
    write_trace(tmp_path, "code", [])
    write_trace(tmp_path, "conv", [])
    assert "no request in" in refused(tmp_path, "--trace", str(tmp_path))
    (tmp_path / "AzureLLMInferenceTrace_conv.csv").write_bytes(b"\x89PNG\r\n\xff\xfe")
    assert "expected a CSV file in UTF-8" in refused(tmp_path, "--trace", str(tmp_path))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,1,1,one,1000,,LS,Running,0,50,0", "openb_pod_list_default.csv line 2: invalid literal for int()"),
        ("a,1,1,1,1001,,LS,Running,0,50,0", "line 2: 1 GPUs at 1001 thousandths from second 0 cannot be held"),
        ("a,1,1,2,500,,LS,Running,0,50,0", "line 2: 2 GPUs at 500 thousandths from second 0 cannot be held"),
        ("a,1,1,0,0,,LS,Running,0,50,0", "expected at least one pod that held a GPU"),
        ("a,1,1,9,1000,,LS,Running,0,50,0", "1 jobs such as a find no room; the sample has 10 servers of 8 cards"),
    ],
)
def test_a_broken_job_list_is_named_by_file_and_line(tmp_path: Path, row: str, said: str) -> None:
    write_jobs(tmp_path, row)
    assert said in refused(tmp_path, "--jobs", str(tmp_path))


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear")
    with demo(tmp_path / "run", "--data", str(tmp_path)) as run:
        assert run.wait(60) == 1
        assert f"{tmp_path} is not empty and no earlier demo's" in run.said
    assert (tmp_path / "letter").read_text() == "Dear"


def test_ctrl_c_while_it_starts_ends_everything(tmp_path: Path) -> None:
    with demo(tmp_path) as run:
        wait_until(run, lambda: bool(ids_of(run)))
        run.interrupt()
        assert run.wait(60) == 1
        assert "Stopped" in run.said
        assert run.processes() == []


def test_a_killed_demo_is_cleared_away_by_the_next_which_ctrl_c_ends_while_it_meters(tmp_path: Path) -> None:
    with demo(tmp_path) as first:
        wait_until(first, lambda: len(ids_of(first)) > 4)
        first.process.kill()
        first.process.wait()
        left = ids_of(first)
        assert len(left) > 4
        with demo(tmp_path, "--days", "31") as second:
            wait_until(second, lambda: "gateway" in second.pids())
            assert left.isdisjoint(ids_of(second))
            assert len(second.processes()) > 10
            second.interrupt()
            assert second.wait(180) == 1
            assert second.said.rstrip().endswith("forecourt demo: Stopped.")
            assert "Traceback" not in second.said
            assert second.processes() == []


def ids_of(run: DemoRun) -> set[int]:
    return {process.pid for process in run.processes()}


def wait_until(run: DemoRun, what: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + RUN_S
    while not what():
        assert run.process.poll() is None, run.said
        assert time.monotonic() < deadline_s, run.said
        time.sleep(0.05)
