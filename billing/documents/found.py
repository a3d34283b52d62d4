"""The papers of invoices as their parties find them: whether they are there, and the files."""

from dataclasses import dataclass
from uuid import UUID

from billing.models import DocumentFile, DocumentFormat, DocumentState, DocumentStep
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, exactly as it was made."""

    name: str
    media_type: str
    body: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class FoundDocuments:
    """How far the papers of one subject are: `files` gives name, bytes' hash and size by format."""

    state: DocumentState
    error: str
    einvoice_lacks: tuple[str, ...]
    files: tuple[tuple[DocumentFormat, str, str], ...]

    def has(self, wanted: DocumentFormat) -> bool:
        """Whether there is a file of that format."""
        return any(found == wanted for found, _name, _sha256 in self.files)


def find_documents(organization: Organization, subject_id: UUID) -> FoundDocuments | None:
    """Return how far the papers are of what the organization issued or was sent, or None."""
    step = DocumentStep.objects.for_org(organization).filter(pk=subject_id).first()
    if step is None:
        return None
    files = DocumentFile.objects.filter(step=step).order_by("format").values_list("format", "name", "sha256")
    return FoundDocuments(
        DocumentState(step.state),
        step.last_error,
        tuple(step.einvoice_lacks),
        tuple((DocumentFormat(found), name, sha256) for found, name, sha256 in files),
    )


def has_pdf(subject_id: UUID) -> bool:
    """Whether the PDF of something is made; whose it is was asked before."""
    return DocumentFile.objects.filter(step_id=subject_id, format=DocumentFormat.PDF).exists()


def find_file(organization: Organization, subject_id: UUID, wanted: DocumentFormat) -> FoundFile | None:
    """Return a file of what the organization issued or was sent, or None."""
    steps = DocumentStep.objects.for_org(organization)
    file = DocumentFile.objects.filter(step__in=steps, step_id=subject_id, format=wanted).first()
    return FoundFile(file.name, file.media_type, bytes(file.body), file.sha256) if file else None
