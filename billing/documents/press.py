"""Setting a paper in type: the one module that knows Typst.

The PDF is a PDF/A-3b (ISO 19005-3) and a function of its arguments, of the installed Typst and of the fonts: the
same bytes however often it is made. No address is opened and no file is read but the template and the fonts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import font_hanken_grotesk
import msgspec
import typst

from billing.documents.paper import Paper

TEMPLATE = (Path(__file__).parent / "typst" / "paper.typ").read_bytes()
FACE = "Hanken Grotesk"
CHINESE_FACES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
)
"""Faces with Chinese letters, the best first; none of them comes with a Python package of a bearable size."""
PDF_STANDARDS = ["a-3b"]
LOGO_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
CANNOT_SHOW = "could not be displayed with"


class CannotPrint(Exception):
    """The paper cannot be set: a letter that no installed font has, or a logo that is no picture."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that the PDF carries: its name, bytes, media type, and how it stands to the paper (ISO 32000-2)."""

    name: str
    body: bytes
    media_type: str
    relationship: str = "alternative"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF, and what made it."""

    body: bytes
    made_with: str
    attachments: tuple[str, ...] = field(default=())


@cache
def fonts() -> typst.Fonts:
    """Return the fonts of this installation: our own face, those of Typst, and those of the system."""
    own = Path(font_hanken_grotesk.__file__).parent / "files"
    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=True, font_paths=[str(own)])


@cache
def chinese_face() -> str:
    """Return the installed face that has Chinese letters, or an empty text."""
    installed = set(fonts().families())
    return next((face for face in CHINESE_FACES if face in installed), "")


def made_with() -> str:
    """Return which program sets the type, with its version."""
    return f"typst {version('typst')}"


def print_paper(
    paper: Paper, *, issued_at: datetime, logo: bytes = b"", attachments: tuple[Attachment, ...] = ()
) -> Printed:
    """Return the PDF of a paper, dated `issued_at`; raise `CannotPrint`."""
    files = {"main.typ": TEMPLATE + _attached(attachments), **{one.name: one.body for one in attachments}}
    inputs = _inputs(paper, issued_at, logo)
    try:
        body = _compile(files, inputs, format="pdf", pdf_standards=PDF_STANDARDS)
    except typst.TypstError as error:
        raise CannotPrint(_reason(str(error))) from error
    assert isinstance(body, bytes)
    return Printed(body, made_with(), tuple(one.name for one in attachments))


def _compile(files: Mapping[str, bytes], inputs: Mapping[str, str], **options: Any) -> Any:
    compile_: Callable[..., Any] = typst.compile  # its stub knows no project of several files in memory
    return compile_(files, font_paths=fonts(), sys_inputs=inputs, **options)


def _inputs(paper: Paper, issued_at: datetime, logo: bytes) -> dict[str, str]:
    """The logo goes as a list of its bytes: files that are given in memory must be text."""
    if logo and not logo.startswith(LOGO_STARTS):
        raise CannotPrint("The logo is neither a PNG nor a JPEG file.")
    faces = [face for face in (FACE, chinese_face()) if face]
    return {
        "logo": msgspec.json.encode(list(logo)).decode(),
        "paper": msgspec.json.encode(paper).decode(),
        "fonts": msgspec.json.encode(faces).decode(),
        "issued": issued_at.astimezone(UTC).strftime("%Y-%m-%d-%H-%M-%S"),
    }


def _attached(attachments: tuple[Attachment, ...]) -> bytes:
    """Their names, types and descriptions are our own constants: nothing of a customer's is in the markup."""
    calls = (
        f'#pdf.attach("{one.name}", relationship: "{one.relationship}", mime-type: "{one.media_type}", '
        f'description: "{one.description}")\n'
        for one in attachments
    )
    return "".join(calls).encode()


def _reason(error: str) -> str:
    if CANNOT_SHOW in error:
        return f"No installed font has a letter of it: {error}. Install one that has (see docs/documents.md)."
    return f"Typst cannot set it: {error}"


def as_pictures(paper: Paper, *, issued_at: datetime, dots_per_inch: int, logo: bytes = b"") -> list[bytes]:
    """Return each page as PNG, to look at."""
    pages = _compile({"main.typ": TEMPLATE}, _inputs(paper, issued_at, logo), format="png", ppi=float(dots_per_inch))
    return pages if isinstance(pages, list) else [pages]
