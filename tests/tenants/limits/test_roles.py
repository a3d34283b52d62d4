"""The roles' names, which the embedded database and containers make before there are migrations."""

from __future__ import annotations

from pathlib import Path

from forecourt.embedded.places import DATABASE_ROLE
from forecourt.embedded.places import WEB_ROLE as EMBEDDED_WEB_ROLE
from tenants.limits.roles import READER_ROLE, WEB_ROLE

ROOT = Path(__file__).parents[3]


def test_all_places_name_them_alike() -> None:
    assert EMBEDDED_WEB_ROLE == WEB_ROLE
    assert len({DATABASE_ROLE, WEB_ROLE, READER_ROLE}) == 3
    script = (ROOT / "docker" / "postgres-init.sh").read_text(encoding="utf-8")
    for role in (WEB_ROLE, READER_ROLE):
        assert f"CREATE ROLE {role}" in script
    assert f"GRANT {READER_ROLE} TO {WEB_ROLE}, {DATABASE_ROLE};" in script
    assert f"GRANT {WEB_ROLE} TO {DATABASE_ROLE};" in script
