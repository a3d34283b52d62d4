"""Accelerators of other vendors as data: which series of which exporter's page say what of which card.

One file per exporter in `accelerators/`, and a person's own files beside them (`accelerators_dir`): a new exporter
is one new file. A person's file with the name of a built-in one replaces it. Sources of the facts are in each file.
"""

from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from metering.agent.engines import LabelName, MappingError, SeriesName, read_toml

BUILT_IN_DIR: Final = Path(__file__).parent / "accelerators"

CardQuantity = Literal[
    "energy_mj",
    "power_mw",
    "utilisation_percent",
    "memory_used_mib",
    "memory_mib",
    "graphics_permille",
    "sm_permille",
    "tensor_permille",
]
UNITS: Final[dict[str, dict[str, Decimal]]] = {
    "energy_mj": {"uJ": Decimal("0.001"), "mJ": Decimal(1), "J": Decimal(1_000), "Wh": Decimal(3_600_000)},
    "power_mw": {"uW": Decimal("0.001"), "mW": Decimal(1), "W": Decimal(1_000)},
    "utilisation_percent": {"percent": Decimal(1), "ratio": Decimal(100)},
    "memory_used_mib": {
        "bytes": Decimal(1) / (1 << 20),
        "KiB": Decimal(1) / (1 << 10),
        "MiB": Decimal(1),
        "GiB": Decimal(1 << 10),
    },
    "graphics_permille": {"percent": Decimal(10), "ratio": Decimal(1_000)},
}
"""What one unit of a page is in ours."""
UNITS["memory_mib"] = UNITS["memory_used_mib"]
UNITS["sm_permille"] = UNITS["tensor_permille"] = UNITS["graphics_permille"]


class CardRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to read one quantity.

    `any_of` are names of the same series in different releases or settings: the first that is on the page is used;
    several rules of one quantity are alternatives in the same way. Every series of `plus` is added to it. `type` is
    what the page must declare: an energy register is a `gauge` on many pages. `where` keeps only samples whose label
    has one of the values ("" stands for an absent label). What is left of one card is one number by `combine`:
    `largest` (one value shown several times, for each container or partition), `sum` or `mean`.
    """

    quantity: CardQuantity
    unit: str
    any_of: Annotated[list[SeriesName], msgspec.Meta(min_length=1)]
    plus: list[SeriesName] = []
    type: Literal["counter", "gauge"] = "gauge"
    where: dict[LabelName, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}
    combine: Literal["largest", "sum", "mean"] = "largest"

    @property
    def scale(self) -> Decimal:
        """What one unit of the page is in the quantity's own."""
        return UNITS[self.quantity][self.unit]


class AcceleratorMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How to read one kind of exporter.

    A card's name is the first of `id_labels` that says something, after the values of `id_with`; with `id_prefix`
    before it where it does not begin so already. `id_scope` is `node` where such a name is only unique on its
    machine. `instance_label` marks series of a partition of the card (`profile_label` its profile); the other series
    of a quantity are the card's. `info_series` has the labels of the card that other series lack.

    The exporter samples every `interval_s` and shows the same sample in between: it is read no more often. `stamped`
    says that its lines carry the sample's time. `absent_when_idle` says that a card on which nothing runs is not on
    the page, so that its absence is no trouble. `energy_began` says what an energy register begins at zero with: the
    `driver`'s load (so also a boot), or `unknown`. `frozen_models` are cards known for an energy register that stands
    still; one that stands while power flows is found on every card.

    `cannot_tell` says in a sentence each what the page does not tell; it is shown in the documentation.
    """

    accelerator: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,31}$")]
    title: str
    page: Annotated[str, msgspec.Meta(pattern="^/")]
    default_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    id_labels: Annotated[list[LabelName], msgspec.Meta(min_length=1)]
    readings: Annotated[list[CardRule], msgspec.Meta(min_length=1)]
    cannot_tell: list[str]
    id_with: list[LabelName] = []
    id_prefix: str = ""
    id_scope: Literal["global", "node"] = "global"
    serial_labels: list[LabelName] = []
    model_labels: list[LabelName] = []
    pci_labels: list[LabelName] = []
    driver_labels: list[LabelName] = []
    instance_label: LabelName = ""
    profile_label: LabelName = ""
    info_series: SeriesName | None = None
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=300)] = 30
    stamped: bool = False
    absent_when_idle: bool = False
    energy_began: Literal["driver", "unknown"] = "unknown"
    frozen_models: list[str] = []
    how_to_enable: str = ""

    @cached_property
    def series(self) -> frozenset[str]:
        """Every series that is looked at."""
        named = {name for rule in self.readings for name in (*rule.any_of, *rule.plus)}
        return frozenset(named | ({self.info_series} if self.info_series else set()))


def load_accelerators(accelerators_dir: Path | None = None) -> dict[str, AcceleratorMapping]:
    """Every known exporter by name; a person's file wins over a built-in one. Raises MappingError."""
    mappings = _load_dir(BUILT_IN_DIR)
    if accelerators_dir is not None:
        if not accelerators_dir.is_dir():
            raise MappingError(accelerators_dir, "accelerators_dir", "is not there", "a folder of *.toml files")
        mappings |= _load_dir(accelerators_dir)
    return mappings


def _load_dir(folder: Path) -> dict[str, AcceleratorMapping]:
    mappings: dict[str, AcceleratorMapping] = {}
    for path in sorted(folder.glob("*.toml")):
        mapping = load_accelerator(path)
        if mapping.accelerator in mappings:
            taken = f"{mapping.accelerator} is in another file too"
            raise MappingError(path, "accelerator", taken, "one file per exporter")
        mappings[mapping.accelerator] = mapping
    return mappings


def load_accelerator(path: Path) -> AcceleratorMapping:
    """Read and check one file. Raises MappingError with the place and what is expected there."""
    content = read_toml(path)
    try:
        mapping = msgspec.convert(content, AcceleratorMapping)
    except msgspec.ValidationError as refused:
        raise _refused(path, refused) from refused
    _check(path, mapping)
    return mapping


def _refused(path: Path, refused: msgspec.ValidationError) -> MappingError:
    message, _, place = str(refused).partition(" - at `")
    where = place.rstrip("`") or "$"
    if "unknown field" in message or "missing required" in message:
        fields = CardRule if ".readings" in place else AcceleratorMapping
        choices = ", ".join(info.name for info in msgspec.structs.fields(fields))
        return MappingError(path, where, message, f"the fields {choices}")
    if message.startswith("Invalid enum value"):
        field = where.rpartition(".")[2]
        owner = CardRule if ".readings" in place else AcceleratorMapping
        kind = next(info.type for info in msgspec.structs.fields(owner) if info.name == field)
        return MappingError(path, where, message.removeprefix("Invalid enum value "), f"one of {_choices(kind)}")
    expected, _, got = message.removeprefix("Expected ").partition(", got ")
    return MappingError(path, where, got or "a value out of bounds", expected)


def _choices(kind: object) -> str:
    return ", ".join(str(choice) for choice in getattr(kind, "__args__", ()))


def _check(path: Path, mapping: AcceleratorMapping) -> None:
    for index, rule in enumerate(mapping.readings):
        where = f"$.readings[{index}]"
        if rule.unit not in UNITS[rule.quantity]:
            expected = ", ".join(sorted(UNITS[rule.quantity]))
            raise MappingError(path, f"{where}.unit", repr(rule.unit), f"one of {expected} for {rule.quantity}")
        named = [*rule.any_of, *rule.plus]
        if len(set(named)) != len(named):
            raise MappingError(path, where, "a series is named twice", "each once")
        if rule.type == "counter" and rule.quantity != "energy_mj":
            raise MappingError(path, f"{where}.type", f"{rule.quantity} as a counter", "gauge: only energy adds up")
        if rule.quantity == "energy_mj" and rule.combine == "mean":
            raise MappingError(path, f"{where}.combine", "a mean of energy registers", "largest or sum")
    if bool(mapping.profile_label) and not mapping.instance_label:
        raise MappingError(path, "$.profile_label", "a profile without an instance", "instance_label beside it")
