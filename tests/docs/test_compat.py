"""The page of the compatible inputs names their addresses, meters and limits as the code has them."""

from __future__ import annotations

from importlib.metadata import version

from metering.compat.api import litellm, openmeter
from metering.compat.litellm_logs import LOGS_MAX
from metering.compat.meter_query import GROUPS, METERS
from metering.compat.otlp_metrics import INFLATED_BYTES_MAX as OTLP_INFLATED_BYTES_MAX
from metering.compat.remote_write import BYTES_MAX, INFLATED_BYTES_MAX, SAMPLES_MAX, SERIES_MAX
from metering.compat.taking import HELD_MAX
from metering.compat.urls import urlpatterns
from tests.docs.pages import code, rows_of, text_of

PAGE = "docs/compat.md"
MIB = 1 << 20


def test_the_table_has_every_address() -> None:
    told = {(code(address), code(name)) for address, name, _ in rows_of(PAGE, "address", "name")}
    assert told == {(f"/compat/{one.pattern}", one.name) for one in urlpatterns}


def test_the_table_has_every_meter_and_the_text_every_group() -> None:
    assert [code(meter) for meter, _ in rows_of(PAGE, "meter", "sums")] == list(METERS)
    assert all(f"`{name}`" in text_of(PAGE) for name in GROUPS)


def test_the_limits_are_the_codes() -> None:
    text = " ".join(text_of(PAGE).split())
    assert f"At most {openmeter.BYTES_MAX // MIB} MiB." in text
    assert f"At most {litellm.BYTES_MAX // MIB} MiB and {LOGS_MAX:,} calls" in text
    assert f"At most {HELD_MAX:,} reports wait" in text
    bounds = f"more than {BYTES_MAX // MIB} MiB, {INFLATED_BYTES_MAX // MIB} MiB inflated"
    assert f"{bounds}, {SERIES_MAX:,} series or {SAMPLES_MAX:,} samples" in text
    assert OTLP_INFLATED_BYTES_MAX == INFLATED_BYTES_MAX


def test_the_programs_that_were_tried_are_those_that_are_locked() -> None:
    tried = {program: how for program, how, _ in rows_of(PAGE, "program", "how")}
    sdk = ".".join(version("opentelemetry-sdk").split(".")[:2])
    assert f"OpenTelemetry SDK for Python {sdk}" in tried
    assert f"litellm=={next(one for one in tried if 'LiteLLM' in one).split()[1].rstrip(',')} " in text_of(
        "requirements-litellm.lock"
    )
