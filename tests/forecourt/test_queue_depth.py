"""How many hints wait: of a broker that is there, and of one that is not."""

from __future__ import annotations

import socket

from kombu import Connection

from forecourt.queue_depth import QUEUE, queue_depth


def test_a_broker_that_is_not_there_has_no_depth() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert queue_depth(f"redis://127.0.0.1:{port}/0") is None


def test_what_waits_is_counted_without_taking_it() -> None:
    with Connection("memory://") as broker:
        queue = broker.SimpleQueue(QUEUE)
        for _hint in range(3):
            queue.put({"hint": True})
        assert queue_depth("memory://") == 3
        assert queue_depth("memory://") == 3
        queue.clear()
        queue.close()


def test_a_queue_that_is_not_there_is_empty_and_its_broker_reached() -> None:
    assert queue_depth("memory://", "nobody-wrote-here") == 0
