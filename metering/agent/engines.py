"""Inference engines as data: which series of which page are which register.

One file per engine in `engines/`, and a person's own files beside them (`engines_dir`): a new engine is one
new file. A person's file with the name of a built-in one replaces it. Sources of the facts are in each
file.
"""

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

BUILT_IN_DIR: Final = Path(__file__).parent / "engines"
SERIES_NAME: Final = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"

SeriesName = Annotated[str, msgspec.Meta(pattern=SERIES_NAME, max_length=200)]
LabelName = Annotated[str, msgspec.Meta(pattern="^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=100)]
Quantity = Literal[
    "input", "cached_input", "cache_write", "output", "reasoning", "requests", "finished_input", "finished_output"
]
"""`finished_*` are tokens of requests that ended by themselves; plain registers also have what was aborted or runs."""


class MappingError(Exception):
    """A mapping file that cannot be used: which file, where in it, what is wrong, what is expected."""

    def __init__(self, path: Path, where: str, what: str, expected: str) -> None:
        super().__init__(f"{path.name}: {where}: {what}; expected {expected}")
        self.path = path
        self.where = where
        self.what = what
        self.expected = expected


class MeterRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One way to read one quantity.

    The register is the sum of every `series`, plus every `optional` one that is on the page. Several rules
    of one quantity are alternatives: the first whose every `series` is on the page is used, which is how
    old names are read. `type` is what the page must declare; of a `histogram` its `_sum` is the register
    and `series` names the histogram. `where` keeps only samples whose label has one of the values (""
    stands for an absent label). Samples are summed over `sum_over` and any label not named here; `keep`
    makes each value its own meter, for labels whose series can reset apart from the others.
    """

    quantity: Quantity
    series: Annotated[list[SeriesName], msgspec.Meta(min_length=1)]
    type: Literal["counter", "histogram", "gauge"] = "counter"
    optional: list[SeriesName] = []
    where: dict[LabelName, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}
    sum_over: list[LabelName] = []
    keep: list[LabelName] = []

    @cached_property
    def sample_names(self) -> tuple[str, ...]:
        """Names of the sample lines that must be there."""
        return tuple(self._sample_name(name) for name in self.series)

    @cached_property
    def optional_sample_names(self) -> tuple[str, ...]:
        """Names of the sample lines that may be there."""
        return tuple(self._sample_name(name) for name in self.optional)

    def _sample_name(self, name: str) -> str:
        return f"{name}_sum" if self.type == "histogram" else name


class EngineMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How to read one kind of engine.

    `cached_tokens` says whether the engine's own prompt counter has cached tokens in it (`inside`), not
    (`outside`; its `input` rule must then add them), or reports none (`unreported`). `epoch_hints` name page
    markers in order of trust: `created` is the series' own `_created`, `process_start` is
    `process_start_time_seconds`. `epoch_header` is a response header that differs for every start of the
    engine. `process_proves_reset` is true where registers live in the process's memory only, so that a new
    process proves a register that began at zero; it is false where a folder of metric files can outlive the
    process. `listener_words` are words of the command line by which a listening engine is discovered.
    """

    engine: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,31}$")]
    title: str
    page: Annotated[str, msgspec.Meta(pattern="^/")]
    cached_tokens: Literal["inside", "outside", "unreported"]
    meters: Annotated[list[MeterRule], msgspec.Meta(min_length=1)]
    default_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    listener_words: list[str] = []
    model_labels: list[LabelName] = []
    epoch_hints: list[Literal["created", "process_start"]] = []
    epoch_header: str = ""
    process_proves_reset: bool = False
    version_series: SeriesName | None = None
    version_label: LabelName | None = None
    how_to_enable: str = ""

    @cached_property
    def register_names(self) -> frozenset[str]:
        """Every sample name that is a register or a part of one."""
        return frozenset(name for rule in self.meters for name in (*rule.sample_names, *rule.optional_sample_names))

    @cached_property
    def hint_names(self) -> frozenset[str]:
        """Every sample name that is an epoch hint or names the version."""
        names = set()
        if "created" in self.epoch_hints:
            names |= {created_name(name) for name in self.register_names}
        if "process_start" in self.epoch_hints:
            names.add("process_start_time_seconds")
        if self.version_series is not None:
            names.add(self.version_series)
        return frozenset(names)

    @cached_property
    def kept_labels(self) -> frozenset[str]:
        """Labels that any rule keeps."""
        return frozenset(label for rule in self.meters for label in rule.keep)


def created_name(sample_name: str) -> str:
    """The `_created` series that belongs to a counter's or a histogram's sample."""
    return f"{sample_name.removesuffix('_total').removesuffix('_sum')}_created"


def load_mappings(engines_dir: Path | None = None) -> dict[str, EngineMapping]:
    """Every known engine by name; a person's file wins over a built-in one. Raises MappingError."""
    mappings = _load_dir(BUILT_IN_DIR)
    if engines_dir is not None:
        if not engines_dir.is_dir():
            raise MappingError(engines_dir, "engines_dir", "is not there", "a folder of *.toml files")
        mappings |= _load_dir(engines_dir)
    return mappings


def _load_dir(folder: Path) -> dict[str, EngineMapping]:
    mappings: dict[str, EngineMapping] = {}
    for path in sorted(folder.glob("*.toml")):
        mapping = load_mapping(path)
        if mapping.engine in mappings:
            raise MappingError(path, "engine", f"{mapping.engine} is in another file too", "one file per engine")
        mappings[mapping.engine] = mapping
    return mappings


def load_mapping(path: Path) -> EngineMapping:
    """Read and check one file. Raises MappingError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise MappingError(path, "the file", str(broken), "a readable TOML file") from broken
    try:
        mapping = msgspec.convert(content, EngineMapping)
    except msgspec.ValidationError as refused:
        message, _, place = str(refused).partition(" - at `")
        what, _, got = message.removeprefix("Expected ").partition(", got ")
        if "unknown field" in message or "missing required" in message:
            fields = MeterRule if ".meters" in place else EngineMapping
            choices = ", ".join(info.name for info in msgspec.structs.fields(fields))
            raise MappingError(path, place.rstrip("`") or "$", message, f"the fields {choices}") from refused
        raise MappingError(path, place.rstrip("`") or "$", got or "a value out of bounds", what) from refused
    _check_mapping(path, mapping)
    return mapping


def _check_mapping(path: Path, mapping: EngineMapping) -> None:
    cached = {
        name for rule in mapping.meters if rule.quantity == "cached_input" for name in (*rule.series, *rule.optional)
    }
    for index, rule in enumerate(mapping.meters):
        where = f"$.meters[{index}]"
        named = [*rule.series, *rule.optional]
        if len(set(named)) != len(named):
            raise MappingError(path, where, "a series is named twice and would be added twice", "each once")
        if both := set(rule.keep) & set(rule.sum_over):
            raise MappingError(path, where, f"{sorted(both)} is kept and summed over", "one of the two")
        if rule.quantity == "input" and (mapping.cached_tokens == "outside") != bool(cached & set(named)):
            raise MappingError(
                path,
                where,
                f"cached_tokens is {mapping.cached_tokens} but input names {sorted(cached & set(named))}",
                "input to add the cached series exactly when cached tokens are outside the prompt counter",
            )
    if (mapping.version_series is None) != (mapping.version_label is None):
        raise MappingError(path, "$.version_series", "one of the pair is missing", "both or none")
