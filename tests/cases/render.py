"""Printing the worked cases into their pages and those on metering, economics and the ledger, between two markers.

`python -m tests.cases.render` rewrites the pages; a test checks that it would change nothing.
"""

from pathlib import Path

from tests.cases.load import Case, load_cases

DOCS = Path(__file__).parents[2] / "docs"
METERING, ECONOMICS, LEDGER = (DOCS / f"{name}.md" for name in ("metering", "economics", "ledger"))
LEASES, PRICES, SHARES = RATING = tuple(DOCS / f"rating-{name}.md" for name in ("leases", "prices", "shares"))
PAGES = (METERING, *RATING, ECONOMICS, LEDGER)
OF_TIME = {"overlap", "jobs", "lease", "flat_lease", "time_term", "two_periods", "refused_wording"}
OF_SHARES = {"share", "token_share", "refused_shares"}
"""Kinds of cases; of what is rated every other is of prices."""
OF_ECONOMICS = "t_economics_"
METERED = {*range(1, 19), 22, 33}
"""Numbers of the cases whose subject is what was used; of the others it is what that costs."""
BOOKED = {21, 24, 27, 28, 29, 30}
"""Numbers of the cases whose subject is what is booked: nothing lost, doubled, or wrong by a cent."""
BEGIN = "<!-- worked cases: printed by tests/cases/render.py, do not edit -->\n"
END = "<!-- end of worked cases -->\n"


def cases_of(page: Path, cases: list[Case]) -> list[Case]:
    """Return the cases that a page prints: the number is in a case's name (`g06_restart`), `t_…` are of terms."""
    return [case for case in cases if _page_of(case) == page]


def render_cases(cases: list[Case]) -> str:
    """Return the cases as Markdown: what is given, and what it gives, as in the files that the tests run."""
    return "\n".join(_render(case) for case in cases)


def with_cases(page: str, cases: list[Case]) -> str:
    """Return the page with what stands between its markers replaced."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{render_cases(cases)}\n{END}{after}"


def _page_of(case: Case) -> Path:
    if case.name.startswith(OF_ECONOMICS):
        return ECONOMICS
    number = 0 if case.name.startswith("t_") else int(case.name[1:3])
    if number in BOOKED:
        return LEDGER
    return METERING if number in METERED else _page_of_rating(case.kind)


def _page_of_rating(kind: str) -> Path:
    if kind in OF_TIME:
        return LEASES
    return SHARES if kind in OF_SHARES else PRICES


def _render(case: Case) -> str:
    source = f" (known from {case.ref})" if case.ref else ""
    return (
        f"### {case.title}\n\n`{case.name}`{source}\n\n"
        f"```toml\n{case.given_text}\n```\n\ngives\n\n```toml\n{case.gives_text}\n```\n"
    )


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(with_cases(path.read_text(encoding="utf-8"), cases_of(path, load_cases())), encoding="utf-8")
