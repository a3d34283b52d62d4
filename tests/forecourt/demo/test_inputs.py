"""Traces and job lists that cannot be used are named by file and line before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecourt.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Refused = Callable[..., str]

TRACE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
ROW = "2023-11-16 18:15:46.6805900,374,44"
JOBS_HEADER = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
)


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """What a demo says that does not start: its status is 1 and it leaves no data."""

    def run(*options: str) -> str:
        data = tmp_path / "data"
        assert main(["demo", "--once", "--data", str(data), *options]) == 1
        assert not data.exists()
        return capsys.readouterr().err

    return run


def write_trace(folder: Path, name: str, *rows: str) -> None:
    (folder / f"AzureLLMInferenceTrace_{name}.csv").write_text("\n".join([TRACE_HEADER, *rows]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--trace", "nowhere"], "nowhere/AzureLLMInferenceTrace_conv.csv: No such file or directory; expected"),
        (["--jobs", "nowhere"], "nowhere/openb_pod_list_default.csv: No such file or directory; expected the openb"),
    ],
)
def test_a_folder_without_the_files_is_named(refused: Refused, options: list[str], said: str) -> None:
    assert said in refused(*options)


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
def test_a_broken_trace_is_named_by_file_and_line(tmp_path: Path, refused: Refused, row: str, said: str) -> None:
    write_trace(tmp_path, "code", ROW)
    write_trace(tmp_path, "conv", ROW, row)
    assert said in refused("--trace", str(tmp_path))


def test_an_empty_or_binary_trace_is_refused(tmp_path: Path, refused: Refused) -> None:
    write_trace(tmp_path, "code")
    write_trace(tmp_path, "conv")
    assert "no request in" in refused("--trace", str(tmp_path))
    (tmp_path / "AzureLLMInferenceTrace_conv.csv").write_bytes(b"\x89PNG\r\n\xff\xfe")
    assert "expected a CSV file in UTF-8" in refused("--trace", str(tmp_path))


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
def test_a_broken_job_list_is_named_by_file_and_line(tmp_path: Path, refused: Refused, row: str, said: str) -> None:
    (tmp_path / "openb_pod_list_default.csv").write_text("\n".join([JOBS_HEADER, row]))
    assert said in refused("--jobs", str(tmp_path))
