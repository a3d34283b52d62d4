"""What `check-engine` says of a file and of a saved page."""

from pathlib import Path

import pytest

from metering.agent.command import main
from metering.agent.config import EndpointSetting
from metering.agent.engine_check import check
from metering.agent.engines import MappingError
from metering.agent.exposition import PAGE_BYTES_MAX
from tests.fakes.engine_pages import FOLDER, recorded

MINE = 'engine = "mine"\ntitle = "Mine"\npage = "/stats"\n[[meters]]\nquantity = "output"\nseries = ["mine_total"]\n'


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    return path


def test_a_file_alone_is_summed_up(mine: Path) -> None:
    checked = check(str(mine), None)
    assert (checked.ok, checked.text) == (True, "mine: Mine\n  asks for /stats; reads output\n")


def test_a_page_is_read_as_the_agent_would_read_it(tmp_path: Path) -> None:
    checked = check("llamacpp", FOLDER / "llamacpp.txt")
    assert checked.ok
    assert checked.text.splitlines()[3:] == [
        "llamacpp.txt gives",
        "  input         3,215,377 (to within 10)  (no model)",
        "  cached_input                       812  (no model)",
        "  output                         999,999  (no model)",
        "",
        "start markers on the page: none",
        "the page names no model: set `model` on the endpoint",
    ]
    vllm = check("vllm", FOLDER / "vllm.txt").text
    assert "start markers on the page: the series' own _created, process_start_time_seconds\n" in vllm


def test_a_setting_changes_what_is_read() -> None:
    setting = EndpointSetting("http://h", "sglang", role="decode", version="0.5.23", keep_labels=["tenant"])
    checked = check("sglang", FOLDER / "sglang_tenants.txt", setting)
    assert "engine_type=unified tenant=team-b" in checked.text
    assert "not on this page: input, cached_input" in checked.text
    assert "version: 0.5.23" in checked.text


def test_faults_and_missing_series_are_told(tmp_path: Path, mine: Path) -> None:
    saved = tmp_path / "saved.prom"
    saved.write_text("mine_total NaN\n", encoding="utf-8")
    checked = check(str(mine), saved)
    assert not checked.ok
    assert "  NOT READ: not_a_number: mine_total: NaN\n  not on this page: output\n" in checked.text
    saved.write_text("mine_total 5", encoding="utf-8")
    assert "NOT READ: truncated" in check(str(mine), saved).text
    saved.write_text("other 5\n", encoding="utf-8")
    assert not check(str(mine), saved).ok


def test_an_engine_without_counters_has_no_page_to_check(tmp_path: Path) -> None:
    assert check("ollama", None).ok
    assert "usage events of the gateway" in check("ollama", None).text
    assert not check("ollama", FOLDER / "vllm.txt").ok


def test_too_large_a_page_is_no_page(tmp_path: Path, mine: Path) -> None:
    saved = tmp_path / "saved.prom"
    saved.write_bytes(b"x" * (PAGE_BYTES_MAX + 1))
    with pytest.raises(MappingError, match="at most"):
        check(str(mine), saved)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["vllm"], 0, "vllm: vLLM\n"),
        (["vllm", "--page", str(FOLDER / "sglang.txt")], 1, "not on this page: input"),
        (["vllm", "--page", "absent.prom"], 1, "No such file"),
        (["absent.toml"], 2, "absent.toml: the file: "),
        (["llamacpp", "--page", str(FOLDER / "llamacpp.txt"), "--model", "tiny"], 0, "  tiny\n"),
        (["sglang", "--page", str(FOLDER / "sglang_tenants.txt"), "--keep-label", "tenant"], 0, "tenant=team-a"),
        (["vllm", "--page", str(FOLDER / "vllm.txt"), "--role", "prefill"], 0, "not on this page: output"),
        (["vllm", "--page", str(FOLDER / "vllm_old.txt"), "--engine-version", "0.8"], 0, "version: 0.8"),
    ],
)
def test_the_command(arguments: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-engine", *arguments]) == status
    printed = capsys.readouterr()
    assert told in printed.out + printed.err


def test_a_file_that_would_empty_a_page_is_refused(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.write_text(MINE.replace('"mine"', '"tensorrt_llm"', 1).replace("/stats", "/metrics"), encoding="utf-8")
    assert main(["check-engine", str(mine)]) == 2
    assert "is emptied by each read, and what it held is lost to everyone" in capsys.readouterr().err


def test_a_file_named_like_a_built_in_engine_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vllm").write_text(MINE, encoding="utf-8")
    assert check("vllm", None).text.startswith("mine: Mine\n")
    assert recorded("vllm")
