"""Writes the Python client in `docs/client` from the OpenAPI document: one line for each operation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from forecourt.api_document import document

METHODS: Final = ("get", "post", "put", "patch", "delete")
BEGIN: Final = "# Written by `python manage.py write_client` from the OpenAPI document; change nothing below."
TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "client" / "forecourt_client.py"


def operations() -> dict[str, tuple[str, str]]:
    """Return method and path of every operation that a key can call, by its id."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS and operation.get("security")
    }


def client_text(before: str) -> str:
    """Return the client with the operations there are; what stands before the mark is kept."""
    head, mark, _rest = before.partition(BEGIN)
    assert mark, f"{TARGET.name} has no line {BEGIN!r}"
    lines = [
        f"    {json.dumps(name)}: {json.dumps(f'{method} {path}')},\n"
        for name, (method, path) in sorted(operations().items())
    ]
    return f"{head}{mark}\nOPERATIONS = {{\n{''.join(lines)}}}\n"
