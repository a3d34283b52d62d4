"""The agent's page: every setting, command, refusal and outcome as the code has them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import msgspec

from metering.agent.command import _parser
from metering.agent.config import Config, load_config
from metering.agent.delivery import RETRY_AFTER_S_MAX
from metering.agent.doctor import ALARM_FIXES
from metering.agent.finder import DISCOVER_MS
from metering.agent.ship import BACKOFF_S_MAX, SET_ASIDE_AFTER
from tests.docs.pages import ROOT, blocks_of, code, rows_of, text_of

PAGE = "docs/agent.md"


def test_every_setting_is_listed_with_default_range_and_when_it_is_taken() -> None:
    hints = get_type_hints(Config, include_extras=True)
    said = {code(row[0]): row for row in rows_of(PAGE, "setting", "default")}
    fields = {field.name: field for field in msgspec.structs.fields(Config)}
    assert list(said) == list(fields)
    for name, row in said.items():
        default = getattr(Config(), name)
        assert msgspec.json.decode(code(row[1])) == default, name
        bounds = [one for one in get_args(hints[name]) if isinstance(one, msgspec.Meta)]
        expected = f"{bounds[0].ge}–{bounds[0].le}" if get_origin(hints[name]) is Annotated else ""
        assert row[2] == expected, name
        assert row[3] == ("start" if name in Config.AT_START else "reload"), name
        assert row[4], name


def test_the_example_is_a_file_that_the_agent_takes(tmp_path: Path) -> None:
    (text,) = blocks_of(PAGE, "toml")
    assert tomllib.loads(text)
    file = tmp_path / "agent.toml"
    file.write_text(text)
    assert len(load_config(file, {}).endpoints) == 2
    variable = re.search(r'`FORECOURT_AGENT_ENDPOINTS="([^"]+)"`', text_of(PAGE))
    assert variable
    assert len(load_config(None, {"FORECOURT_AGENT_ENDPOINTS": variable[1]}).endpoints) == 2


def test_every_command_is_listed() -> None:
    (commands,) = [action for action in _parser()._actions if action.choices]
    assert commands.choices is not None
    listed = [code(row[0]).removeprefix("forecourt agent ") for row in rows_of(PAGE, "command")]
    assert sorted(listed) == sorted(commands.choices)


def test_every_refusal_that_stands_is_listed() -> None:
    assert [code(row[0]) for row in rows_of(PAGE, "code", "fix")] == list(ALARM_FIXES)


def test_the_outcomes_are_those_of_the_agent_itself() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "metering" / "agent").glob("*.py"))
    own = {"model_unknown"} | set(re.findall(r'Outcome\(\s*"spool", "", \w+, "(\w+)"', sources))
    own |= set(re.findall(r'_report\("(\w+)"', sources))
    assert {code(row[0]) for row in rows_of(PAGE, "outcome", "meaning")} == own


def test_figures_of_the_page_are_those_of_the_code() -> None:
    text = text_of(PAGE)
    assert f"at most {BACKOFF_S_MAX / 60:g} minutes" in text
    assert f"{Config().ship_batches_per_s} batches a second" in text
    assert SET_ASIDE_AFTER == 3
    assert "after three refusals" in text
    assert f"port {Config().status_port}:" in text
    assert RETRY_AFTER_S_MAX >= BACKOFF_S_MAX
    assert DISCOVER_MS == 60_000
