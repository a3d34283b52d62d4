"""Shapes and limits of the wire between the node agent and the server; `metering.wire` is its public face."""

from typing import Annotated, Final, Literal

import msgspec

WIRE_VERSION: Final = 2
"""The newest version of a batch; a receiver takes the older ones too, and a sender writes what its receiver takes."""
WireVersion = Literal[1, 2]
BATCH_BYTES_MAX: Final = 1 << 20
"""Largest compressed body."""
BATCH_INFLATED_BYTES_MAX: Final = 16 << 20
BATCH_READINGS_MAX: Final = 50_000
"""Register readings and gauge values of one batch together."""
BATCH_COLUMNS_MAX: Final = 4_096
"""Register and gauge columns of one batch together."""
BATCH_OUTCOMES_MAX: Final = 4_096
ACCELERATORS_MAX: Final = 256
MIG_PER_ACCELERATOR_MAX: Final = 64
ENDPOINTS_MAX: Final = 256
MODELS_PER_ENDPOINT_MAX: Final = 256
PROCESSES_PER_ACCELERATOR_MAX: Final = 64
LABELS_MAX: Final = 16
STRING_CHARS_MAX: Final = 512
VALUE_MAX: Final = 2**63 - 1
INSTANT_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the last that a `datetime` can hold."""
FIRST_PREV_HASH: Final = "0" * 64
SIGNATURE_PREFIX: Final = b"forecourt-batch-v1\n"

HEADER_NODE: Final = "Forecourt-Node"
HEADER_SIGNATURE: Final = "Forecourt-Signature"
HEADER_SENT_AT: Final = "Forecourt-Sent-At"
ENROL_PATH: Final = "/api/v1/enrol"
BATCHES_PATH: Final = "/api/v1/batches"

# msgspec holds 64-bit bounds as signed integers; values from 2**63 up are refused by these bounds.
Value = Annotated[int, msgspec.Meta(ge=0, le=VALUE_MAX)]
Counting = Annotated[int, msgspec.Meta(ge=1, le=VALUE_MAX)]
InstantMs = Annotated[int, msgspec.Meta(ge=0, le=INSTANT_MS_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=STRING_CHARS_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=STRING_CHARS_MAX)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=1000)]
ClockEvents = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
ReasonCode = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]

MeterSubject = Literal["endpoint", "accelerator"]
OutcomeSubject = Literal["endpoint", "accelerator", "nvml", "spool"]
EpochProof = Literal["created", "process", "boot", "driver", "none"]
RegisterQuantity = Literal[
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "requests",
    "finished_input",
    "finished_output",
    "energy_mj",
]
GaugeQuantity = Literal[
    "utilisation_percent",
    "memory_used_mib",
    "power_mw",
    "clock_events",
    "graphics_permille",
    "sm_permille",
    "tensor_permille",
]
ContentEncoding = Literal["zstd", "gzip"]


class BatchRefused(Exception):
    """A batch that cannot be taken as it came."""


class BatchTooLarge(BatchRefused):
    """More bytes, readings or columns than a batch may have.

    `what` is the thing counted, `limit` the most there may be, in that thing's unit.
    """

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what}: more than {limit}")
        self.what = what
        self.limit = limit


class BatchMalformed(BatchRefused):
    """Bytes that are not a batch. `where` is a path such as `$.registers[0].values[2]`; `$` is the whole."""

    def __init__(self, where: str, what: str, expected: str) -> None:
        super().__init__(f"{where}: {what}; expected {expected}")
        self.where = where
        self.what = what
        self.expected = expected


class MeterKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which register of a node: an endpoint's tokens or requests of one model, or an accelerator's energy.

    `subject_id` is the endpoint's base URL as configured, or the accelerator's vendor UUID. `engine` and
    `model` are empty for accelerators. `input` counts the whole prompt, cached tokens included;
    `cached_input` is a part of `input` and `reasoning` a part of `output`: never add them.
    """

    subject: MeterSubject
    subject_id: Name
    engine: Text
    model: Text
    quantity: RegisterQuantity
    labels: Annotated[dict[Name, Text], msgspec.Meta(max_length=LABELS_MAX)] = {}


class RegisterColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Readings of one meter in one epoch: value `i` was read at `read_at_ms[i]` and has seq `first_seq + i`.

    `seq` is gapless per meter, across its epochs. `epoch_started_ms` is the proved start of the register's
    life, from zero, when a marker proves it (`epoch_proof` says which); null otherwise.
    """

    meter: MeterKey
    epoch: Name
    epoch_started_ms: InstantMs | None
    epoch_proof: EpochProof
    first_seq: Counting
    values: Annotated[list[Value], msgspec.Meta(min_length=1)]
    read_at_ms: Annotated[list[InstantMs], msgspec.Meta(min_length=1)]


class GaugeColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Samples of one gauge of one accelerator. An unknown value is null, never 0.

    `accelerator` is the card's UUID; for the permilles of activity it may be that of one of its MIG instances.
    `clock_events` has the bits of NVML's `nvmlClocksEventReasons`. The permilles are means over the time since the
    sample before: any engine busy, streaming multiprocessors busy, tensor cores busy.
    """

    accelerator: Name
    quantity: GaugeQuantity
    values: Annotated[list[Value | None], msgspec.Meta(min_length=1)]
    read_at_ms: Annotated[list[InstantMs], msgspec.Meta(min_length=1)]


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A read that gave no reading, or an event of metering itself: `count` times, last at `at_ms`."""

    subject: OutcomeSubject
    subject_id: Text
    at_ms: InstantMs
    reason: ReasonCode
    detail: Text
    count: Counting


class MigSeen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One MIG instance; `profile` as the vendor writes it (`1g.10gb`). Older agents do not tell the ids."""

    uuid: Name
    profile: Text
    memory_mib: Value
    gpu_instance: Value | None = None
    compute_instance: Value | None = None


class CardHealth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a card tells of its memory: ECC errors since the driver was loaded, rows remapped ever. Unknown is null.

    A remapping that is pending takes effect at the card's next reset; one that failed asks for a replacement.
    """

    ecc_corrected: Value | None = None
    ecc_uncorrected: Value | None = None
    rows_remapped_corrected: Value | None = None
    rows_remapped_uncorrected: Value | None = None
    row_remap_pending: bool | None = None
    row_remap_failed: bool | None = None


class ProcessSeen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A process that computes on a card. `container_id` is "" outside a container, null where it cannot be known;
    `instance` is the UUID of its MIG instance. No command line: it may hold secrets."""

    pid: Value
    container_id: Text | None = None
    started_at_ms: InstantMs | None = None
    memory_mib: Value | None = None
    instance: Text = ""


class AcceleratorSeen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One card as the driver describes it. What the driver does not tell is null.

    `health` and `processes` are null where they are not known; a card without a process has an empty list.
    """

    uuid: Name
    serial: Text | None
    name: Text
    memory_mib: Value | None
    pci_bus_id: Text | None
    mig_mode: bool | None
    mig: Annotated[list[MigSeen], msgspec.Meta(max_length=MIG_PER_ACCELERATOR_MAX)]
    driver_version: Text | None
    health: CardHealth | None = None
    processes: Annotated[list[ProcessSeen], msgspec.Meta(max_length=PROCESSES_PER_ACCELERATOR_MAX)] | None = None


class EndpointSeen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One inference server as its page describes it."""

    url: Name
    engine: Text
    models: Annotated[list[Text], msgspec.Meta(max_length=MODELS_PER_ENDPOINT_MAX)]
    engine_version: Text | None


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one node saw, number `seq` of its chain (1, 2, 3… without a gap).

    Everything the agent saw before `metered_to_ms` is in this batch or an earlier one. `accelerators` and
    `endpoints` are the full lists when they changed or once an hour, empty otherwise. `version` says how it is
    written: these are the fields in version 1, and what is meant in every version.
    """

    version: WireVersion
    node: Name
    seq: Counting
    prev_hash: Hash
    agent_version: Name
    boot_id: Text
    created_at_ms: InstantMs
    monotonic_ms: Value
    metered_to_ms: InstantMs
    registers: list[RegisterColumn]
    gauges: list[GaugeColumn]
    outcomes: list[Outcome]
    accelerators: list[AcceleratorSeen]
    endpoints: list[EndpointSeen]


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent asks at enrolment; `public_key` is base64 of the 32 raw Ed25519 bytes."""

    token: Name
    public_key: Name
    node_name: Name
    agent_version: Name
    boot_id: Text


class Enrolled(msgspec.Struct, frozen=True):
    """The answer to an enrolment. Read by agents older than the server: unknown fields are passed over."""

    node: str
    cluster: str
    server_time: str
    continued: bool = False


class BatchAccepted(msgspec.Struct, frozen=True):
    """The answer to a batch; accepted, duplicates, conflicts and quarantined add up to received readings.

    `wire_version` is the newest version that the server takes; servers that know the first alone do not say it.
    """

    seq: int
    received: int
    accepted: int
    duplicates: int
    conflicts: int
    quarantined: int
    next_seq: int
    wire_version: int = 1


class Problem(msgspec.Struct, frozen=True):
    """An error answer (`application/problem+json`). `code` is stable; `expected_*` come with `out_of_chain`, `where`
    with `batch_malformed`."""

    code: str = ""
    title: str = ""
    detail: str = ""
    expected_seq: int | None = None
    expected_prev_hash: str | None = None
    where: str = ""
