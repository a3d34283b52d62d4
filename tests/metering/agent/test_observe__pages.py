"""Every engine's page, in the format of its own exporter, to the token: `tests/fakes/engine_pages/expected.toml`."""

import tomllib
from typing import Any

import msgspec
import pytest

from metering.agent.config import EndpointSetting
from metering.agent.endpoints import source_of
from metering.agent.engines import EngineMapping, load_mappings
from metering.agent.exposition import parse_page
from metering.agent.observe import Observation, observe
from tests.fakes.engine_pages import FOLDER, recorded

MAPPINGS = load_mappings()
CASES: list[dict[str, Any]] = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))["case"]


def see(case: dict[str, Any], text: str) -> Observation:
    mapping: EngineMapping = MAPPINGS[case["engine"]]
    setting = msgspec.convert({"url": "http://127.0.0.1:8000", "engine": case["engine"]}, EndpointSetting)
    setting = msgspec.structs.replace(setting, **case.get("setting", {}))
    page = parse_page(text.encode(), mapping.register_names | mapping.hint_names)
    return observe(page, source_of(setting, mapping))


def meters(seen: Observation) -> list[list[Any]]:
    return [
        [meter.key.quantity, meter.key.model, meter.key.labels, sum(part.value for part in meter.parts.values())]
        for meter in seen.meters
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['engine']}: {case['what']}")
def test_a_page_gives_exactly_its_meters(case: dict[str, Any]) -> None:
    seen = see(case, recorded(case["page"]))
    assert meters(seen) == case["meters"]
    assert (seen.faults, seen.unread, seen.page_fault) == ((), frozenset(), None)


def test_every_engine_with_counters_has_a_page_and_every_page_is_read() -> None:
    assert {case["engine"] for case in CASES} == {name for name, each in MAPPINGS.items() if each.readable}
    assert {case["page"] for case in CASES} == {path.stem for path in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['engine']} {case['page']} {case.get('setting', '')}")
def test_whatever_a_page_lacks_or_hides_never_adds_a_token(case: dict[str, Any]) -> None:
    """Each sample line left out, doubled or spoilt in turn: a meter is as it was, less, or not read; never more."""
    lines = recorded(case["page"]).splitlines(keepends=True)
    names = MAPPINGS[case["engine"]].register_names
    truth = {repr(meter[:3]): meter[3] for meter in case["meters"]}
    whole = {meter[0]: sum(each[3] for each in case["meters"] if each[0] == meter[0]) for meter in case["meters"]}
    for number, line in enumerate(lines):
        if not line.startswith(tuple(names)):
            continue
        name, value = line.rsplit(" ", 1)
        for spoilt in ("", line + line, f"{name} NaN\n", f"{name} -{value}", f"{name} 1.8014398509481984e+16\n"):
            seen = see(case, "".join([*lines[:number], spoilt, *lines[number + 1 :]]))
            for meter in meters(seen):
                assert meter[3] <= truth.get(repr(meter[:3]), whole.get(meter[0], 0)), (line, spoilt)


def trap(name: str) -> Observation:
    return see({"engine": "vllm"}, recorded(f"traps/{name}"))


def test_a_page_for_another_format_is_told_and_not_guessed() -> None:
    """What prometheus_client 0.26 answers to plain OpenMetrics: types with a colon, samples without."""
    seen = trap("vllm_openmetrics")
    assert seen.meters == ()
    assert {fault.reason for fault in seen.faults} == {"escaped_colons"}
    assert seen.unread == {rule.quantity for rule in MAPPINGS["vllm"].meters}


def test_an_exemplar_is_not_taken_for_a_timestamp() -> None:
    seen = trap("vllm_exemplar")
    assert (seen.meters, [fault.reason for fault in seen.faults]) == ((), ["openmetrics_suffix"])


def test_the_same_page_without_its_exemplar_is_read() -> None:
    text = recorded("traps/vllm_exemplar").replace(
        ' # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 5.0 1795323219.012345', ""
    )
    seen = see({"engine": "vllm"}, text)
    assert meters(seen) == [["output", "m", {"engine": "0"}, 5]]
    (meter,) = seen.meters
    assert [part.created_ms for part in meter.parts.values()] == [1_795_323_219_012]
