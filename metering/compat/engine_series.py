"""Which series of other people's collectors are registers: the agent's own engine mappings, turned around. Pure.

A page shows everything at once; a collector sends series one by one and in any order. So here each series is a
register of its own, and what the agent sums on a page is summed in usage: the totals are the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clusters.naming import fitted
from metering.agent.engines import EngineMapping, MeterRule, created_name
from metering.compat.samples import REPLICA_LABELS, TARGET_LABELS
from metering.wire import MeterKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENGINE_LABEL: Final = "forecourt_engine"
"""A label by which a collector's configuration says what a target runs, where names alone do not tell."""
SERIES_LABEL: Final = "@series"
SERIES_CHARS_MAX: Final = 300
PROCESS_START: Final = "process_start_time_seconds"
COMMON_WORDS: Final = frozenset({"prompt", "generation", "request", "requests", "num", "input", "output", "tokens"})
"""A name that begins with one of these may be anybody's: it counts only where the engine is named by a label."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one series is read: by which rule of which engine, the rule's place among the alternatives."""

    mapping: EngineMapping
    rule: MeterRule
    rank: int


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
        self._registers: dict[str, list[Reading]] = defaultdict(list)
        self._created: set[str] = set()
        for mapping in self.engines.values():
            for rank, rule in enumerate(mapping.meters):
                for name in (*rule.sample_names, *rule.optional_sample_names):
                    self._registers[name].append(Reading(mapping, rule, rank))
                    if "created" in mapping.epoch_hints:
                        self._created.add(created_name(name))

    def wants(self, name: str) -> bool:
        """Whether a series of this name says anything about a register."""
        return name in self._registers or name in self._created or name == PROCESS_START

    def is_register(self, name: str) -> bool:
        """Whether a series of this name may be a register."""
        return name in self._registers

    def is_created(self, name: str) -> bool:
        """Whether a series of this name says when registers were created."""
        return name in self._created

    def find(self, name: str, labels: Mapping[str, str]) -> Reading | None:
        """Return how a series is read: of several engines the one that is named, or whose model labels are there."""
        found = [one for one in self._registers.get(name, ()) if _passes(one.rule, labels)]
        named = labels.get(ENGINE_LABEL)
        if named:
            return next((one for one in found if one.mapping.engine == named), None)
        if _is_common(name):
            return None
        fitting = [one for one in found if any(labels.get(label) for label in one.mapping.model_labels)]
        own = [one for one in found if name.startswith(one.mapping.engine)]
        return next(iter([*[one for one in fitting if one in own], *own, *fitting, *found]), None)


def _is_common(name: str) -> bool:
    return ":" not in name and "." not in name and name.split("_")[0] in COMMON_WORDS


def _passes(rule: MeterRule, labels: Mapping[str, str]) -> bool:
    """Whether the rule reads a series with these labels; of those that repeat one another the first rank alone."""
    dropped: Mapping[str, list[str]] = getattr(rule, "where_not", {})
    roles: list[str] = getattr(rule, "roles", [])
    if any(labels.get(label, "") not in allowed for label, allowed in rule.where.items()):
        return False
    if any(labels.get(label, "") in refused for label, refused in dropped.items()):
        return False
    if any(labels.get(label, "0") != "0" for label in getattr(rule, "repeats", [])):
        return False
    return not roles or "unified" in roles


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
