"""Which pages show tables and offer no file of them, and why: every list has its CSV, every chart its table."""

from __future__ import annotations

import re
from typing import Final

WITHOUT_FILE: Final = {
    "account": "a person's own",
    "operator-book-posting": "the sides of one posting; its account and the journal are files",
    "operator-pipeline": "what waits now; what stopped is a file, where anything did",
    "provider-bank-accounts": "accounts to be paid to, few by nature",
    "provider-bank-import": "what became of one file, which the provider has",
    "provider-book-posting": "as the operator's",
    "provider-cluster": "nodes of one cluster, in the fleet's file",
    "provider-contract": "one contract",
    "provider-costs": "one row for each cluster",
    "provider-deployment": "one deployment",
    "provider-draft": "lines of a bill that is not issued; the invoice's are a file",
    "provider-hour": "meters of one hour",
    "provider-invoice-correct": "a form",
    "provider-lease": "one lease",
    "provider-margin-model": "one model, in the margin's file",
    "provider-overview": "figures of other pages, which have files",
    "provider-price-announce": "whom a draft would tell",
    "provider-price-draft": "a form",
    "provider-price-index": "public prices are a file once there are any",
    "provider-price-version": "one version, in the file of prices",
    "provider-settings": "a form",
    "provider-simulate": "a question of this moment",
    "tenant-contract": "one contract",
    "tenant-draft": "as the provider's",
    "tenant-price-change": "one change, in the file of prices",
    "tenant-settings": "a form",
}
"""Pages by the name of their address."""
_SHOWN_AS_TABLE: Final = re.compile(r'<details class="tbl".*?</details>', re.DOTALL)
_DRAWN: Final = ("<figure", 'class="col ', 'class="plot')


def lacks_file(page: str) -> bool:
    """Whether a page has a table, other than that of a chart, and no way to save it."""
    main = _main(page)
    return '<table class="t' in _SHOWN_AS_TABLE.sub("", main) and ".csv" not in main


def lacks_table(page: str) -> bool:
    """Whether a page draws something that it does not also say in a table."""
    main = _main(page)
    return any(mark in main for mark in _DRAWN) and "<table" not in main


def _main(page: str) -> str:
    return page[page.index("<main") :] if "<main" in page else page
