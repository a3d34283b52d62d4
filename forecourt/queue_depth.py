"""How many hints wait at the broker; a queue that only grows has no worker."""

from __future__ import annotations

from typing import Any, Final

from kombu import Connection
from kombu.exceptions import OperationalError

TIMEOUT_S: Final = 2
QUEUE: Final = "forecourt"


def queue_depth(broker_url: str) -> int | None:
    """Return how many messages wait; None where the broker cannot be reached or has no such queue."""
    broker = Connection(broker_url, connect_timeout=TIMEOUT_S)
    unreachable: tuple[type[BaseException], ...] = (OperationalError, OSError, *broker.channel_errors)
    try:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=TIMEOUT_S)
        channel: Any = broker.default_channel
        return int(channel.queue_declare(QUEUE, passive=True).message_count)
    except unreachable:
        return None
    finally:
        broker.release()
