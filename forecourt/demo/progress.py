"""What a person sees while the demo works: steps with their time, a bar for the metered month, the checks."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

    from forecourt.demo.report import Check


class Bar:
    """A bar that follows the world's clock."""

    def __init__(self, shown: RichProgress, task: TaskID) -> None:
        self._shown = shown
        self._task = task

    def at(self, done: float, world_now: datetime) -> None:
        """Show how far the world has come."""
        self._shown.update(self._task, completed=done, world=f"{world_now:%d %b %H:%M}")


class Progress:
    """Prints to a terminal with a live display, and plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._console.print("[bold]Forecourt demo[/]: a sample world, from GPU counters to paid invoices")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def say(self, text: str) -> None:
        """Print one line of what goes on behind."""
        self._console.print(f"  [dim]{text}[/]")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show that a step is under way, then how long it took."""
        started_s = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(title):
                yield
        else:
            yield
        self._console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - started_s:.1f} s[/]")

    @contextmanager
    def bar(self, title: str, total: float) -> Iterator[Bar]:
        """Show how much of the sample's time has passed."""
        started_s = time.monotonic()
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[world]}"),
            TimeElapsedColumn(),
        )
        with RichProgress(*columns, console=self._console, transient=True) as shown:
            yield Bar(shown, shown.add_task(title, total=total, world=""))
        self._console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - started_s:.1f} s[/]")

    def check(self, check: Check) -> None:
        """Show one check."""
        mark = "[green]✓[/]" if check.ok else "[red bold]✗[/]"
        self._console.print(f"  {mark} {check.name}: {check.detail}")

    def welcome(self, address: str, password: str, api_key: str) -> None:
        """Say where the portal is and who can sign in."""
        self._console.print(f"\n[bold]The portal is at {address}[/]   (Ctrl-C stops it)")
        for email, who in (
            ("provider@sample.example", "the provider: fleet, occupancy"),
            ("chat@sample.example", "a tenant with a token revenue share"),
            ("research@sample.example", "a tenant with GPU leases"),
            ("demo@sample.example", "all of them and the operator, with the switcher"),
        ):
            self._console.print(f"  sign in as [bold]{email}[/] with [bold]{password}[/]: {who}")
        self._console.print(f"  API docs at {address}/api/docs, with the key [bold]{api_key}[/]")
