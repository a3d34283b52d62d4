"""Traps of engines' pages over time: what the server bills in the end, beside what the engine really did."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.agent.collect import Collector
from metering.agent.config import EndpointSetting
from metering.agent.engines import load_mappings
from metering.agent.machine import EngineProcess
from metering.agent.scrape import Failure, Page, Reading, Scraper, Target
from metering.agent.spool import RegisterEntry, key_text
from metering.agent.tick import Memory
from metering.deltas import Quality, RegisterBound, RegisterReading, fold
from metering.wire import Outcome
from tests.metering.agent.simulated import START, FixedMachine

NOW = int(START.timestamp() * 1000)
STEP_MS = 10_000
MAPPINGS = load_mappings()


class Pages(Scraper):
    """Hands out what a test put there."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}

    def begin(self, targets: list[Target]) -> Reading:  # type: ignore[override]  # a list is what the collector gives
        found: dict[str, Page | Failure] = {
            target.endpoint: Page(target.endpoint, self.bodies[target.endpoint].encode(), "") for target in targets
        }
        return Reading(targets, None, found, 0.0)  # type: ignore[arg-type]  # nothing is waited for

    def finish(self, reading: Reading) -> list[Page | Failure]:
        return [reading.found[target.endpoint] for target in reading.targets]


class Node:
    """A collector over pages that a test sets, read every ten seconds."""

    def __init__(self, *endpoints: EndpointSetting) -> None:
        self.urls = [endpoint.url for endpoint in endpoints]
        self.machine = FixedMachine()
        self.pages = Pages()
        self.collector = Collector(
            machine=self.machine, mappings=MAPPINGS, scraper=self.pages, nvml=None, states={}, memory=Memory()
        )
        self.collector.watch(endpoints)
        self.at_ms = NOW
        self.readings: dict[str, list[RegisterEntry]] = {}
        self.outcomes: list[Outcome] = []

    def read(self, *bodies: str) -> None:
        self.pages.bodies = dict(zip(self.urls, bodies, strict=True))
        tick = self.collector.read(self.at_ms)
        self.collector.keep(tick)
        for entry in tick.registers:
            self.readings.setdefault(key_text(entry.key), []).append(entry)
        self.outcomes += tick.outcomes
        self.at_ms += STEP_MS

    @property
    def reasons(self) -> list[str]:
        return [outcome.reason for outcome in self.outcomes]

    def counted(self, *qualities: Quality, quantity: str = "input", **labels: str) -> int:
        """What the server makes of the quantity's readings, of these qualities only."""
        total = 0
        for entries in self.readings.values():
            key = entries[0].key
            if key.quantity != quantity or not labels.items() <= key.labels.items():
                continue
            readings = [
                RegisterReading(
                    entry.state.epoch, seq, entry.value, entry.read_at_ms, entry.state.started_ms, entry.state.proof
                )
                for seq, entry in enumerate((each for each in entries if each.value is not None), 1)
                if entry.value is not None
            ]
            folded = fold(None, readings, RegisterBound(watched_since_ms=NOW))
            total += sum(outcome.value or 0 for _, outcome in folded.outcomes if outcome.quality in qualities)
        return total

    def billed(self, quantity: str = "input", **labels: str) -> int:
        return self.counted(Quality.ACTUAL, Quality.ESTIMATED, quantity=quantity, **labels)


def one(engine: str, **settings: object) -> Node:
    setting = EndpointSetting("http://127.0.0.1:8000", engine)
    return Node(msgspec.structs.replace(setting, **settings))


def process(pid: int, started_ms: int) -> EngineProcess:
    return EngineProcess(pid, pid * 10, started_ms, "", "engine")


def sglang(*values: int) -> str:
    return "".join(
        f'sglang:prompt_tokens_total{{engine_type="unified",is_streaming="{streaming}",model_name="q"}} {value}.0\n'
        for streaming, value in zip(("False", "True"), values, strict=False)
    )


def test_files_that_outlive_the_process_are_not_billed_again() -> None:
    """Run 1 counted 5,000; run 2 with the same folder adds 6 to them: 6 are held, and 5,000 are not billed twice."""
    node = one("sglang")
    node.machine.processes[node.urls[0]] = process(1, NOW - 1)
    node.read(sglang(4_000))
    node.read(sglang(5_000))
    node.machine.processes[node.urls[0]] = process(2, node.at_ms - 1)
    node.read(sglang(5_006))
    node.read(sglang(5_106))
    assert node.billed() == 1_000 + 100
    assert node.counted(Quality.QUARANTINED) == 6


def test_an_engine_that_counts_anew_in_its_process_is_billed_from_zero() -> None:
    node = one("vllm")
    node.machine.processes[node.urls[0]] = process(1, NOW - 60_000)
    line = 'vllm:generation_tokens_total{{engine="{}",model_name="m"}} {}\n'
    node.read(line.format(0, 700) + line.format(1, 500))
    node.read(line.format(0, 800) + line.format(1, 600))
    # Growing the ranks made every counter anew; rank 2 is new on a page that is watched.
    node.read(line.format(0, 50) + line.format(1, 20) + line.format(2, 30))
    assert node.billed("output") == 200 + 50 + 20 + 30
    assert node.reasons == ["register_fell", "register_fell"]


def created(engine: str, value: int, at_ms: int) -> str:
    labels = f'{{engine="{engine}",model_name="m"}}'
    return f"vllm:generation_tokens_total{labels} {value}.0\nvllm:generation_tokens_created{labels} {at_ms / 1_000!r}\n"


def test_a_newer_created_is_billed_whole_although_the_value_rose() -> None:
    node = one("vllm")
    node.read(created("0", 700, NOW - 5_000))
    node.read(created("0", 9_000, NOW + 4_000))
    assert node.billed("output") == 9_000
    assert node.reasons == []


def ray(**replicas: int) -> str:
    lines = ["# TYPE ray_vllm_prompt_tokens gauge\n", "# TYPE ray_vllm_prompt_tokens_total counter\n"]
    for name in ("ray_vllm_prompt_tokens", "ray_vllm_prompt_tokens_total"):
        lines += [
            f'{name}{{ReplicaId="{replica}",WorkerId="w-{replica}",engine="0",model_name="q"}} {value}.0\n'
            for replica, value in replicas.items()
        ]
    return "".join(lines)


def test_dead_replicas_stand_still_and_twins_are_one() -> None:
    node = one("ray_serve")
    node.read(ray(a=1_000))
    node.read(ray(a=1_500))
    # Replica a died and stays on the page for ever; b took its place.
    node.read(ray(a=1_500, b=40))
    node.read(ray(a=1_500, b=90))
    assert node.billed() == 500 + 90
    assert node.billed(ReplicaId="b") == 90


def litellm(started_s: float, **keys: int) -> str:
    lines = [f"process_start_time_seconds {started_s}\n"]
    lines += [
        f'litellm_input_tokens_metric_total{{end_user="u",hashed_api_key="{key}",model="m",team="t"}} {value}.0\n'
        for key, value in keys.items()
    ]
    return "".join(lines)


STARTED_S = NOW / 1_000 - 600


def test_idle_series_that_are_dropped_and_begin_anew_count_every_token_once() -> None:
    """A team's two keys are one meter. One key idles away and is back at 30; then both do, and one is back at 5."""
    node = one("litellm")
    node.read(litellm(STARTED_S, k1=1_000, k2=500))
    node.read(litellm(STARTED_S, k1=1_100, k2=500))
    node.read(litellm(STARTED_S, k1=1_200))
    node.read(litellm(STARTED_S, k1=1_200, k2=30))
    assert node.billed() == 200 + 30
    node.read(litellm(STARTED_S))
    node.read(litellm(STARTED_S, k2=5))
    node.read(litellm(STARTED_S, k2=2_000))
    assert node.billed() == 200 + 30 + 2_000
    assert node.reasons == ["no_known_series", "series_vanished", "series_returned"]


def test_workers_that_take_turns_to_answer_are_no_restarts() -> None:
    """Two workers, each with its own registry and start: only the first one's tokens are known, and none twice."""
    node = one("litellm")
    other = STARTED_S + 7
    for turn in range(12):
        node.read(litellm(STARTED_S, k1=1_000 + turn) if turn % 2 == 0 else litellm(other, k1=400 + turn, k9=77))
    assert node.billed() == 10
    assert node.reasons == ["other_process"] * 6


def test_workers_without_a_start_on_the_page_are_held_too() -> None:
    node = one("litellm")
    for turn in range(12):
        page = litellm(STARTED_S, k1=1_000 + turn if turn % 2 == 0 else 400 + turn)
        node.read(page.partition("\n")[2])
    assert node.billed() == 10
    assert node.reasons == ["fall_held"] * 6


def test_a_gateway_that_restarts_is_billed_from_zero() -> None:
    node = one("litellm")
    node.read(litellm(STARTED_S, k1=1_000))
    node.read(litellm((node.at_ms - 4_000) / 1_000, k1=12))
    assert node.billed() == 12
    assert node.reasons == []


def test_a_process_that_never_comes_back_is_taken_to_be_gone() -> None:
    node = one("litellm")
    node.read(litellm(STARTED_S, k1=1_000))
    for turn in range(40):
        node.read(litellm(STARTED_S + 7, k1=2_000 + turn))
    assert node.reasons == ["other_process"] * 30
    # The first reading of the other one is held as ambiguous, its later rise is billed.
    assert node.billed() == 9
    assert node.counted(Quality.QUARANTINED) == 1_030


def test_a_prompt_is_billed_once_over_the_two_servers_that_made_its_answer() -> None:
    """10 requests of 300 prompt tokens, 40 of them cached, 50 of output each."""
    prefill = EndpointSetting("http://127.0.0.1:8001", "vllm", role="prefill")
    decode = EndpointSetting("http://127.0.0.1:8002", "vllm", role="decode")
    unnamed = EndpointSetting("http://127.0.0.1:8003", "vllm")
    node = Node(prefill, decode, unnamed)

    def page(requests: int, sources: dict[str, int], output: int) -> str:
        lines = [
            f'vllm:prompt_tokens_by_source_total{{engine="0",model_name="m",source="{source}"}} {requests * tokens}\n'
            for source, tokens in sources.items()
        ]
        total = f'vllm:prompt_tokens_total{{engine="0",model_name="m"}} {requests * sum(sources.values())}\n'
        made = f'vllm:generation_tokens_total{{engine="0",model_name="m"}} {requests * output}\n'
        return "".join([total, *lines, made])

    here = {"local_compute": 260, "local_cache_hit": 40, "external_kv_transfer": 0}
    there = {"local_compute": 0, "local_cache_hit": 0, "external_kv_transfer": 300}
    for requests in (0, 4, 10):
        node.read(page(requests, here, 1), page(requests, there, 50), page(0, there, 50))
    assert (node.billed("input"), node.billed("cached_input"), node.billed("output")) == (3_000, 400, 500)
    alone = one("vllm")
    for requests in (0, 10):
        alone.read(page(requests, there, 50))
    assert (alone.billed("input"), alone.billed("output")) == (0, 500)


def test_a_newer_agent_that_prefers_another_name_bills_nothing_again() -> None:
    """Before, all prompt tokens were read; now those that came from elsewhere are left out, in the same process."""
    page = (
        'vllm:prompt_tokens_total{{engine="0",model_name="m"}} {0}\n'
        'vllm:prompt_tokens_by_source_total{{engine="0",model_name="m",source="local_compute"}} {1}\n'
        'vllm:prompt_tokens_by_source_total{{engine="0",model_name="m",source="external_kv_transfer"}} {2}\n'
    )
    node = one("vllm")
    for whole in (5_000_000, 5_000_400):
        node.read(page.format(whole, 0, 0).partition("\n")[0] + "\n")
    node.read(page.format(5_000_500, 100_000, 4_900_500))
    node.read(page.format(5_000_900, 100_030, 4_900_870))
    assert node.billed() == 400 + 30
    assert node.reasons == ["series_renamed"]


def test_an_engine_without_counters_is_asked_nothing() -> None:
    node = one("ollama", model="tiny")
    node.pages.bodies = {}
    tick = node.collector.read(NOW)
    assert (tick.registers, tick.outcomes) == ([], [])
    (seen,) = node.collector.endpoints.values()
    assert (seen.engine, seen.models) == ("ollama", ["tiny"])


def test_each_model_of_a_router_is_an_endpoint_with_its_own_life() -> None:
    """The router unloads model a and loads it again: only a begins anew."""
    urls = [f"http://127.0.0.1:8080?model={model}&autoload=false" for model in ("a", "b")]
    node = Node(*(EndpointSetting(url, "llamacpp") for url in urls))
    for url in urls:
        node.machine.processes[url] = process(7, NOW - 60_000)
    for a, b in ((100, 1_000), (150, 1_100), (20, 1_200)):
        node.read(*(f"llamacpp:tokens_predicted_total {value}\n" for value in (a, b)))
    assert {seen.models[0] for seen in node.collector.endpoints.values()} == {"a", "b"}
    assert node.billed("output") == (50 + 20) + 200
    assert node.reasons == ["register_fell"]


def test_a_gateway_whose_end_users_are_too_many_is_not_read_in_part() -> None:
    node = one("litellm")
    line = 'litellm_output_tokens_metric_total{{end_user="u{}",model="m",team="t"}} {}\n'
    node.read("".join(line.format(user, 10) for user in range(512)))
    node.read("".join(line.format(user, 20) for user in range(513)))
    node.read("".join(line.format(user, 30) for user in range(512)))
    assert node.billed("output") == 512 * 20
    assert node.reasons == ["out_of_range"]


def test_a_tenant_that_the_provider_names_is_billed_by_itself() -> None:
    node = one("sglang", keep_labels=["tenant"])
    line = 'sglang:prompt_tokens_total{{engine_type="unified",is_streaming="True",model_name="q",tenant="{}"}} {}\n'
    node.read(line.format("t1", 100) + line.format("t2", 50))
    node.read(line.format("t1", 130) + line.format("t2", 55) + line.format("t3", 9))
    assert [node.billed(tenant=tenant) for tenant in ("t1", "t2", "t3")] == [30, 5, 9]
    assert node.billed() == 44


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=12), st.integers(0, 3_000_000))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_six_digits_never_bill_a_token_that_was_not_there(rises: list[int], first: int) -> None:
    node = one("llamacpp", model="tiny")
    truth, seen = first, []
    for rise in [0, *rises]:
        truth += rise
        seen.append(truth)
        node.read(f"llamacpp:tokens_predicted_total {truth:g}\n")
    assert node.billed("output") <= truth - first + MAPPINGS["llamacpp"].resolution(first)
    assert node.billed("output") >= truth - first - MAPPINGS["llamacpp"].resolution(truth)
    assert set(node.reasons) <= {"coarse_register"}
    assert len(node.reasons) == len({MAPPINGS["llamacpp"].resolution(each) for each in seen} - {1})


Event = tuple[str, int]
events = st.lists(
    st.tuples(st.sampled_from(["a", "a", "b", "drop_a", "drop_b", "restart", "missed", "nothing"]), st.integers(1, 90)),
    max_size=30,
)


@given(events)
@settings(max_examples=120, deadline=None)
def test_whatever_idles_away_a_gateways_tokens_are_never_counted_twice(history: list[Event]) -> None:
    """Two series of one meter that work, are dropped and begin anew, with restarts and missed reads between."""
    node = one("litellm")
    started_s = STARTED_S
    keys = {"a": 10, "b": 20}
    truth = 0
    node.read(litellm(started_s, **keys))
    for kind, tokens in history:
        if kind in {"a", "b"}:
            keys[kind] = keys.get(kind, 0) + tokens
            truth += tokens
        elif kind.startswith("drop_"):
            keys.pop(kind[-1], None)
        elif kind == "restart":
            keys, started_s = {}, (node.at_ms - 5_000) / 1_000
        if kind == "missed":
            node.at_ms += STEP_MS
        else:
            node.read(litellm(started_s, **keys))
    assert node.billed() <= truth
