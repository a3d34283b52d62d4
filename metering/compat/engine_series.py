"""Which series of other people's collectors are registers: the agent's own engine mappings, turned around. Pure.

A page shows everything at once; a collector sends series one by one and in any order. So here each series is a
register of its own, and what the agent sums on a page is summed in usage: the totals are the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clusters.naming import fitted
from metering.agent.engine_versions import in_range
from metering.agent.engines import EngineMapping, MeterRule, created_name
from metering.compat.samples import REPLICA_LABELS, TARGET_LABELS
from metering.wire import MeterKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ENGINE_LABEL: Final = "forecourt_engine"
"""A label by which a collector's configuration says what a target runs, where names alone do not tell."""
SERIES_LABEL: Final = "@series"
SERIES_CHARS_MAX: Final = 300
PROCESS_START: Final = "process_start_time_seconds"
COMMON_WORDS: Final = frozenset({"prompt", "generation", "request", "requests", "num", "input", "output", "tokens"})
"""A name that begins with one of these may be anybody's: it counts only where the engine is named by a label."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one series is read: by which rule of which engine."""

    mapping: EngineMapping
    rule: MeterRule


def gen_ai_mapping() -> EngineMapping:
    """Return the token counters of OpenTelemetry's conventions for generative AI, under both of their spellings.

    They are counters of a client, cached tokens inside the input. The older `gen_ai.client.token.usage` is a histogram
    and, as its convention says, not for totals.
    """
    classes = {
        "input": "input_tokens",
        "output": "output_tokens",
        "cached_input": "cache_read.input_tokens",
        "cache_write": "cache_write.input_tokens",
        "reasoning": "reasoning.output_tokens",
    }
    names = {quantity: f"gen_ai.client.inference.usage.{name}" for quantity, name in classes.items()}
    rules = [MeterRule(quantity=quantity, series=[name]) for quantity, name in names.items()]  # type: ignore[arg-type]  # the keys above
    rules += [
        MeterRule(quantity=quantity, series=[name.replace(".", "_") + "_total"])  # type: ignore[arg-type]  # the keys above
        for quantity, name in names.items()
    ]
    labels = ["gen_ai.response.model", "gen_ai.request.model", "gen_ai_response_model", "gen_ai_request_model"]
    return EngineMapping(
        engine="gen_ai",
        title="OpenTelemetry conventions for generative AI",
        page="/",
        cached_tokens="inside",
        meters=rules,
        model_labels=labels,
    )


class SeriesIndex:
    """Every series name that is a register or a mark of when one began."""

    def __init__(self, mappings: Iterable[EngineMapping]) -> None:
        self.engines = {mapping.engine: mapping for mapping in mappings}
        self._readers: dict[str, list[EngineMapping]] = defaultdict(list)
        self._created: set[str] = set()
        for mapping in self.engines.values():
            for name in mapping.register_names:
                self._readers[name].append(mapping)
                if "created" in mapping.epoch_hints:
                    self._created.add(created_name(name))

    def wants(self, name: str) -> bool:
        """Whether a series of this name says anything about a register."""
        return name in self._readers or name in self._created or name == PROCESS_START

    def is_register(self, name: str) -> bool:
        """Whether a series of this name may be a register."""
        return name in self._readers

    def read(self, name: str, labels: Mapping[str, str]) -> list[Reading]:
        """Return how a series is read; several rules of one engine may read it, for several quantities."""
        mapping = self._engine_of(name, labels)
        if mapping is None:
            return []
        return [Reading(mapping, rule) for rule in mapping.meters if name in _names(rule) and _passes(rule, labels)]

    def _engine_of(self, name: str, labels: Mapping[str, str]) -> EngineMapping | None:
        """Of several engines the one that a label names, or whose model labels are there.

        What the agent takes only where it is named, a gateway's page or the other side of an engine, is so here too:
        it would count the same tokens once more.
        """
        readers = self._readers.get(name, [])
        named = labels.get(ENGINE_LABEL)
        if named:
            return next((one for one in readers if one.engine == named), None)
        if _is_common(name):
            return None
        known = [one for one in readers if one.discovered]
        fitting = [one for one in known if any(labels.get(label) for label in one.model_labels)]
        own = [one for one in known if name.startswith(one.engine)]
        return next(iter([*[one for one in fitting if one in own], *fitting, *own, *known]), None)


def rules_in_force(mapping: EngineMapping, quantity: str, is_sent: Callable[[str], bool]) -> list[MeterRule]:
    """Return, of the alternatives for a quantity, the first whose every series is sent; as the agent, which knows
    neither version nor role of a server unless it is told.
    """
    for rule in mapping.meters:
        if rule.quantity != quantity or rule.roles or not in_range(None, rule.versions):
            continue
        if all(is_sent(name) for name in rule.sample_names):
            return [rule]
    return []


def exact_value(mapping: EngineMapping, value: int) -> int:
    """A value that the page has rounded is taken at the least that it can stand for, as the agent does."""
    return value if mapping.resolution(value) == 1 else value - mapping.resolution(value - 1) // 2


def _is_common(name: str) -> bool:
    return ":" not in name and "." not in name and name.split("_")[0] in COMMON_WORDS


def _names(rule: MeterRule) -> tuple[str, ...]:
    return (*rule.sample_names, *rule.optional_sample_names)


def _passes(rule: MeterRule, labels: Mapping[str, str]) -> bool:
    """Whether the rule reads a series with these labels."""
    if any(labels.get(label, "") not in allowed for label, allowed in rule.where.items()):
        return False
    return all(labels.get(label, "") not in refused for label, refused in rule.where_not.items())


def meter_key(reading: Reading, name: str, labels: Mapping[str, str], target: str) -> MeterKey:
    """Return the register that a series is: what the mapping keeps are labels, all other labels tell it apart."""
    mapping, rule = reading.mapping, reading.rule
    model_label = next((label for label in mapping.model_labels if labels.get(label)), "")
    apart = {*TARGET_LABELS, *REPLICA_LABELS, ENGINE_LABEL, model_label, *rule.keep}
    rest = ",".join(f"{label}={labels[label]}" for label in sorted(labels.keys() - apart))
    return MeterKey(
        subject="endpoint",
        subject_id=fitted(target, 512),
        engine=mapping.engine,
        model=fitted(labels.get(model_label, ""), 200),
        quantity=rule.quantity,
        labels={
            **{label: fitted(labels[label], 200) for label in rule.keep if labels.get(label)},
            SERIES_LABEL: fitted(f"{name}{{{rest}}}", SERIES_CHARS_MAX),
        },
    )


def created_key(name: str, labels: Mapping[str, str]) -> str:
    """Return what a register's series and the series of its creation share."""
    rest = ",".join(f"{label}={labels[label]}" for label in sorted(labels))
    return fitted(f"{name}{{{rest}}}", SERIES_CHARS_MAX)
