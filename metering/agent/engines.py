"""Inference engines as data: which series of which page are which register.

One file per engine in `engines/`, and a person's own files beside them (`engines_dir`): a new engine is one
new file. A person's file with the name of a built-in one replaces it. Sources of the facts are in each
file.
"""

import tomllib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from urllib.parse import unquote

import msgspec

from metering.agent.engine_versions import RANGE_PATTERN, in_range

BUILT_IN_DIR: Final = Path(__file__).parent / "engines"
SERIES_NAME: Final = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"

SeriesName = Annotated[str, msgspec.Meta(pattern=SERIES_NAME, max_length=200)]
LabelName = Annotated[str, msgspec.Meta(pattern="^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=100)]
PagePath = Annotated[str, msgspec.Meta(pattern="^$|^/")]
VersionRange = Annotated[str, msgspec.Meta(pattern=RANGE_PATTERN)]
Role = Literal["unified", "prefill", "decode"]
"""What a server does where prompts and answers are made on different ones: everything, prompts, or answers."""

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
    of one quantity are alternatives: the first whose every `series` is on the page, whose `versions` hold the
    engine's version where that is known, and whose `roles` hold the endpoint's role is used, which is how old
    names are read. `type` is what the page must declare; of a `histogram` its `_sum` is the register
    and `series` names the histogram. `where` keeps only samples whose label has one of the values (""
    stands for an absent label), `where_not` drops those. Samples that differ in `repeats` labels only say the same
    thing again: the largest counts, once. Samples are summed over `sum_over` and any label not named here; `keep`
    makes each value its own meter, for labels whose series can reset apart from the others.
    """

    quantity: Quantity
    series: Annotated[list[SeriesName], msgspec.Meta(min_length=1)]
    type: Literal["counter", "histogram", "gauge"] = "counter"
    optional: list[SeriesName] = []
    versions: VersionRange = ""
    roles: list[Role] = []
    where: dict[LabelName, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}
    where_not: dict[LabelName, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}
    repeats: list[LabelName] = []
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


class KnownBug(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known to be wrong in some versions of an engine: `where` it is written down, and `what` it does."""

    where: str
    what: str
    versions: VersionRange = ""


class EngineMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How to read one kind of engine.

    `counters` is `none` for an engine that has no page of counters; `why` then says so, and nothing is ever asked of
    it. `covers` says in words which versions the mapping was written for. `old_pages` are asked where `page` is not
    found (404). `destructive_pages` are never asked: a read takes something away.

    `cached_tokens` says whether the engine's own prompt counter has cached tokens in it (`inside`), not
    (`outside`; its `input` rule must then add them), or reports none (`unreported`). `epoch_hints` name page
    markers in order of trust: `created` is the series' own `_created`, `process_start` is
    `process_start_time_seconds`. `epoch_header` is a response header that differs for every start of the
    engine. `process_proves_reset` is true where registers live in the process's memory only, so that a new
    process proves a register that began at zero; it is false where a folder of metric files can outlive the
    process. `vanished_begin_at_zero` is true where the engine drops idle series, which begin at zero when they are
    back. `falls` is `held` where a lower value without any restart is no reset but another process's page.
    `significant_digits` is set where the page rounds: a larger value is known to one unit of its last digit.
    `discovered` is false for a page that shows the tokens of other endpoints again, or whose series could be anyone's:
    it is read where it is named only.
    `listener_words` are words of the command line by which a listening engine is discovered, `role_words` what else of
    it tells the engine's role (small letters).
    `cannot_tell` and `known_bugs` are for people.
    """

    engine: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,31}$")]
    title: str
    page: PagePath = ""
    cached_tokens: Literal["inside", "outside", "unreported"] = "unreported"
    meters: list[MeterRule] = []
    counters: Literal["page", "none"] = "page"
    why: str = ""
    covers: str = ""
    old_pages: list[Annotated[str, msgspec.Meta(pattern="^/")]] = []
    destructive_pages: list[Annotated[str, msgspec.Meta(pattern="^/")]] = []
    default_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    discovered: bool = True
    listener_words: list[str] = []
    role_words: dict[Role, list[str]] = {}
    model_labels: list[LabelName] = []
    epoch_hints: list[Literal["created", "process_start"]] = []
    epoch_header: str = ""
    process_proves_reset: bool = False
    vanished_begin_at_zero: bool = False
    falls: Literal["reset", "held"] = "reset"
    significant_digits: Annotated[int, msgspec.Meta(ge=1, le=17)] | None = None
    version_series: SeriesName | None = None
    version_label: LabelName | None = None
    how_to_enable: str = ""
    cannot_tell: str = ""
    known_bugs: list[KnownBug] = []

    @property
    def readable(self) -> bool:
        """Whether the engine has counters that the agent can read."""
        return self.counters == "page"

    @property
    def how_metered(self) -> str:
        """In one sentence, for people: where this engine's tokens are counted."""
        if self.readable:
            return f"registers of {self.page}"
        return f"{self.why} Its tokens are metered by the usage events of the gateway in front of it."

    def role_of(self, command_line: str) -> Role | None:
        """The role that a command line gives the engine, None where it says nothing of one, or of two."""
        text = command_line.lower()
        roles = [role for role, words in self.role_words.items() if any(word in text for word in words)]
        return roles[0] if len(roles) == 1 else None

    def bugs_of(self, version: str | None) -> list[KnownBug]:
        """What is known to be wrong in this very version; nothing where the version is not known."""
        if version is None:
            return []
        return [bug for bug in self.known_bugs if bug.versions and in_range(version, bug.versions)]

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

    def resolution(self, value: int) -> int:
        """How far apart the neighbours are that the page can print of a value: 1 where it is exact."""
        digits = self.significant_digits
        return 1 if digits is None else max(1, 10 ** (len(str(value)) - digits))

    def is_destructive(self, url_path: str) -> bool:
        """Whether a path names a page of this engine that must not be read, however it is written."""
        path = plain_path(url_path)
        if any(path.endswith(plain_path(page)) for page in (self.page, *self.old_pages) if page):
            return False
        return any(path.endswith(page) for page in self.destructive_pages)


def plain_path(page: str) -> str:
    """A page's path without query, escapes, doubled slashes, dots and a slash at its end, in small letters."""
    path = unquote(page.partition("#")[0].partition("?")[0]).lower()
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return "/" + "/".join(parts)


def created_name(sample_name: str) -> str:
    """The `_created` series that belongs to a counter's or a histogram's sample."""
    return f"{sample_name.removesuffix('_total').removesuffix('_sum')}_created"


def load_mappings(engines_dir: Path | None = None) -> dict[str, EngineMapping]:
    """Every known engine by name; a person's file wins over a built-in one. Raises MappingError."""
    mappings = _load_dir(BUILT_IN_DIR, ())
    if engines_dir is not None:
        if not engines_dir.is_dir():
            raise MappingError(engines_dir, "engines_dir", "is not there", "a folder of *.toml files")
        mappings |= _load_dir(engines_dir, tuple(mappings.values()))
    return mappings


def _load_dir(folder: Path, built_in: tuple[EngineMapping, ...]) -> dict[str, EngineMapping]:
    mappings: dict[str, EngineMapping] = {}
    for path in sorted(folder.glob("*.toml")):
        mapping = load_mapping(path, built_in)
        if mapping.engine in mappings:
            raise MappingError(path, "engine", f"{mapping.engine} is in another file too", "one file per engine")
        mappings[mapping.engine] = mapping
    return mappings


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a mapping file holds, unchecked. Raises MappingError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise MappingError(path, "the file", str(broken), "a readable TOML file") from broken


def load_mapping(path: Path, built_in: Iterable[EngineMapping] = ()) -> EngineMapping:
    """Read and check one file, a person's one beside the built-in mappings. Raises MappingError."""
    content = read_toml(path)
    try:
        mapping = msgspec.convert(content, EngineMapping)
    except msgspec.ValidationError as refused:
        raise _unfit(path, refused) from refused
    _check_mapping(path, mapping)
    others = tuple(built_in)
    namesake = next((known for known in others if known.engine == mapping.engine), None)
    for known in others:
        _check_harmless(path, mapping, known, namesake)
    return mapping


def _unfit(path: Path, refused: msgspec.ValidationError) -> MappingError:
    message, _, place = str(refused).partition(" - at `")
    where = place.rstrip("`") or "$"
    if "unknown field" in message or "missing required" in message:
        of_bug = KnownBug if ".known_bugs" in place else EngineMapping
        choices = ", ".join(info.name for info in msgspec.structs.fields(MeterRule if ".meters" in place else of_bug))
        return MappingError(path, where, message, f"the fields {choices}")
    if message.startswith("Invalid enum value"):
        return MappingError(path, where, message.removeprefix("Invalid enum value "), f"one of {_choices(where)}")
    what, _, got = message.removeprefix("Expected ").partition(", got ")
    if where.endswith(".versions"):
        what = "a range of versions such as '>=0.9.2', '<0.11' or '>=0.9.2,<0.11'"
    return MappingError(path, where, got or "a value out of bounds", what)


def _choices(where: str) -> str:
    """The values that the field at a place such as `$.meters[0].roles[0]` may have."""
    name = where.rpartition(".")[2].partition("[")[0]
    owner = MeterRule if ".meters" in where else EngineMapping
    kind = next(info.type for info in msgspec.structs.fields(owner) if info.name == name)
    # Of a list or an optional field the choices lie further in.
    kinds = [kind, *get_args(kind)]
    return ", ".join(str(choice) for one in kinds if get_origin(one) is Literal for choice in get_args(one))


def _check_mapping(path: Path, mapping: EngineMapping) -> None:
    if (mapping.version_series is None) != (mapping.version_label is None):
        raise MappingError(path, "$.version_series", "one of the pair is missing", "both or none")
    if mapping.readable:
        _check_page(path, mapping)
    elif mapping.meters or mapping.page:
        raise MappingError(path, "$.counters", "none, but there are a page or meters", "neither of them")
    elif not mapping.why:
        raise MappingError(path, "$.why", "is missing", "a sentence that says why there are no counters")
    for index, rule in enumerate(mapping.meters):
        _check_rule(path, f"$.meters[{index}]", mapping, rule)


def _check_page(path: Path, mapping: EngineMapping) -> None:
    if not mapping.page:
        raise MappingError(path, "$", "page is missing", "the path of the page of counters, such as /metrics")
    if not mapping.meters:
        raise MappingError(path, "$.meters", "there are none", 'at least one, or counters = "none" with a why')
    for page in (mapping.page, *mapping.old_pages):
        if plain_path(page) in map(plain_path, mapping.destructive_pages):
            raise MappingError(path, "$.page", f"{page} is one of destructive_pages", "another page")


def _check_rule(path: Path, where: str, mapping: EngineMapping, rule: MeterRule) -> None:
    cached = {name for each in mapping.meters if each.quantity == "cached_input" for name in _named(each)}
    named = _named(rule)
    if len(set(named)) != len(named):
        raise MappingError(path, where, "a series is named twice and would be added twice", "each once")
    for one, other in (("keep", "sum_over"), ("keep", "repeats"), ("sum_over", "repeats")):
        if both := set(getattr(rule, one)) & set(getattr(rule, other)):
            raise MappingError(path, where, f"{sorted(both)} is in {one} and in {other}", "one of the two")
    if both := set(rule.where) & set(rule.where_not):
        raise MappingError(path, where, f"{sorted(both)} is in where and in where_not", "one of the two")
    adds_cached = any(name in cached and _of_cached_alone(mapping, rule, name) for name in named)
    if rule.quantity == "input" and (mapping.cached_tokens == "outside") != adds_cached:
        raise MappingError(
            path,
            where,
            f"cached_tokens is {mapping.cached_tokens} but input names {sorted(cached & set(named))}",
            "input to add the cached series exactly when cached tokens are outside the prompt counter",
        )


def _named(rule: MeterRule) -> list[str]:
    return [*rule.series, *rule.optional]


def _of_cached_alone(mapping: EngineMapping, rule: MeterRule, name: str) -> bool:
    """Whether the series counts cached tokens whatever its labels are, so that adding it adds them.

    A series that a label splits into cached and other tokens is read by both rules, each with its own values.
    """
    return not any(
        each.quantity == "cached_input" and name in _named(each) and each.where and rule.where != each.where
        for each in mapping.meters
    )


def _check_harmless(path: Path, mapping: EngineMapping, known: EngineMapping, namesake: EngineMapping | None) -> None:
    """A person's mapping may not lift what a built-in one forbids: a page that each read empties.

    It is held to be about the known engine if it has its name, its listener or its series. What the built-in mapping
    of its own name reads (a worker that passes another engine's series on) it may read as well.
    """
    about_it = (
        mapping.engine == known.engine
        or bool(set(mapping.listener_words) & set(known.listener_words))
        or bool(mapping.register_names & known.register_names)
    )
    allowed = set() if namesake is None or namesake is known else set(map(plain_path, (namesake.page,)))
    for page in (mapping.page, *mapping.old_pages):
        if about_it and known.is_destructive(page) and plain_path(page) not in allowed:
            raise MappingError(
                path,
                "$.page",
                f"{page} of {known.title} is emptied by each read, and what it held is lost to everyone",
                known.page,
            )
