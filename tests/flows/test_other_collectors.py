"""A provider's own collectors, unmodified, meter to the token: a real Prometheus, and the OpenTelemetry SDK.

Prometheus scrapes an inference server's page and writes on to the platform's web server; the engine restarts in
between. The SDK exports the counters of a gateway. Both become usage by the same batches and rules as an agent's.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from django.utils import timezone
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from clusters.models import Endpoint, Node
from forecourt.demo.engines import Engine
from forecourt.demo.workload import Request
from metering.models import Batch, Quality, UsageHour, Witness
from tenants.api_keys import issue_key
from tests.factories import make_cluster, make_deployment
from tests.fakes.engine_pages import PageServer, page
from tests.metering.fleet import roll_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.live_server_helper import LiveServer

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True)
MODEL: Final = "sample-model"
DEADLINE_S: Final = 60
CONFIG: Final = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: vllm
    static_configs: [{{targets: ["{target}"]}}]
remote_write:
  - url: {url}/compat/prometheus/api/v1/write
    authorization: {{credentials: {secret}}}
    queue_config: {{batch_send_deadline: 250ms}}
"""


def secret_for(organization: Organization) -> str:
    return issue_key(
        organization=organization, name="collector", scopes=["events:write"], actor="test", now=timezone.now()
    ).secret


def wait_for(what: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < ends_s, "it did not come about in time"
        time.sleep(0.1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[None]:
    """Run Prometheus, and stop it in order, so that it sends what it has."""
    program = shutil.which("prometheus")
    assert program, "Prometheus is not installed: run .ci/system-packages"
    (folder / "prometheus.yml").write_text(config)
    running = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--log.level=error",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate(timeout=DEADLINE_S)
        assert running.returncode == 0, said
    finally:
        running.kill()
        running.communicate()


def counted(**filters: object) -> dict[str, int]:
    """What is billed of the engine witness, by class."""
    rows = UsageHour.objects.filter(witness=Witness.ENGINE, **filters)
    found: dict[str, int] = {}
    for quantity, quality, value in rows.values_list("quantity", "quality", "value"):
        assert quality in {Quality.ACTUAL, Quality.ESTIMATED} or not value, (quantity, quality, value)
        found[quantity] = found.get(quantity, 0) + value
    return found


def test_a_real_prometheus_meters_an_engine_over_its_restart(
    live_server: LiveServer, cast: Cast, tmp_path: Path
) -> None:
    make_cluster(cast.provider)
    secret = secret_for(cast.provider)
    engine = Engine("vllm", MODEL, [], now_ms())
    with PageServer() as pages:
        served = [engine]
        pages.routes["/metrics"] = lambda: page(served[0].page(now_ms()))
        config = CONFIG.format(target=pages.url.removeprefix("http://"), url=live_server.url, secret=secret)
        with prometheus(tmp_path, config):
            wait_for(Batch.objects.exists)
            endpoint = Endpoint.objects.get()
            deployment = make_deployment(cast.provider, cast.tenant, endpoint, MODEL)
            engine.add(Request("a", "chat", now_ms(), now_ms() + 1, now_ms() + 2, 1_000_003, 500_000, 70_001))
            read = len(pages.requests)
            wait_for(lambda: len(pages.requests) > read + 2)
            served[0] = Engine("vllm", MODEL, [], now_ms())
            served[0].add(Request("b", "chat", now_ms(), now_ms() + 1, now_ms() + 2, 20_011, 7, 3_000_009))
            read = len(pages.requests)
            wait_for(lambda: len(pages.requests) > read + 2)
    roll_up(Node.objects.get(), now=timezone.now())
    assert counted() == {"input": 1_020_014, "cached_input": 500_007, "output": 3_070_010, "requests": 2}
    assert counted(deployment=deployment) == counted()


def test_the_opentelemetry_sdk_meters_a_gateway(live_server: LiveServer, cast: Cast) -> None:
    make_cluster(cast.provider)
    exporter = OTLPMetricExporter(
        endpoint=f"{live_server.url}/compat/otlp/v1/metrics",
        headers={"Authorization": f"Bearer {secret_for(cast.provider)}"},
        compression=Compression.Gzip,
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    resource = Resource.create({"service.name": "gateway", "service.instance.id": "g-1"})
    provider = MeterProvider(metric_readers=[reader], resource=resource)
    meter = provider.get_meter("sample")
    tokens = {
        quantity: meter.create_counter(f"gen_ai.client.inference.usage.{name}")
        for quantity, name in {
            "input": "input_tokens",
            "cached_input": "cache_read.input_tokens",
            "output": "output_tokens",
        }.items()
    }
    told = {"input": [7, 1_000_001, 5], "cached_input": [1, 500_000, 0], "output": [3, 70_001, 11]}
    for step in range(3):
        for quantity, counter in tokens.items():
            for tenant in ("a", "b"):
                labels = {"gen_ai.request.model": MODEL, "gen_ai.token.modality": "text", "tenant": tenant}
                counter.add(told[quantity][step], labels)
        assert provider.force_flush()
    provider.shutdown()
    roll_up(Node.objects.get(), now=timezone.now())
    assert counted() == {quantity: 2 * sum(steps) for quantity, steps in told.items()}
    endpoint = Endpoint.objects.get()
    assert (endpoint.url, endpoint.engine, endpoint.served_models) == ("gateway/g-1", "gen_ai", [MODEL])
    kept = UsageHour.objects.values_list("meter__labels", flat=True)
    assert {"tenant=a" in text for text in kept} == {True, False}
