"""The wire between the node agent and the server: shapes, limits, signature and chain.

One batch is what an agent saw since its batch before: register readings packed in columns per meter, gauges, outcomes
of reads that failed, and now and then the full list of what the node holds. Its JSON (version 1: its columns as they
are; version 2: blocks of rises, see `metering.wire_blocks`) is compressed once, and those compressed bytes are the
evidence: they are signed, hashed into the next batch (`prev_hash`), resent unchanged until acknowledged, and stored
by the server as they came.

Every instant is Unix milliseconds, UTC. Every struct is frozen and refuses unknown fields.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from metering.gzip_bodies import InflatesTooLarge, NotGzip, gunzip
from metering.wire_blocks import BlockBatch, pack, unpack
from metering.wire_checks import check_batch, meter_identity, reading_count
from metering.wire_shapes import (
    ACCELERATORS_MAX,
    BATCH_BYTES_MAX,
    BATCH_COLUMNS_MAX,
    BATCH_INFLATED_BYTES_MAX,
    BATCH_OUTCOMES_MAX,
    BATCH_READINGS_MAX,
    BATCHES_PATH,
    ENDPOINTS_MAX,
    ENROL_PATH,
    FIRST_PREV_HASH,
    HEADER_NODE,
    HEADER_SENT_AT,
    HEADER_SIGNATURE,
    INSTANT_MS_MAX,
    LABELS_MAX,
    MIG_PER_ACCELERATOR_MAX,
    MODELS_PER_ENDPOINT_MAX,
    PROCESSES_PER_ACCELERATOR_MAX,
    SIGNATURE_PREFIX,
    STRING_CHARS_MAX,
    VALUE_MAX,
    WIRE_VERSION,
    AcceleratorSeen,
    Batch,
    BatchAccepted,
    BatchMalformed,
    BatchRefused,
    BatchTooLarge,
    CardHealth,
    ClockEvents,
    ContentEncoding,
    Counting,
    EndpointSeen,
    Enrolled,
    Enrolment,
    EpochProof,
    GaugeColumn,
    GaugeQuantity,
    Hash,
    InstantMs,
    MeterKey,
    MeterSubject,
    MigSeen,
    Name,
    Outcome,
    OutcomeSubject,
    Permille,
    Problem,
    ProcessSeen,
    ReasonCode,
    RegisterColumn,
    RegisterQuantity,
    Text,
    Value,
    WireVersion,
)

__all__ = [
    "ACCELERATORS_MAX",
    "BATCHES_PATH",
    "BATCH_BYTES_MAX",
    "BATCH_COLUMNS_MAX",
    "BATCH_INFLATED_BYTES_MAX",
    "BATCH_OUTCOMES_MAX",
    "BATCH_READINGS_MAX",
    "ENDPOINTS_MAX",
    "ENROL_PATH",
    "FIRST_PREV_HASH",
    "HEADER_NODE",
    "HEADER_SENT_AT",
    "HEADER_SIGNATURE",
    "INSTANT_MS_MAX",
    "LABELS_MAX",
    "MIG_PER_ACCELERATOR_MAX",
    "MODELS_PER_ENDPOINT_MAX",
    "PROCESSES_PER_ACCELERATOR_MAX",
    "SIGNATURE_PREFIX",
    "STRING_CHARS_MAX",
    "VALUE_MAX",
    "WIRE_VERSION",
    "AcceleratorSeen",
    "Batch",
    "BatchAccepted",
    "BatchMalformed",
    "BatchRefused",
    "BatchTooLarge",
    "CardHealth",
    "ClockEvents",
    "ContentEncoding",
    "Counting",
    "EndpointSeen",
    "Enrolled",
    "Enrolment",
    "EpochProof",
    "GaugeColumn",
    "GaugeQuantity",
    "Hash",
    "InstantMs",
    "MeterKey",
    "MeterSubject",
    "MigSeen",
    "Name",
    "Outcome",
    "OutcomeSubject",
    "Permille",
    "Problem",
    "ProcessSeen",
    "ReasonCode",
    "RegisterColumn",
    "RegisterQuantity",
    "Text",
    "Value",
    "WireVersion",
    "batch_hash",
    "check_batch",
    "decode_batch",
    "encode_batch",
    "inflate",
    "meter_identity",
    "reading_count",
    "sign",
    "verify",
    "wire_version",
]

LEVEL = 15
"""The bytes are kept for years as they are sent: a fifth less than at level 3, for 5 to 10 ms of the node a batch."""
_batch_decoder = msgspec.json.Decoder(Batch)
_block_decoder = msgspec.json.Decoder(BlockBatch)
_encoder = msgspec.json.Encoder()
_COLUMN: Final = re.compile(r"^\$\.(registers|gauges)\[(\d+)\]")


class _Versioned(msgspec.Struct, frozen=True):
    version: WireVersion


_version_decoder = msgspec.json.Decoder(_Versioned)


def encode_batch(batch: Batch) -> bytes:
    """Compress a batch into its wire bytes, once: the same bytes are signed, hashed, stored and resent.

    They are of the batch's version. Raises BatchTooLarge or BatchMalformed where a receiver would refuse the bytes,
    so that an agent never seals what can never be delivered.
    """
    if batch.version == 1:
        text = _encoder.encode(batch)
    else:
        check_batch(batch)
        text = _encoder.encode(pack(batch))
    if len(text) > BATCH_INFLATED_BYTES_MAX:
        raise BatchTooLarge("inflated bytes", BATCH_INFLATED_BYTES_MAX)
    # Constructing a struct checks no bounds; decoding does.
    _decode_text(text)
    body = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(text)
    if len(body) > BATCH_BYTES_MAX:
        raise BatchTooLarge("bytes", BATCH_BYTES_MAX)
    return body


def decode_batch(body: bytes, content_encoding: str) -> Batch:
    """Inflate within limits, decode and cross-check a batch.

    `content_encoding` is the request's header (`zstd` or `gzip`). Raises BatchTooLarge for a body, an
    inflated text or a count over its limit, BatchMalformed with the place for everything else. Memory is
    bounded by BATCH_INFLATED_BYTES_MAX whatever the body claims.
    """
    if len(body) > BATCH_BYTES_MAX:
        raise BatchTooLarge("bytes", BATCH_BYTES_MAX)
    return _decode_text(inflate(body, content_encoding))


def wire_version(text: bytes) -> WireVersion:
    """Return the version of an inflated batch. Raises BatchMalformed."""
    # The field comes first wherever our own code wrote it.
    if text.startswith(b'{"version":2,'):
        return 2
    if text.startswith(b'{"version":1,'):
        return 1
    with _as_malformed():
        return _version_decoder.decode(text).version


def _decode_text(text: bytes) -> Batch:
    packed: BlockBatch | None = None
    with _as_malformed():
        if wire_version(text) == 1:
            batch = _batch_decoder.decode(text)
        else:
            packed = _block_decoder.decode(text)
            batch = unpack(packed)
    # PostgreSQL text holds no NUL. JSON can carry one only as this escape, so that the scan of the raw
    # bytes makes the common case free.
    if b"\\u0000" in text:
        _check_without_nul(msgspec.to_builtins(packed or batch), "$")
    if packed is None:
        _check_first_version(batch)
    else:
        _check_unpacked(batch, packed)
    return batch


def _check_first_version(batch: Batch) -> None:
    if batch.version != 1:
        raise BatchMalformed("$.version", "two versions", "one")
    check_batch(batch)


def _check_unpacked(batch: Batch, packed: BlockBatch) -> None:
    """Check what a batch in blocks says; a refusal names the place in the blocks."""
    try:
        check_batch(batch)
    except BatchMalformed as refused:
        found = _COLUMN.match(refused.where)
        if found is None:
            raise
        sizes = {
            "registers": [len(block.meters.place) for block in packed.registers],
            "gauges": [len(block.accelerator) for block in packed.gauges],
        }[found[1]]
        number, index = 0, int(found[2])
        while index >= sizes[number]:
            index, number = index - sizes[number], number + 1
        where = f"$.{found[1]}[{number}], its number {index}{refused.where[found.end() :]}"
        raise BatchMalformed(where, refused.what, refused.expected) from refused


@contextmanager
def _as_malformed() -> Iterator[None]:
    """Say what a decoder refuses in our words."""
    try:
        yield
    except msgspec.ValidationError as refused:
        raise _malformed(refused) from refused
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise BatchMalformed("$", str(broken), "a JSON object in UTF-8") from broken


def inflate(body: bytes, content_encoding: str) -> bytes:
    """Decompress one frame of at most BATCH_INFLATED_BYTES_MAX. Raises as `decode_batch`."""
    if content_encoding == "zstd":
        return _inflate_zstd(body)
    if content_encoding == "gzip":
        return _inflate_gzip(body)
    raise BatchMalformed("Content-Encoding", repr(content_encoding[:64]), "zstd or gzip")


def _inflate_zstd(body: bytes) -> bytes:
    expected = "one whole zstd frame that names its size"
    try:
        size = zstandard.frame_content_size(body)
        if size > BATCH_INFLATED_BYTES_MAX:
            raise BatchTooLarge("inflated bytes", BATCH_INFLATED_BYTES_MAX)
        if size < 0:
            raise BatchMalformed("$", "a zstd frame without its content size", expected)
        decompressor = zstandard.ZstdDecompressor(max_window_size=BATCH_INFLATED_BYTES_MAX)
        return decompressor.decompress(body, allow_extra_data=False)
    except zstandard.ZstdError as broken:
        raise BatchMalformed("$", str(broken), expected) from broken


def _inflate_gzip(body: bytes) -> bytes:
    try:
        return gunzip(body, BATCH_INFLATED_BYTES_MAX)
    except NotGzip as broken:
        raise BatchMalformed("$", str(broken), "one whole gzip member") from broken
    except InflatesTooLarge as refused:
        raise BatchTooLarge("inflated bytes", BATCH_INFLATED_BYTES_MAX) from refused


def _malformed(refused: msgspec.ValidationError) -> BatchMalformed:
    """Turn msgspec's "Expected `int`, got `str` - at `$.x`" into where, what and expected."""
    message, _, place = str(refused).partition(" - at `")
    where = place.rstrip("`") or "$"
    if message.startswith("Expected ") and ", got " in message:
        expected, _, what = message.removeprefix("Expected ").partition(", got ")
        return BatchMalformed(where, what, expected)
    if message.startswith("Expected "):
        return BatchMalformed(where, "a value out of bounds", message.removeprefix("Expected "))
    return BatchMalformed(where, message, f"the fields of a batch, in a version up to {WIRE_VERSION}")


def _check_without_nul(value: object, where: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BatchMalformed(where, "a NUL character", "text without it")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_without_nul(key, where)
            _check_without_nul(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_without_nul(item, f"{where}[{index}]")


def batch_hash(body: bytes) -> str:
    """SHA-256 of the body bytes as sent, in hex: the next batch's `prev_hash`."""
    return hashlib.sha256(body).hexdigest()


def sign(private_key: Ed25519PrivateKey, body: bytes) -> str:
    """The `Forecourt-Signature` of a body: base64 of Ed25519 over the prefix and the body bytes as sent."""
    return base64.b64encode(private_key.sign(SIGNATURE_PREFIX + body)).decode("ascii")


def verify(public_key_raw: bytes, body: bytes, signature_b64: str) -> bool:
    """Whether the signature is that key's over exactly these bytes. A malformed key or signature is False."""
    try:
        signature = base64.b64decode(signature_b64, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key_raw).verify(signature, SIGNATURE_PREFIX + body)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
