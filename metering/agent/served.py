"""Which model an engine serves, asked of the engine itself, for engines whose page of counters does not say.

`/v1/models` is the list of OpenAI's API that vLLM, llama.cpp, LightLLM and others answer; `/info` is Text Generation
Inference's own. Both only tell; neither makes the engine work.
"""

from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from metering.agent.clock import Clock
from metering.agent.endpoints import page_url
from metering.agent.scrape import Failure, Target, fetch

PATHS: Final = ("/v1/models", "/info")
TIMEOUT_S: Final = 2.0
_NOT_THERE: Final = frozenset({"401", "403", "404", "405", "501"})


class _Listed(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    """OpenAI's list, or TGI's description; what else they say is passed over."""

    data: list[_Listed] = []
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What the engine says. `known` false: it did not answer and is to be asked again, not soon if it was `slow`."""

    models: tuple[str, ...] = ()
    known: bool = True
    slow: bool = False

    @property
    def only(self) -> str | None:
        """The one model that all counts of a page without names belong to, None where there is not exactly one."""
        return self.models[0] if len(self.models) == 1 else None


def ask_models(client: httpx.Client, url: str, clock: Clock) -> Served:
    """Ask one engine, within seconds. Never raises for what an engine can do."""
    for path in PATHS:
        answer = fetch(client, Target(url, page_url(url, path), ""), clock, TIMEOUT_S)
        if isinstance(answer, Failure):
            if answer.reason != "http_status" or answer.detail not in _NOT_THERE:
                return Served(known=False, slow=answer.reason == "timeout")
            continue
        try:
            told = msgspec.json.decode(answer.body, type=_Models)
        except msgspec.MsgspecError:
            continue
        names = [told.model_id] if told.model_id else [one.id for one in told.data]
        if names:
            return Served(tuple(dict.fromkeys(names)))
    return Served()
