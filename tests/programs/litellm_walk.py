"""LiteLLM's proxy, unmodified, reports to a running Forecourt by four callbacks at once, and the totals match.

It is large, so it is kept out of `make test`: `make programs` installs it apart from the platform and runs this. The
upstream is a double that answers as an engine with an OpenAI API does, whole and streamed, with its usage.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from metering.models import IngestCount, UsageHour, Witness
from metering.rollup_events import roll_up_events
from tenants.api_keys import issue_key
from tests.factories import make_organization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.live_server_helper import LiveServer

    from tenants.models import Organization

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
LITELLM: Final = Path(os.environ.get("LITELLM", ".cache/litellm/bin/litellm"))
DEADLINE_S: Final = 120
SECRET: Final = "the patient's name is"
MASTER: Final = "sk-sample"
GENERIC: Final = ("lines", "array")
CALLBACKS: Final = ("openmeter", "lago", *GENERIC)
CONFIG: Final = """
model_list:
  - model_name: sample-model
    litellm_params: {{model: openai/upstream, api_base: "{upstream}/v1", api_key: none, max_retries: 0}}
litellm_settings:
  callbacks: ["openmeter", "lago", "lines", "array"]
  cache: true
  cache_params: {{type: local}}
  num_retries: 0
callback_settings:
  lines: &generic
    callback_type: generic_api
    endpoint: "{url}/compat/litellm/logs"
    headers: {{Authorization: "Bearer {lines}"}}
    log_format: ndjson
  array:
    <<: *generic
    headers: {{Authorization: "Bearer {array}"}}
    log_format: json_array
general_settings: {{master_key: {master}}}
"""


@dataclass(frozen=True)
class Tokens:
    """What the upstream says of one call."""

    prompt: int
    cached: int
    completion: int
    reasoning: int

    @property
    def usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


class Upstream(BaseHTTPRequestHandler):
    """Answers a chat by the tokens that its first message asks for: `say prompt cached completion reasoning`."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = asked["messages"][0]["content"].split()
        if words[0] == "fail":
            self._send(b'{"error": {"message": "no"}}', "application/json", 500)
            return
        tokens = Tokens(*map(int, words[1:5]))
        head = {"id": f"chatcmpl-{'-'.join(words[1:5])}", "created": int(time.time()), "model": "upstream"}
        if asked.get("stream"):
            said = {"index": 0, "delta": {"role": "assistant", "content": SECRET}, "finish_reason": None}
            done = {"index": 0, "delta": {}, "finish_reason": "stop"}
            chunks: list[dict[str, Any]] = [
                {**head, "object": "chat.completion.chunk", "choices": [said]},
                {**head, "object": "chat.completion.chunk", "choices": [done]},
                {**head, "object": "chat.completion.chunk", "choices": [], "usage": tokens.usage},
            ]
            text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            self._send(text.encode(), "text/event-stream")
            return
        message = {"role": "assistant", "content": SECRET}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = {**head, "object": "chat.completion", "choices": choices, "usage": tokens.usage}
        self._send(json.dumps(body).encode(), "application/json")

    def _send(self, body: bytes, media: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def wait_for(what: Callable[[], bool], say: Callable[[], str]) -> None:
    ends_s = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < ends_s, say()
        time.sleep(0.3)


@contextmanager
def litellm(folder: Path, url: str, keys: dict[str, str], upstream_url: str) -> Iterator[httpx.Client]:
    """Run the proxy, and stop it in order."""
    config = CONFIG.format(upstream=upstream_url, url=url, master=MASTER, lines=keys["lines"], array=keys["array"])
    (folder / "config.yaml").write_text(config)
    port = free_port()
    settings = {
        "OPENMETER_API_ENDPOINT": f"{url}/compat/openmeter",
        "OPENMETER_API_KEY": keys["openmeter"],
        "LAGO_API_BASE": f"{url}/compat/lago",
        "LAGO_API_KEY": keys["lago"],
        "LAGO_API_EVENT_CODE": "tokens",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "*",
        "PATH": f"{LITELLM.parent.absolute()}:{os.environ['PATH']}",
        "HOME": str(folder),
    }
    log = folder / "litellm.log"
    with log.open("w") as written:
        running = subprocess.Popen(
            [LITELLM.absolute(), "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
            env=settings,
            cwd=folder,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {MASTER}"},
            timeout=60,
            trust_env=False,
        ) as client:
            wait_for(lambda: is_ready(client), log.read_text)
            yield client
        running.send_signal(signal.SIGTERM)
        running.wait(DEADLINE_S)
    finally:
        running.kill()
        running.wait()


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/liveliness").status_code == 200
    except httpx.TransportError:
        return False


def ask(client: httpx.Client, content: str, *, stream: bool = False) -> int:
    body = {"model": "sample-model", "messages": [{"role": "user", "content": content}], "user": "end-user-7"}
    return client.post("/chat/completions", json={**body, "stream": stream}).status_code


def counts(organization: Organization, kind: str) -> Counter[str]:
    rows = IngestCount.objects.filter(reporter=str(organization.id), kind=kind)
    return Counter(dict(rows.values_list("outcome", "count")))


def totals(organization: Organization) -> dict[str, int]:
    found: Counter[str] = Counter()
    for quantity, value in UsageHour.objects.filter(tenant=organization, witness=Witness.GATEWAY).values_list(
        "quantity", "value"
    ):
        found[quantity] += value
    return dict(found)


def stored_text() -> str:
    """Everything that the database holds of metering."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'metering_%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT one::text FROM {table} AS one")
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


def test_every_callback_of_a_real_proxy_meters_to_the_token(live_server: LiveServer, tmp_path: Path) -> None:
    assert LITELLM.exists(), "LiteLLM is not installed: run `make programs`"
    reporters = {name: make_organization(f"by-{name}") for name in CALLBACKS}
    keys = {
        name: issue_key(organization=one, name=name, scopes=["events:write"], actor="test", now=timezone.now()).secret
        for name, one in reporters.items()
    }
    calls = [Tokens(100 + number, number, 10 * number + 1, number // 2) for number in range(12)]
    with upstream() as upstream_url, litellm(tmp_path, live_server.url, keys, upstream_url) as client:
        for index, one in enumerate(calls):
            content = f"say {one.prompt} {one.cached} {one.completion} {one.reasoning} {SECRET}"
            assert ask(client, content, stream=index % 3 == 2) == 200
        again = calls[0]
        content = f"say {again.prompt} {again.cached} {again.completion} {again.reasoning} {SECRET}"
        assert ask(client, content) == 200
        assert ask(client, f"fail {SECRET}") >= 400

        def taken() -> dict[str, int]:
            return {name: counts(one, "compat")[f"{source(name)}:accepted"] for name, one in reporters.items()}

        wanted = {name: len(calls) + (name == "lago") for name in CALLBACKS}
        wait_for(lambda: taken() == wanted, lambda: f"{taken()}\n{(tmp_path / 'litellm.log').read_text()[-4000:]}")
        # The generic callbacks send what else there was with one of their next flushes.
        others = {"litellm:rejected:cache_hit": 1, "litellm:rejected:failed_call": 1}
        wanted_of_all = {"litellm:accepted": len(calls), **others}
        wait_for(
            lambda: all(counts(reporters[name], "compat") == wanted_of_all for name in GENERIC),
            lambda: str([counts(reporters[name], "compat") for name in GENERIC]),
        )
    roll_up_events(now=timezone.now())
    plain = {
        "input": sum(one.prompt for one in calls),
        "output": sum(one.completion for one in calls),
        "requests": len(calls),
    }
    split = {"cached_input": sum(one.cached for one in calls), "reasoning": sum(one.reasoning for one in calls)}
    assert totals(reporters["lines"]) == totals(reporters["array"]) == {**plain, **split}
    assert totals(reporters["openmeter"]) == plain
    # Nothing in Lago's event tells that LiteLLM answered from its own cache: it counts again.
    repeated = {"input": again.prompt, "output": again.completion, "requests": 1}
    assert totals(reporters["lago"]) == {name: plain[name] + repeated[name] for name in plain}
    assert SECRET not in stored_text()


def source(name: str) -> str:
    return "litellm" if name in GENERIC else name
