"""How many hints wait at the broker; a queue that only grows has no worker."""

from __future__ import annotations

from typing import Any, Final

from kombu import Connection
from kombu.exceptions import OperationalError

TIMEOUT_S: Final = 2
QUEUE: Final = "forecourt"


def queue_depth(broker_url: str, queue: str = QUEUE) -> int | None:
    """Return how many messages wait; None where the broker cannot be reached.

    A broker keeps no queue that is empty, as Valkey does not: one that it does not have holds nothing.
    """
    broker = Connection(broker_url, connect_timeout=TIMEOUT_S)
    absent: tuple[type[BaseException], ...] = tuple(broker.channel_errors)
    try:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=TIMEOUT_S)
        channel: Any = broker.default_channel
        return int(channel.queue_declare(queue, passive=True).message_count)
    except absent:
        return 0
    except (OperationalError, OSError):
        return None
    finally:
        broker.release()
