"""Encoding, bounded decoding, hash and signature of a batch."""

import base64
import gzip
import json
import zlib

import msgspec
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metering import wire
from tests.metering import batches

FIELDS = "the fields of a batch, in a version up to 2"


def zstd(content: object) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return zstandard.ZstdCompressor().compress(text)


def as_json(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = msgspec.to_builtins(batches.batch())
    return {**whole, **changes}


def test_a_batch_comes_back_as_it_went() -> None:
    batch = batches.batch()
    assert wire.decode_batch(wire.encode_batch(batch), "zstd") == batch


def test_gzip_is_taken_too() -> None:
    batch = batches.batch()
    assert wire.decode_batch(gzip.compress(msgspec.json.encode(batch)), "gzip") == batch


@given(
    values=st.lists(st.integers(0, wire.VALUE_MAX), min_size=1, max_size=50),
    start_ms=st.integers(0, wire.INSTANT_MS_MAX - 1_000),
    text=st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=wire.STRING_CHARS_MAX),
)
@settings(max_examples=50)
def test_any_valid_readings_and_names_survive_the_wire(values: list[int], start_ms: int, text: str) -> None:
    column = batches.column(
        values,
        meter=batches.meter(model=text, labels={"engine": text}),
        read_at_ms=[start_ms + index for index in range(len(values))],
    )
    batch = batches.batch(registers=[column], gauges=[], outcomes=[])
    assert wire.decode_batch(wire.encode_batch(batch), "zstd") == batch


@given(st.binary(max_size=300), st.sampled_from(["zstd", "gzip", "br", ""]))
@example(b"", "zstd")
@example(b"", "gzip")
@settings(max_examples=200)
def test_no_bytes_do_more_than_be_refused(body: bytes, encoding: str) -> None:
    with pytest.raises(wire.BatchRefused):
        wire.decode_batch(body, encoding)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
@settings(max_examples=100)
def test_no_value_in_place_of_readings_does_more_than_be_refused(value: object) -> None:
    with pytest.raises(wire.BatchMalformed):
        wire.decode_batch(zstd(as_json(registers=[{"values": value}])), "zstd")


def test_a_flipped_bit_anywhere_is_refused() -> None:
    body = wire.encode_batch(batches.batch())
    for place in range(len(body)):
        damaged = bytearray(body)
        damaged[place] ^= 0x10
        try:
            assert wire.decode_batch(bytes(damaged), "zstd") == batches.batch()
        except wire.BatchRefused:
            continue


def test_a_body_over_its_limit_is_too_large() -> None:
    with pytest.raises(wire.BatchTooLarge) as refused:
        wire.decode_batch(b"\0" * (wire.BATCH_BYTES_MAX + 1), "zstd")
    assert (refused.value.what, refused.value.limit) == ("bytes", wire.BATCH_BYTES_MAX)


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_a_bomb_is_too_large_and_never_inflated_whole(encoding: str) -> None:
    zeros = b" " * (wire.BATCH_INFLATED_BYTES_MAX + 1)
    bomb = zstd(zeros) if encoding == "zstd" else gzip.compress(zeros)
    assert len(bomb) < wire.BATCH_BYTES_MAX
    with pytest.raises(wire.BatchTooLarge) as refused:
        wire.decode_batch(bomb, encoding)
    assert refused.value.what == "inflated bytes"


def test_a_text_of_exactly_the_inflated_limit_is_read_not_refused_for_its_size() -> None:
    text = msgspec.json.encode(batches.batch())
    padded = text + b" " * (wire.BATCH_INFLATED_BYTES_MAX - len(text))
    assert wire.decode_batch(zstd(padded), "zstd") == batches.batch()
    assert wire.decode_batch(gzip.compress(padded), "gzip") == batches.batch()


def test_a_zstd_frame_that_lies_about_its_size_is_malformed() -> None:
    honest = zstandard.ZstdCompressor(write_checksum=False).compress(b"x" * 300)
    lying = honest.replace((300 - 256).to_bytes(2, "little"), (200 - 0).to_bytes(2, "little"), 1)
    assert lying != honest
    with pytest.raises(wire.BatchMalformed):
        wire.decode_batch(lying, "zstd")


def test_a_zstd_stream_without_its_size_is_malformed() -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    body = compressor.compress(b"{}") + compressor.flush()
    with pytest.raises(wire.BatchMalformed, match="content size"):
        wire.decode_batch(body, "zstd")


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_data_after_the_frame_and_a_cut_frame_are_malformed(encoding: str) -> None:
    text = msgspec.json.encode(batches.batch())
    body = zstd(text) if encoding == "zstd" else gzip.compress(text)
    for damaged in (body + b"tail", body + body, body[:-3]):
        with pytest.raises(wire.BatchMalformed):
            wire.decode_batch(damaged, encoding)


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(wire.BatchMalformed) as refused:
        wire.decode_batch(b"{}", "br")
    assert (refused.value.where, refused.value.expected) == ("Content-Encoding", "zstd or gzip")


def test_raw_deflate_is_not_gzip() -> None:
    with pytest.raises(wire.BatchMalformed):
        wire.decode_batch(zlib.compress(msgspec.json.encode(batches.batch())), "gzip")


@pytest.mark.parametrize(
    ("content", "where", "what", "expected"),
    [
        (b"[]", "$", "`array`", "`object`"),
        (b'{"version":', "$", "Input data was truncated", "a JSON object in UTF-8"),
        (b"\xff\xfe", "$", "JSON is malformed: invalid character (byte 0)", "a JSON object in UTF-8"),
        (as_json(surprise=1), "$", "Object contains unknown field `surprise`", FIELDS),
        (as_json(version=3), "$.version", "Invalid enum value 3", FIELDS),
        (as_json(seq=0), "$.seq", "a value out of bounds", "`int` >= 1"),
        (as_json(seq="1"), "$.seq", "`str`", "`int`"),
        (as_json(boot_id="x" * 513), "$.boot_id", "a value out of bounds", "`str` of length <= 512"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: object, where: str, what: str, expected: str) -> None:
    with pytest.raises(wire.BatchMalformed) as refused:
        wire.decode_batch(zstd(content), "zstd")
    assert (refused.value.where, refused.value.what, refused.value.expected) == (where, what, expected)
    assert str(refused.value) == f"{where}: {what}; expected {expected}"


def test_the_place_inside_a_column_is_named() -> None:
    whole = as_json()
    whole["registers"][0]["values"][2] = 1.5  # type: ignore[index]  # built just above
    with pytest.raises(wire.BatchMalformed) as refused:
        wire.decode_batch(zstd(whole), "zstd")
    assert refused.value.where == "$.registers[0].values[2]"


def test_deep_nesting_is_refused_without_a_crash() -> None:
    with pytest.raises(wire.BatchMalformed):
        wire.decode_batch(zstd(b'{"registers":' + b"[" * 100_000), "zstd")


@pytest.mark.parametrize(
    "changes",
    [
        {"boot_id": "a\0b"},
        {"registers": [batches.column(meter=batches.meter(labels={"engine": "\0"}))]},
        {"registers": [batches.column(meter=batches.meter(labels={"\0": "0"}))]},
    ],
)
def test_a_nul_character_is_refused_wherever_it_is(changes: dict[str, object]) -> None:
    body = zstd(msgspec.json.encode(batches.batch(**changes)))
    with pytest.raises(wire.BatchMalformed, match="NUL"):
        wire.decode_batch(body, "zstd")


def test_a_backslash_before_u0000_is_text_and_passes() -> None:
    batch = batches.batch(boot_id="\\u0000")
    assert wire.decode_batch(wire.encode_batch(batch), "zstd") == batch


def test_a_lone_surrogate_is_refused() -> None:
    text = msgspec.json.encode(batches.batch()).replace(b"boot-1", b"\\ud800 ")
    with pytest.raises(wire.BatchMalformed):
        wire.decode_batch(zstd(text), "zstd")


def test_encoding_refuses_what_decoding_would_refuse() -> None:
    with pytest.raises(wire.BatchMalformed):
        wire.encode_batch(batches.batch(boot_id="x" * 513))
    with pytest.raises(wire.BatchMalformed):
        wire.encode_batch(batches.batch(node="not a uuid"))
    with pytest.raises(wire.BatchTooLarge):
        wire.encode_batch(batches.batch(registers=[batches.column([1] * (wire.BATCH_READINGS_MAX + 1))]))


def test_encoding_refuses_an_inflated_text_over_the_limit() -> None:
    labels = {f"label_{n:03}": "x" * 500 for n in range(wire.LABELS_MAX)}
    columns = [batches.column([1], meter=batches.meter(labels=labels), first_seq=seq) for seq in range(1, 2_200)]
    with pytest.raises(wire.BatchTooLarge) as refused:
        wire.encode_batch(batches.batch(registers=columns))
    assert refused.value.what == "inflated bytes"


def test_a_batch_hash_is_sha256_of_the_body_in_hex() -> None:
    assert wire.batch_hash(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert wire.batch_hash(b"") != wire.batch_hash(b"\0")


def test_a_signature_holds_for_these_bytes_and_this_key_only() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    raw, other_raw = key.public_key().public_bytes_raw(), other.public_key().public_bytes_raw()
    body = wire.encode_batch(batches.batch())
    signature = wire.sign(key, body)
    assert wire.verify(raw, body, signature)
    assert not wire.verify(raw, body + b"\0", signature)
    assert not wire.verify(other_raw, body, signature)


def test_a_signature_is_over_the_prefix_so_that_it_means_nothing_elsewhere() -> None:
    key = Ed25519PrivateKey.generate()
    bare = base64.b64encode(key.sign(b"body")).decode()
    assert not wire.verify(key.public_key().public_bytes_raw(), b"body", bare)
    assert wire.SIGNATURE_PREFIX == b"forecourt-batch-v1\n"


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64!", "ä", "A" * 88])
def test_a_malformed_signature_is_false_not_an_error(signature: str) -> None:
    raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert wire.verify(raw, b"body", signature) is False


@pytest.mark.parametrize("public_key", [b"", b"short", b"\0" * 31, b"\0" * 33])
def test_a_malformed_public_key_is_false_not_an_error(public_key: bytes) -> None:
    signature = wire.sign(Ed25519PrivateKey.generate(), b"body")
    assert wire.verify(public_key, b"body", signature) is False


def test_answers_are_read_by_older_agents_whatever_is_added() -> None:
    answer = {
        "seq": 4,
        "received": 3,
        "accepted": 1,
        "duplicates": 1,
        "conflicts": 1,
        "quarantined": 0,
        "next_seq": 5,
        "news": True,
    }
    assert msgspec.json.decode(json.dumps(answer), type=wire.BatchAccepted).next_seq == 5
    assert msgspec.json.decode(b'{"code":"out_of_chain","expected_seq":3}', type=wire.Problem).expected_seq == 3
    assert msgspec.json.decode(b"{}", type=wire.Problem).code == ""
