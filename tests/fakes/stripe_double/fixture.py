"""Start the double as a process and steer it: for tests, and for the demo.

``shared_double`` is the one process of a test run; a folder's conftest makes fixtures of it, and each test gets it as
new. ``stripe_double`` is one of a test's own: with a journal, at a given port, or beside others::

    @pytest.fixture(scope="session")
    def double_process() -> Iterator[StripeDouble]:
        with shared_double() as double:
            yield double

    @pytest.fixture
    def double(double_process: StripeDouble) -> Iterator[StripeDouble]:
        with double_process.anew() as double:
            yield double

Both hold at their end that every request was one that the installed package's types allow, so that no test takes the
double's refusal of a wrong request for the failure that it looks for.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import stripe

from tests.fakes.stripe_double.server import READY

ROOT = Path(__file__).resolve().parents[3]
Mode = Literal["prompt", "late", "doubled", "shuffled", "held"]
_PLAIN: dict[str, Any] = {"copies": 1, "order": "ordered", "delay_s": 0, "held": False, "seed": 0}
MANNERS: dict[Mode, dict[str, Any]] = {
    "prompt": _PLAIN,
    "late": {**_PLAIN, "delay_s": 1.0},
    "doubled": {**_PLAIN, "copies": 2},
    "shuffled": {**_PLAIN, "order": "shuffled", "delay_s": 0.3},
    "held": {**_PLAIN, "held": True},
}


class PaymentRefused(Exception):
    """The simulated customer's payment did not go through; ``error`` is Stripe's error object."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("message")))
        self.error = error


class StripeDouble:
    """One running double. ``base_url`` is what the product's Stripe address is set to."""

    SECRET_KEY = "sk_test_double"

    def __init__(self, *, state: Path | None = None, port: int = 0) -> None:
        self._state = state
        self._unlawful: list[str] = []
        self._process, self.base_url = _start(state, port)

    def faults(self, *faults: dict[str, Any]) -> None:
        """Queue faults, each the members of ``faults.Fault``."""
        self._control("POST", "faults", list(faults))

    def clear_faults(self) -> None:
        """Forget faults that hit nothing."""
        self._control("DELETE", "faults")

    def state(self) -> dict[str, Any]:
        """Objects by kind, requests seen, deliveries made and waiting."""
        state: dict[str, Any] = self._control("GET", "state")
        return state

    def deliver_to(self, url: str, secret: str, mode: Mode = "prompt", *, seed: int = 0, connect: bool = False) -> None:
        """Send every event from now on to ``url``; an address given before keeps getting them too.

        With ``connect`` the events of connected accounts, else those of the account itself.
        """
        given = {**MANNERS[mode], "seed": seed, "url": url, "secret": secret, "connect": connect}
        self._control("POST", "webhooks", given)

    def manner(self, **members: Any) -> None:
        """Change single members of the manner of delivery (``webhooks.Manner``)."""
        self._control("POST", "webhooks", members)

    def release(self) -> None:
        """Let held deliveries go."""
        self.manner(held=False)

    def wait_delivered(self, *, within_s: float = 20) -> None:
        """Return once no delivery is waiting; AssertionError if that does not come about."""
        deadline = time.monotonic() + within_s
        while self.state()["deliveries_waiting"]:
            assert time.monotonic() < deadline, self.state()["deliveries"][-5:]
            time.sleep(0.02)

    @contextmanager
    def anew(self) -> Iterator["StripeDouble"]:
        """Make it one that has just started, and require at the end that it was asked lawfully."""
        self.reset()
        yield self
        self.require_lawful()

    def take_unlawful(self) -> list[str]:
        """Return each request since the last question that the package's types do not allow, with why."""
        if self._process.poll() is None:
            self._unlawful += self._control("POST", "unlawful", {})
        found, self._unlawful = self._unlawful, []
        return found

    def require_lawful(self) -> None:
        """AssertionError with each request that the package's types do not allow, also those that a fault hit."""
        found = self.take_unlawful()
        assert not found, "\n".join(found)

    def reset(self) -> None:
        """Make it one that has just started; a killed one starts again."""
        if self._process.poll() is not None:
            self.restart()
        self._unlawful = []
        self._control("POST", "reset", {})

    def pay(self, invoice_id: str, payment_method: str = "pm_card_visa") -> dict[str, Any]:
        """A customer pays the hosted invoice page; PaymentRefused when the card is declined."""
        paid: dict[str, Any] = self._control("POST", "pay", {"invoice": invoice_id, "payment_method": payment_method})
        return paid

    def complete_checkout(self, session_id: str, payment_method: str = "pm_card_visa") -> dict[str, Any]:
        """A customer leaves a card on a Checkout page, or pays there; PaymentRefused when the card is declined."""
        return self._do("checkout", session=session_id, payment_method=payment_method)

    def onboard(self, account_id: str) -> dict[str, Any]:
        """The owner of a connected account fills in all that Stripe asks for."""
        return self._do("account", account=account_id, does="onboard")

    def restrict(self, account_id: str) -> dict[str, Any]:
        """Stripe stops transfers to a connected account and its payouts."""
        return self._do("account", account=account_id, does="restrict")

    def pay_out_account(self, account_id: str, currency: str = "eur") -> dict[str, Any]:
        """What a connected account holds goes to its owner's bank, so that nothing can be taken back of it."""
        return self._do("account", account=account_id, does="pay_out", currency=currency)

    def funds(self, **members: int) -> None:
        """Change fees and how long charges are pending (``funds.Funds``)."""
        self._control("POST", "funds", members)

    def top_up(self, amount_minor: int, currency: str = "eur") -> dict[str, Any]:
        """Put money into the account's balance; refunds that waited for it then go."""
        return self._do("balance", currency=currency, top_up=amount_minor)

    def pay_out(self, currency: str = "eur") -> dict[str, Any]:
        """All that is available leaves for the account's bank."""
        return self._do("balance", currency=currency)

    def fail_refund(self, refund_id: str, reason: str = "expired_or_canceled_card") -> dict[str, Any]:
        """The bank sends a refund back, days after it succeeded."""
        return self._do("refund_fails", refund=refund_id, reason=reason)

    def dispute(self, charge_id: str, **given: Any) -> dict[str, Any]:
        """A card holder's bank takes a charge back, or ``amount`` of it, for a ``reason``."""
        return self._do("dispute", charge=charge_id, **given)

    def close_dispute(self, dispute_id: str, outcome: Literal["won", "lost"]) -> dict[str, Any]:
        """The bank decides; what was won comes back."""
        return self._do("dispute_closes", dispute=dispute_id, outcome=outcome)

    def _do(self, deed: str, **given: Any) -> dict[str, Any]:
        done: dict[str, Any] = self._control("POST", deed, given)
        return done

    def kill(self) -> None:
        """``kill -9``, and wait until it is dead."""
        self._unlawful = self.take_unlawful()
        self._process.send_signal(signal.SIGKILL)
        self.stop()

    def restart(self) -> None:
        """Start again at the same address, from the journal if there is one."""
        self._process, self.base_url = _start(self._state, int(self.base_url.rpartition(":")[2]))

    def client(self, *, network_retries: int = 0, timeout_s: float = 20) -> stripe.StripeClient:
        """The package's own client for this double."""
        base = self.base_url
        return stripe.StripeClient(
            self.SECRET_KEY,
            base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
            max_network_retries=network_retries,
            http_client=stripe.RequestsClient(timeout=timeout_s),
        )

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _control(self, method: str, name: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/_double/{name}", None if body is None else json.dumps(body).encode(), method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                raise PaymentRefused(json.load(refused)["error"]) from refused


def _start(state: Path | None, port: int) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "tests.fakes.stripe_double", "--port", str(port)]
    if state is not None:
        command += ["--state", str(state)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(READY), f"the double did not start: {line!r}"
    return process, line.removeprefix(READY).strip()


@contextmanager
def stripe_double(*, state: Path | None = None, port: int = 0) -> Iterator[StripeDouble]:
    """A double on a free port, ended with the block; ``state`` is the journal it keeps and starts from."""
    double = StripeDouble(state=state, port=port)
    try:
        yield double
        double.require_lawful()
    finally:
        double.stop()


_shared: list[StripeDouble] = []


@contextmanager
def shared_double() -> Iterator[StripeDouble]:
    """The double that all who ask for it in this process share; ended with the first block that ends.

    Fixtures of whole sessions end together, so that nobody needs it any more then.
    """
    if not _shared:
        _shared.append(StripeDouble())
    try:
        yield _shared[0]
    finally:
        while _shared:
            _shared.pop().stop()
