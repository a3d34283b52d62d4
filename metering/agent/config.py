"""The agent's settings: a TOML file, over it the environment, every value checked at start.

File: `--config`, else `FORECOURT_AGENT_CONFIG`, else `/etc/forecourt/agent.toml` where it exists. Every
scalar setting has an environment name: `FORECOURT_AGENT_` and the setting in capitals. Endpoints by
environment: `FORECOURT_AGENT_ENDPOINTS="vllm=http://127.0.0.1:8000,llamacpp=http://127.0.0.1:8080"`; exporters of
accelerators: `FORECOURT_AGENT_ACCELERATORS="amd=http://127.0.0.1:5000"`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

import msgspec

from metering.agent.engines import EngineMapping, LabelName, Role, load_mappings
from metering.agent.state import default_state_dir
from metering.wire import STRING_CHARS_MAX

ENV_PREFIX: Final = "FORECOURT_AGENT_"
SYSTEM_CONFIG: Final = Path("/etc/forecourt/agent.toml")
_OUTSIDE_SETTINGS: Final = {"CONFIG", "TOKEN"}


class ConfigError(Exception):
    """A setting that cannot be used: `name` as the person wrote it, what is wrong, and what is expected."""

    def __init__(self, name: str, what: str, expected: str) -> None:
        super().__init__(f"{name}: {what}; expected {expected}")
        self.name = name
        self.what = what
        self.expected = expected


Setting = Annotated[str, msgspec.Meta(min_length=1, max_length=STRING_CHARS_MAX, pattern=r"^[^\x00-\x1f]*$")]


class EndpointSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One inference server to read.

    `url` is its base URL and its name in every reading; where one server routes to several models, each is an endpoint
    of its own with `?model=…` in its URL. `engine` names a mapping. `page` overrides the
    mapping's metrics path; `model` names the served model for engines whose page does not. `role` is the server's
    part where prompts and answers are made on different ones; `version` is the engine's; each value of a label of
    `keep_labels` (a tenant's, say) is metered apart.
    """

    url: Setting
    engine: Setting
    page: Setting | None = None
    model: Setting | None = None
    role: Role | None = None
    version: Setting | None = None
    keep_labels: Annotated[list[LabelName], msgspec.Meta(max_length=8)] = []


class AcceleratorSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One exporter of accelerators to read: its base URL, the name of its mapping, another page or pace than usual."""

    url: Setting
    exporter: Setting
    page: Setting | None = None
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=300)] | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, with their defaults."""

    state_dir: str = ""
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=300)] = 10
    scrape_timeout_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 5
    ship_interval_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 10
    ship_readings: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 5_000
    ship_batches_per_s: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 10
    ship_timeout_s: Annotated[int, msgspec.Meta(ge=1, le=300)] = 30
    flush_timeout_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 10
    spool_hours_max: Annotated[int, msgspec.Meta(ge=1, le=720)] = 24
    spool_mib_max: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1_024
    nvml: bool = True
    nvml_timeout_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 5
    discover: bool = True
    discover_probe: bool = False
    engines_dir: str = ""
    accelerators_dir: str = ""
    ca_file: str = ""
    status_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 9_810
    endpoints: list[EndpointSetting] = []
    accelerators: list[AcceleratorSetting] = []
    accelerator_libraries: list[Literal["amdsmi", "hlml"]] = []

    AT_START: ClassVar[frozenset[str]] = frozenset(
        {"state_dir", "status_port", "nvml", "nvml_timeout_s", "accelerator_libraries", "ca_file"}
    )
    """Settings that are read at the start only; the others can be changed while the agent runs."""

    @property
    def page_urls(self) -> list[str]:
        """Every base URL whose page is read."""
        return [each.url for each in self.endpoints] + [each.url for each in self.accelerators]

    @property
    def state_path(self) -> Path:
        """The state folder in force."""
        return Path(self.state_dir) if self.state_dir else default_state_dir()


def load_config(path: Path | None, environment: Mapping[str, str], *, state_dir: Path | None = None) -> Config:
    """Read and check all settings. `state_dir` comes from the command line and wins. Raises ConfigError."""
    settings = _read_file(_config_path(path, environment))
    names = {field: field for field in settings}
    for variable, text in environment.items():
        if variable.startswith(ENV_PREFIX) and variable.removeprefix(ENV_PREFIX) not in _OUTSIDE_SETTINGS:
            field = variable.removeprefix(ENV_PREFIX).lower()
            settings[field] = _from_environment(variable, field, text)
            names[field] = variable
    if state_dir is not None:
        settings["state_dir"] = str(state_dir)
    config = _convert(settings, names)
    _check_pages(config.endpoints, names.get("endpoints", "endpoints"))
    _check_pages(config.accelerators, names.get("accelerators", "accelerators"))
    return config


def _config_path(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if named := environment.get(f"{ENV_PREFIX}CONFIG"):
        return Path(named)
    return SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else None


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as absent:
        raise ConfigError(str(path), absent.strerror or "cannot be read", "a readable TOML file") from absent
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise ConfigError(str(path), str(broken), "valid TOML") from broken


def _from_environment(variable: str, field: str, text: str) -> object:
    known = {info.name: info for info in msgspec.structs.fields(Config)}
    if field not in known:
        choices = ", ".join(sorted(f"{ENV_PREFIX}{name.upper()}" for name in known))
        raise ConfigError(variable, "is no setting", f"one of {choices}")
    if field in {"endpoints", "accelerators"}:
        kind = "engine" if field == "endpoints" else "exporter"
        return [_endpoint_from_text(variable, part, kind) for part in text.split(",") if part.strip()]
    if field == "accelerator_libraries":
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _endpoint_from_text(variable: str, text: str, kind: str) -> dict[str, str]:
    name, separator, url = text.strip().partition("=")
    if not separator:
        raise ConfigError(variable, repr(text), f"{kind}=URL, several separated by commas")
    return {kind: name.strip(), "url": url.strip()}


def _convert(settings: dict[str, Any], names: dict[str, str]) -> Config:
    for field, setting in settings.items():
        try:
            # Strings stand for numbers and truth values only where they come from the environment.
            msgspec.convert({field: setting}, Config, strict=not names.get(field, "").startswith(ENV_PREFIX))
        except msgspec.ValidationError as refused:
            raise _refused(names.get(field, field), setting, refused) from refused
    return msgspec.convert(settings, Config, strict=False)


def _refused(name: str, setting: object, refused: msgspec.ValidationError) -> ConfigError:
    message, _, place = str(refused).partition(" - at `")
    if "unknown field" in message:
        inside = place.rstrip("`").removeprefix("$")
        known: type[msgspec.Struct] = EndpointSetting if inside.startswith(".endpoints") else Config
        known = AcceleratorSetting if inside.startswith(".accelerators[") else known
        choices = ", ".join(info.name for info in msgspec.structs.fields(known))
        return ConfigError(inside.strip(".") or name, message.replace("Object contains ", ""), f"one of {choices}")
    expected, _, got = message.removeprefix("Expected ").partition(", got ")
    _, bracket, rest = place.rstrip("`").partition("[")
    # Inside a list the value at fault is not the whole setting.
    shown = (got.strip("`") or "this value") if bracket else repr(setting)[:80]
    return ConfigError(f"{name}{bracket}{rest}", shown, _in_words(expected))


def _in_words(expected: str) -> str:
    words = {"int": "a whole number", "bool": "true or false", "str": "text", "array": "a list", "object": "a table"}
    for term, meaning in words.items():
        expected = expected.replace(f"`{term}`", meaning)
    return expected


def _check_pages(settings: Sequence[EndpointSetting | AcceleratorSetting], name: str) -> None:
    seen = set()
    for index, endpoint in enumerate(settings):
        where = f"{name}[{index}].url"
        try:
            parts = urlsplit(endpoint.url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        # A router of several models shows each by itself: ?model=… names it.
        if not usable or parts.fragment or parts.username or not f"{parts.query}model=".startswith("model="):
            raise ConfigError(where, repr(endpoint.url), "a base URL such as http://127.0.0.1:8000")
        if endpoint.url in seen:
            raise ConfigError(where, f"{endpoint.url} is listed twice", "each endpoint once")
        seen.add(endpoint.url)
        if endpoint.page is not None and not endpoint.page.startswith("/"):
            raise ConfigError(f"{name}[{index}].page", repr(endpoint.page), "a path that starts with /")


def checked_mappings(config: Config) -> dict[str, EngineMapping]:
    """Every engine, after a check that the configured endpoints name known ones. Raises MappingError, ConfigError."""
    mappings = load_mappings(Path(config.engines_dir) if config.engines_dir else None)
    for index, endpoint in enumerate(config.endpoints):
        if endpoint.engine not in mappings:
            known = f"one of {', '.join(sorted(mappings))}, or an engine of a file in engines_dir"
            raise ConfigError(f"endpoints[{index}].engine", repr(endpoint.engine), known)
        _refuse_destructive_page(f"endpoints[{index}].page", endpoint, mappings[endpoint.engine])
    return mappings


def _refuse_destructive_page(name: str, endpoint: EndpointSetting, mapping: EngineMapping) -> None:
    """A setting must not have a page read that each read empties."""
    if endpoint.page is None:
        return
    path = urlsplit(endpoint.url).path.rstrip("/") + endpoint.page
    if mapping.is_destructive(path):
        raise ConfigError(name, f"{path} of {mapping.title} is emptied by each read", f"{mapping.page}, or no page")
