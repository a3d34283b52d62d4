"""A strict reader of Prometheus text pages (format 0.0.4), for the named series only.

A vLLM page has thousands of lines of which a dozen matter, so lines are sifted by name first and only those
are parsed. Pure and total: any bytes give a `ParsedPage`; what cannot be trusted is a fault with a reason,
and never an exception or a guess.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from metering.wire import STRING_CHARS_MAX, VALUE_MAX

PAGE_BYTES_MAX: Final = 8 << 20
_LINE_BYTES_MAX: Final = 16_384
_DIGITS_MAX: Final = 40
_EXPONENT_MAX: Final = 19
_PRINTABLE_MIN: Final = 0x20

_SAMPLE: Final = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r'(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]*(?P<value>\S+)(?:[ \t]+(?P<rest>.*?))?[ \t]*'
)
_LABEL: Final = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\["\\n])*)"[ \t]*(,|$)')
_ESCAPE: Final = re.compile(r"\\(.)")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_NOT_A_NUMBER: Final = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_TIMESTAMP_MS: Final = re.compile(r"-?\d{1,19}", re.ASCII)

FaultReason = Literal[
    "malformed",
    "truncated",
    "duplicate_series",
    "not_a_number",
    "fraction",
    "out_of_range",
    "openmetrics_suffix",
    "escaped_colons",
    "wrong_type",
    "label_too_long",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something on a page is not read: a stable reason and a short detail."""

    reason: FaultReason
    detail: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: its labels, and its exact number, or None with the fault that makes it unreadable.

    `timestamp_ms` is the sample's own time, where the line carries one.
    """

    labels: tuple[tuple[str, str], ...]
    number: Decimal | None
    fault: Fault | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """The named series of one page. A series with a fault of its own has no samples that can be trusted."""

    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    page_fault: Fault | None = None


def parse_page(page: bytes, names: Iterable[str]) -> ParsedPage:
    """Read the series called `names` from a page. Samples keep the page's order. Never raises."""
    wanted = frozenset(names)
    if page and not page.endswith(b"\n"):
        # The format ends every line, so the last number may be a part of one.
        return ParsedPage(page_fault=Fault("truncated", "the page does not end with a line end"))
    reader = _Reader(wanted)
    for line in _sift(page, wanted):
        reader.take(line)
    return reader.finish()


def _sift(page: bytes, wanted: frozenset[str]) -> list[bytes]:
    """Lines that may be samples of the wanted series, or their types; some more may come along."""
    starts, firsts, length = _starts(wanted)
    return [line for line in page.split(b"\n") if line[:length] in firsts and line.startswith(starts)]


@lru_cache(maxsize=64)
def _starts(wanted: frozenset[str]) -> tuple[tuple[bytes, ...], frozenset[bytes], int]:
    """What a wanted line begins with; and the set of their first bytes, as many as the shortest has.

    The set is what makes a large page cheap: it lets few lines on to the exact comparison.
    """
    starts = tuple(
        start.encode()
        for name in wanted
        for start in (name, _escaped(name), *(f"# TYPE {base}" for base in _declared_names(name)))
    )
    length = min(map(len, starts), default=0)
    return starts, frozenset(start[:length] for start in starts), length


def _declared_names(sample_name: str) -> tuple[str, ...]:
    """The names under which a page may declare the type of a sample."""
    return tuple({sample_name, sample_name.removesuffix("_total"), sample_name.removesuffix("_sum")})


def _escaped(name: str) -> str:
    return name.replace(":", "_")


class _Reader:
    """Collects samples; what is wrong with one series leaves the others alone."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._escaped = {_escaped(name): name for name in wanted if ":" in name}
        self._samples: dict[str, dict[tuple[tuple[str, str], ...], Sample]] = {}
        self._types: dict[str, str] = {}
        self._faults: dict[str, Fault] = {}

    def take(self, line: bytes) -> None:
        """Read one sifted line."""
        if line.startswith(b"# TYPE "):
            words = line.decode("utf-8", "replace").split()
            if len(words) == 4:
                self._types[words[2]] = words[3]
            return
        name = re.match(rb"[a-zA-Z0-9_:]*", line)
        found = name.group().decode() if name else ""
        if found in self._wanted:
            self._take_sample(found, line)
        elif found in self._escaped:
            self._faults[self._escaped[found]] = Fault(
                "escaped_colons", f"the page calls it {found}, not {self._escaped[found]}"
            )

    def _take_sample(self, name: str, line: bytes) -> None:
        sample = _parse_sample(line)
        if isinstance(sample, Fault):
            self._faults.setdefault(name, sample)
            return
        series = self._samples.setdefault(name, {})
        if sample.labels in series:
            repeated = Fault("duplicate_series", f"{name} is twice on the page with the same labels"[:200])
            sample = Sample(sample.labels, None, repeated)
        series[sample.labels] = sample

    def finish(self) -> ParsedPage:
        """Everything read. A series found under its own name is not reported as escaped."""
        samples = {name: tuple(series.values()) for name, series in self._samples.items()}
        faults = {
            name: fault
            for name, fault in self._faults.items()
            if fault.reason != "escaped_colons" or name not in samples
        }
        return ParsedPage(samples, self._types, faults)


def _parse_sample(line: bytes) -> Sample | Fault:
    if len(line) > _LINE_BYTES_MAX:
        return Fault("malformed", f"a line of more than {_LINE_BYTES_MAX} bytes")
    try:
        text = line.decode("utf-8").removesuffix("\r")
    except UnicodeDecodeError:
        return Fault("malformed", "not UTF-8")
    parts = _SAMPLE.fullmatch(text)
    if parts is None:
        return Fault("malformed", text[:80])
    labels = _parse_labels(parts["labels"] or "")
    if isinstance(labels, Fault):
        return labels
    number = _parse_number(parts["value"])
    if isinstance(number, Fault):
        return Sample(labels, None, number)
    suffix = _suffix_fault(parts["rest"])
    if suffix is not None:
        return Sample(labels, None, suffix)
    return Sample(labels, number, timestamp_ms=int(parts["rest"]) if parts["rest"] else None)


def _parse_labels(text: str) -> tuple[tuple[str, str], ...] | Fault:
    labels: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _LABEL.match(text, position)
        if found is None or found[1] in labels:
            return Fault("malformed", f"labels {text[:80]}")
        labels[found[1]] = _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], found[2])
        if any(ord(char) < _PRINTABLE_MIN for char in labels[found[1]]):
            return Fault("malformed", f"{found[1]} has a control character")
        if len(labels[found[1]]) > STRING_CHARS_MAX:
            return Fault("label_too_long", f"{found[1]} has more than {STRING_CHARS_MAX} characters")
        position = found.end()
    return tuple(sorted(labels.items()))


def _suffix_fault(rest: str | None) -> Fault | None:
    """What may follow a value is a timestamp in whole milliseconds; OpenMetrics puts other things there."""
    if not rest or _TIMESTAMP_MS.fullmatch(rest):
        return None
    return Fault("openmetrics_suffix", f"after the value: {rest[:60]}")


def _parse_number(text: str) -> Decimal | Fault:
    if text.lower() in _NOT_A_NUMBER:
        return Fault("not_a_number", text)
    if len(text) > _DIGITS_MAX or not _NUMBER.fullmatch(text):
        return Fault("malformed", f"value {text[:60]}")
    number = Decimal(text)
    # Before any arithmetic: 1e9999 would become a number of ten thousand digits.
    if number and not -_EXPONENT_MAX <= number.adjusted() <= _EXPONENT_MAX:
        return Fault("out_of_range", text)
    return number


def register_value(number: Decimal) -> int | Fault:
    """A register's number as a count in [0, 2**63), exact: `3.21457e+06` is 3214570; a fraction is a
    fault."""
    if number != number.to_integral_value():
        return Fault("fraction", str(number))
    value = int(number)
    if not 0 <= value <= VALUE_MAX:
        return Fault("out_of_range", str(number))
    return value


def type_fault(page: ParsedPage, sample_name: str, expected: str) -> Fault | None:
    """A fault if the page declares another type for the series; a page that declares none is taken at its
    word.

    Text pages write `# TYPE x_total counter`, OpenMetrics `# TYPE x counter`; a histogram's `_sum` is
    declared under the histogram's name.
    """
    bases = [sample_name, sample_name.removesuffix("_total")]
    if expected == "histogram":
        bases = [sample_name.removesuffix("_sum")]
    for base in bases:
        declared = page.types.get(base)
        if declared is None:
            continue
        if declared in {expected, "untyped", "unknown"}:
            return None
        # A series declared under its own name settles it: another may have the name without `_total`.
        return Fault("wrong_type", f"{base} is declared a {declared[:30]}, expected a {expected}")
    return None
