"""When the main pages are painted on a slow telephone: Chromium with its processor and network held back.

    python bench/paint.py [--rounds 3] [--months 3]

"Slow 4G" as Lighthouse has it (1.6 Mbit/s down, 750 kbit/s up, 150 ms there and back) and a processor a fourth as fast,
in a window of 412 by 823. A visit is the first one: nothing is in the cache. `lcp_ms` is the largest contentful paint
after the address was asked for, half of the rounds at most; `server_ms` how long the first byte took of that.
CHROMIUM names the browser.
"""

import argparse
import os
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, report
from bench._year import Size, make_year
from tests.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TARGET_MS = 1_500
KIB = 1024
NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600 * KIB / 8,
    "uploadThroughput": 750 * KIB / 8,
}
SLOWER = 4
WINDOW = {"width": 412, "height": 823}
PAGES = {
    "alice": ("/t/usage/", "/t/invoices/", "/t/invoices/{invoice}/", "/t/budgets/", "/t/leases/", "/t/statement/"),
    "petra": ("/p/", "/p/fleet/", "/p/occupancy/", "/p/margin/", "/p/prices/", "/p/drafts/", "/p/tenants/"),
}
WATCH = """
    window.painted = 0;
    new PerformanceObserver(list => { for (const one of list.getEntries()) window.painted = one.startTime; })
        .observe({type: "largest-contentful-paint", buffered: true});
"""
PAINTED = "() => [window.painted, performance.getEntriesByType('navigation')[0].responseStart]"


def main() -> int:
    """Fill, visit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--months", type=int, default=3)
    arguments = parser.parse_args()
    with installation(web_processes=2, static=True) as place:
        from playwright.sync_api import sync_playwright

        from tests.factories import make_cast

        cast = make_cast()
        superuser = place.database_url.replace("://forecourt@", "://postgres@", 1)
        now = datetime.now(UTC)  # noqa: TID251  a benchmark is an entry point
        invoice, _copied = make_year(cast, Size(160, 12, arguments.months, 2), now, superuser)
        cookies = {"alice": _cookie(cast.alice), "petra": _cookie(cast.petra)}
        found: dict[str, Any] = {}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            for person, paths in PAGES.items():
                for path in paths:
                    address = f"http://127.0.0.1:{place.port}{path.format(invoice=invoice.number)}"
                    seen = [_visit(browser, address, cookies[person]) for _ in range(arguments.rounds)]
                    half = [round(statistics.median(one)) for one in zip(*seen, strict=True)]
                    found[path] = {"lcp_ms": half[0], "server_ms": half[1]}
            browser.close()
        above = [path for path, one in found.items() if one["lcp_ms"] > TARGET_MS]
        report({"load": os.getloadavg(), "pages": found, "above": above})
    return 0


def _cookie(person: Any) -> str:
    from django.test import Client

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(person)
    return client.cookies["sessionid"].value


def _visit(browser: "Browser", address: str, session: str) -> tuple[float, float]:
    """Return when the largest content was painted, and when the first byte came, in milliseconds."""
    context = browser.new_context(viewport=WINDOW, reduced_motion="reduce")  # type: ignore[arg-type]
    context.add_cookies([{"name": "sessionid", "value": session, "url": address}])
    page = context.new_page()
    page.add_init_script(WATCH)
    control = context.new_cdp_session(page)
    control.send("Network.enable")
    control.send("Network.emulateNetworkConditions", NETWORK)
    control.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    answer = page.goto(address, wait_until="networkidle")
    if answer is None or answer.status != 200:
        raise RuntimeError(f"{address}: {answer and answer.status}")
    page.wait_for_timeout(300)
    painted_ms, first_ms = page.evaluate(PAINTED)
    context.close()
    return float(painted_ms), float(first_ms)


if __name__ == "__main__":
    sys.exit(main())
