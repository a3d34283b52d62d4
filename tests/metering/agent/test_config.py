"""Settings from file and environment; a wrong one says its name and what is expected."""

from pathlib import Path

import pytest

from metering.agent.config import (
    AcceleratorSetting,
    Config,
    ConfigError,
    EndpointSetting,
    checked_mappings,
    load_config,
)
from metering.agent.state import default_state_dir


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path | None, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        load_config(path, {f"FORECOURT_AGENT_{name}": value for name, value in environment.items()})
    return error.value


def test_nothing_set_gives_the_defaults() -> None:
    config = load_config(None, {"PATH": "/bin", "FORECOURT_OTHER": "1"})
    assert config == Config()
    assert (config.interval_s, config.ship_readings, config.spool_hours_max, config.spool_mib_max) == (
        10,
        5_000,
        24,
        1_024,
    )
    assert config.state_path == default_state_dir()


def test_a_file_is_read(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        'state_dir = "/srv/agent"\ninterval_s = 5\nnvml = false\n'
        '[[endpoints]]\nurl = "http://127.0.0.1:8000"\nengine = "vllm"\n'
        '[[endpoints]]\nurl = "http://127.0.0.1:8080"\nengine = "llamacpp"\nmodel = "tiny"\npage = "/m"\n',
    )
    config = load_config(path, {})
    assert (config.state_path, config.interval_s, config.nvml) == (Path("/srv/agent"), 5, False)
    assert config.endpoints == [
        EndpointSetting("http://127.0.0.1:8000", "vllm"),
        EndpointSetting("http://127.0.0.1:8080", "llamacpp", "/m", "tiny"),
    ]


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    path = toml(tmp_path, 'interval_s = 5\nstate_dir = "/from/file"\nship_readings = 100\n')
    environment = {
        "FORECOURT_AGENT_CONFIG": str(path),
        "FORECOURT_AGENT_INTERVAL_S": "20",
        "FORECOURT_AGENT_STATE_DIR": "/from/environment",
        "FORECOURT_AGENT_NVML": "false",
        "FORECOURT_AGENT_TOKEN": "not a setting of the file",
    }
    config = load_config(None, environment, state_dir=Path("/from/command"))
    assert (config.interval_s, config.ship_readings, config.nvml) == (20, 100, False)
    assert config.state_dir == "/from/command"
    assert load_config(None, environment).state_dir == "/from/environment"


def test_endpoints_come_from_the_environment() -> None:
    text = "vllm=http://127.0.0.1:8000, llamacpp=https://[::1]:8080/base ,"
    config = load_config(None, {"FORECOURT_AGENT_ENDPOINTS": text})
    assert config.endpoints == [
        EndpointSetting("http://127.0.0.1:8000", "vllm"),
        EndpointSetting("https://[::1]:8080/base", "llamacpp"),
    ]


@pytest.mark.parametrize(
    ("variable", "value", "what", "expected"),
    [
        ("INTERVAL_S", "x", "'x'", "a whole number"),
        ("INTERVAL_S", "0", "'0'", "a whole number >= 1"),
        ("INTERVAL_S", "301", "'301'", "a whole number <= 300"),
        ("NVML", "maybe", "'maybe'", "true or false"),
        ("ENDPOINTS", "http-only", "'http-only'", "engine=URL, several separated by commas"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_expected(variable: str, value: str, what: str, expected: str) -> None:
    error = refused(None, **{variable: value})
    assert (error.name, error.what, error.expected) == (f"FORECOURT_AGENT_{variable}", what, expected)
    assert str(error) == f"FORECOURT_AGENT_{variable}: {what}; expected {expected}"


def test_an_unknown_variable_is_refused_with_the_known_ones() -> None:
    error = refused(None, INTERVALL_S="10")
    assert error.name == "FORECOURT_AGENT_INTERVALL_S"
    assert "FORECOURT_AGENT_INTERVAL_S" in error.expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ('interval_s = "10"', "interval_s", "a whole number"),
        ("nvml = 1", "nvml", "true or false"),
        ("surprise = 1", "surprise", "one of state_dir"),
        ('[[endpoints]]\nurl = "http://h:1"\nengin = "vllm"', "endpoints[0]", "one of url, engine, page, model"),
        ('[[endpoints]]\nurl = "http://h:1"\nengine = 5', "endpoints[0].engine", "text"),
        ('[[endpoints]]\nurl = "http://h:1"\nengine = ""', "endpoints[0].engine", "text of length >= 1"),
        ("endpoints = 3", "endpoints", "a list"),
    ],
)
def test_a_wrong_setting_in_a_file_is_named(tmp_path: Path, text: str, name: str, expected: str) -> None:
    error = refused(toml(tmp_path, text))
    assert error.name == name
    assert error.expected.startswith(expected)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://h:1",
        "http://",
        "http://h:99999",
        "http://h:1?x=1",
        "http://h:1#f",
        "http://u:p@h:1",
        "http://[bad",
    ],
)
def test_an_endpoint_without_a_base_url_is_refused(url: str) -> None:
    error = refused(None, ENDPOINTS=f"vllm={url}")
    assert error.name == "FORECOURT_AGENT_ENDPOINTS[0].url"
    assert "http://127.0.0.1:8000" in error.expected


def test_what_can_be_said_of_an_endpoint(tmp_path: Path) -> None:
    text = """
[[endpoints]]
url = "http://h:1?model=a&autoload=false"
engine = "llamacpp"
[[endpoints]]
url = "http://h:2"
engine = "sglang"
role = "prefill"
version = "0.5.23"
keep_labels = ["tenant"]
"""
    router, server = load_config(toml(tmp_path, text), {}).endpoints
    assert router.url == "http://h:1?model=a&autoload=false"
    assert (server.role, server.version, server.keep_labels) == ("prefill", "0.5.23", ["tenant"])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('role = "both"', "endpoints[0].role"),
        ('keep_labels = ["no label"]', "endpoints[0].keep_labels[0]"),
        ('keep_labels = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]', "endpoints[0].keep_labels"),
    ],
)
def test_what_cannot_be_said_of_an_endpoint_is_named(tmp_path: Path, line: str, name: str) -> None:
    assert refused(toml(tmp_path, f'[[endpoints]]\nurl = "http://h:1"\nengine = "vllm"\n{line}')).name == name


@pytest.mark.parametrize("asked", ["/metrics", "/metrics/", "/perf_metrics", "//metrics", "/trt/metrics?x=1"])
def test_a_page_that_each_read_empties_is_refused(asked: str) -> None:
    endpoints = [EndpointSetting("http://h:1", "vllm"), EndpointSetting("http://h:2", "tensorrt_llm", page=asked)]
    with pytest.raises(ConfigError, match="emptied by each read") as error:
        checked_mappings(Config(endpoints=endpoints))
    assert (error.value.name, error.value.expected) == ("endpoints[1].page", "/prometheus/metrics, or no page")


def test_the_page_that_may_be_read_may_be_named_and_moved() -> None:
    pages = [None, "/prometheus/metrics", "/behind/a/proxy/prometheus/metrics"]
    endpoints = [EndpointSetting(f"http://h:{n}", "tensorrt_llm", page=page) for n, page in enumerate(pages)]
    assert "tensorrt_llm" in checked_mappings(Config(endpoints=endpoints))


def test_one_endpoint_twice_would_count_twice_and_is_refused() -> None:
    error = refused(None, ENDPOINTS="vllm=http://h:1,sglang=http://h:1")
    assert (error.name, error.expected) == ("FORECOURT_AGENT_ENDPOINTS[1].url", "each endpoint once")


def test_a_page_must_be_a_path(tmp_path: Path) -> None:
    error = refused(toml(tmp_path, '[[endpoints]]\nurl = "http://h:1"\nengine = "vllm"\npage = "metrics"'))
    assert error.name == "endpoints[0].page"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.toml").name.endswith("absent.toml")
    assert "TOML" in refused(toml(tmp_path, "interval_s = = 1")).expected
    (tmp_path / "latin.toml").write_bytes(b'state_dir = "\xff"')
    assert "TOML" in refused(tmp_path / "latin.toml").expected


def test_exporters_of_accelerators_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[[accelerators]]\nurl = "http://127.0.0.1:5000"\nexporter = "amd"\ninterval_s = 15\n', "utf-8")
    assert load_config(path, {}).accelerators == [AcceleratorSetting("http://127.0.0.1:5000", "amd", None, 15)]
    environment = {"FORECOURT_AGENT_ACCELERATORS": "ascend=http://127.0.0.1:8082,gaudi=http://10.0.0.1:41611"}
    assert [each.exporter for each in load_config(path, environment).accelerators] == ["ascend", "gaudi"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amd", "'amd'; expected exporter=URL"),
        ("amd=127.0.0.1:5000", "a base URL"),
        ("amd=http://h:1,ascend=http://h:1", "listed twice"),
    ],
)
def test_a_wrong_exporter_setting_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load_config(None, {"FORECOURT_AGENT_ACCELERATORS": text})
    assert str(refused.value).startswith("FORECOURT_AGENT_ACCELERATORS")


def test_an_unknown_field_of_an_exporter_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[[accelerators]]\nurl = "http://h:1"\nkind = "amd"\n', "utf-8")
    with pytest.raises(ConfigError, match="one of url, exporter, page, interval_s"):
        load_config(path, {})


def test_other_vendors_libraries_are_named_by_choice(tmp_path: Path) -> None:
    assert load_config(None, {"FORECOURT_AGENT_ACCELERATOR_LIBRARIES": "amdsmi, hlml"}).accelerator_libraries == [
        "amdsmi",
        "hlml",
    ]
    with pytest.raises(ConfigError, match=r"FORECOURT_AGENT_ACCELERATOR_LIBRARIES\[0\]"):
        load_config(None, {"FORECOURT_AGENT_ACCELERATOR_LIBRARIES": "rocm"})
