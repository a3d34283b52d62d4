"""Printing the worked cases into `docs/rating.md`, between its two markers.

`python -m tests.cases.render` rewrites the page; a test checks that it would change nothing.
"""

from pathlib import Path

from tests.cases.load import Case, load_cases

PAGE = Path(__file__).parents[2] / "docs" / "rating.md"
BEGIN = "<!-- worked cases: printed by tests/cases/render.py, do not edit -->\n"
END = "<!-- end of worked cases -->\n"


def render_cases(cases: list[Case]) -> str:
    """Return the cases as Markdown: what is given, and what it gives, as in the files that the tests run."""
    return "\n".join(_render(case) for case in cases)


def with_cases(page: str, cases: list[Case]) -> str:
    """Return the page with what stands between its markers replaced."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{render_cases(cases)}\n{END}{after}"


def _render(case: Case) -> str:
    source = f" (known from {case.ref})" if case.ref else ""
    return (
        f"### {case.title}\n\n`{case.name}`{source}\n\n"
        f"```toml\n{case.given_text}\n```\n\ngives\n\n```toml\n{case.gives_text}\n```\n"
    )


if __name__ == "__main__":
    PAGE.write_text(with_cases(PAGE.read_text(encoding="utf-8"), load_cases()), encoding="utf-8")
