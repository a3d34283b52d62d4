"""Simulated inference servers: their `/metrics` pages follow the workload request by request.

Each counts as its original does (names, labels and formats from the engines' sources): vLLM counts a prompt when it
was read and output as it is made; SGLang counts both when the request ends; llama.cpp leaves cached tokens out of its
prompt counter and prints six significant digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecourt.demo.workload import Request


@dataclass
class Engine:
    """One simulated server: `page(now_ms)` is what it serves at an instant of the world, which only rises."""

    kind: str
    model: str
    requests: Sequence[Request]
    started_ms: int
    _next: int = 0
    _running: list[Request] = field(default_factory=list)
    _done: dict[str, int] = field(default_factory=lambda: {"input": 0, "cached_input": 0, "output": 0, "requests": 0})

    def add(self, request: Request) -> None:
        """Take a request that came after the planned ones."""
        self.requests = [*self.requests, request]

    def counts(self, now_ms: int) -> dict[str, int]:
        """Return the registers at an instant: input, cached_input, output tokens and requests done."""
        while self._next < len(self.requests) and self.requests[self._next].at_ms <= now_ms:
            self._running.append(self.requests[self._next])
            self._next += 1
        still = []
        for one in self._running:
            if one.done_ms <= now_ms:
                self._done["input"] += one.input
                self._done["cached_input"] += one.cached_input
                self._done["output"] += one.output
                self._done["requests"] += 1
            else:
                still.append(one)
        self._running = still
        if self.kind != "vllm":
            return dict(self._done)
        counts = dict(self._done)
        for one in self._running:
            if one.prefilled_ms <= now_ms:
                counts["input"] += one.input
                counts["cached_input"] += one.cached_input
                counts["output"] += one.output * (now_ms - one.prefilled_ms) // (one.done_ms - one.prefilled_ms)
        return counts

    def page(self, now_ms: int) -> str:
        """Return the metrics page at an instant."""
        counts = self.counts(now_ms)
        return {"vllm": self._vllm, "sglang": self._sglang, "llamacpp": self._llamacpp}[self.kind](counts)

    def _vllm(self, counts: dict[str, int]) -> str:
        label = f'{{engine="0",model_name="{self.model}"}}'
        start = self.started_ms / 1000
        created = f"{start!r}"
        lines = [
            "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {created}",
        ]
        for name, meaning, value in (
            ("prompt_tokens", "Number of prefill tokens processed.", counts["input"]),
            ("prompt_tokens_cached", "Number of cached prompt tokens.", counts["cached_input"]),
            ("generation_tokens", "Number of generation tokens processed.", counts["output"]),
        ):
            lines += [
                f"# HELP vllm:{name}_total {meaning}",
                f"# TYPE vllm:{name}_total counter",
                f"vllm:{name}_total{label} {float(value)!r}",
                f"# HELP vllm:{name}_created {meaning}",
                f"# TYPE vllm:{name}_created gauge",
                f"vllm:{name}_created{label} {created}",
            ]
        lines += [
            "# HELP vllm:request_success_total Count of successfully processed requests.",
            "# TYPE vllm:request_success_total counter",
        ]
        for reason in ("stop", "length", "abort", "error", "repetition"):
            done = float(counts["requests"] if reason == "stop" else 0)
            labels = f'engine="0",finished_reason="{reason}",model_name="{self.model}"'
            lines.append(f"vllm:request_success_total{{{labels}}} {done!r}")
        return "\n".join(lines) + "\n"

    def _sglang(self, counts: dict[str, int]) -> str:
        label = f'engine_type="unified",model_name="{self.model}"'
        lines = []
        for name, meaning, value, extra in (
            ("prompt_tokens", "Number of prefill tokens processed.", counts["input"], ',is_streaming="true"'),
            ("generation_tokens", "Number of generation tokens processed.", counts["output"], ',is_streaming="true"'),
            (
                "cached_tokens",
                "Number of cached prompt tokens.",
                counts["cached_input"],
                ',cache_source="total",is_streaming="true"',
            ),
            ("num_requests", "Number of requests processed.", counts["requests"], ',is_streaming="true"'),
        ):
            lines += [
                f"# HELP sglang:{name}_total {meaning}",
                f"# TYPE sglang:{name}_total counter",
                f"sglang:{name}_total{{{label}{extra}}} {float(value)!r}",
            ]
        return "\n".join(lines) + "\n"

    def _llamacpp(self, counts: dict[str, int]) -> str:
        lines = []
        for name, meaning, value in (
            ("prompt_tokens_total", "Number of prompt tokens processed.", counts["input"] - counts["cached_input"]),
            ("prompt_tokens_cached_total", "Number of prompt tokens reused from cache.", counts["cached_input"]),
            ("tokens_predicted_total", "Number of generation tokens processed.", counts["output"]),
        ):
            lines += [
                f"# HELP llamacpp:{name} {meaning}",
                f"# TYPE llamacpp:{name} counter",
                f"llamacpp:{name} {value:.6g}",
            ]
        return "\n".join(lines) + "\n"
