"""What an engine says of the models it serves."""

from collections.abc import Iterator

import httpx
import pytest

from metering.agent.clock import SystemClock
from metering.agent.served import Served, ask_models
from tests.fakes.engine_pages import PageServer, Reply

LLAMACPP = b'{"object":"list","data":[{"id":"tiny.gguf","object":"model","meta":{"n_params":1}}],"models":[]}'
TGI = b'{"model_id":"org/model","max_total_tokens":4096,"version":"3.3.6"}'


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def ask(client: httpx.Client, engine: PageServer, **routes: Reply) -> Served:
    paths = {"models": "/v1/models", "info": "/info"}
    engine.routes.update({paths[name]: reply for name, reply in routes.items()})
    return ask_models(client, engine.url, SystemClock())


@pytest.mark.parametrize(
    ("routes", "models"),
    [
        ({"models": Reply(LLAMACPP)}, ("tiny.gguf",)),
        ({"models": Reply(status=404), "info": Reply(TGI)}, ("org/model",)),
        ({"models": Reply(b'{"data":[]}'), "info": Reply(TGI)}, ("org/model",)),
        ({"models": Reply(b'{"data":[{"id":"a"},{"id":"b"},{"id":"a"}]}')}, ("a", "b")),
        ({"models": Reply(status=401), "info": Reply(status=404)}, ()),
        ({"models": Reply(b"<html>"), "info": Reply(b'{"model_id":7}')}, ()),
        ({"models": Reply(b'["a"]'), "info": Reply(b"{}")}, ()),
    ],
)
def test_what_is_served_is_told(
    client: httpx.Client, engine: PageServer, routes: dict[str, Reply], models: tuple[str, ...]
) -> None:
    served = ask(client, engine, **routes)
    assert served == Served(models)
    assert served.only == (models[0] if len(models) == 1 else None)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_engine_that_cannot_answer_now_is_asked_again(client: httpx.Client, engine: PageServer, status: int) -> None:
    assert ask(client, engine, models=Reply(status=status)) == Served(known=False)


def test_an_engine_that_is_gone_is_asked_again(client: httpx.Client) -> None:
    assert ask_models(client, "http://127.0.0.1:9", SystemClock()) == Served(known=False)
