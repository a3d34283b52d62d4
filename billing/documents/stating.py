"""The paper of a provider's statement."""

from uuid import UUID

from billing.documents.inputs import Language
from billing.documents.parties import LANGUAGES, party_of
from billing.documents.press import print_paper
from billing.documents.printing import Made, Papers
from billing.documents.statement_paper import compose_statement
from billing.models import DocumentFormat, ProviderStatement
from tenants.profiles import profile_of


def print_statement(statement_id: UUID) -> Papers:
    """Return the PDF of a statement, made of its frozen document. Raises ProviderStatement.DoesNotExist, CannotPrint.

    The provider stands on it, and it is in the language that the provider reads bills in, as its billing profile says
    when it is printed, which is once.
    """
    statement = ProviderStatement.objects.select_related("provider").get(pk=statement_id)
    profile = profile_of(statement.provider)
    provider, language = party_of(profile), LANGUAGES.get(profile.language, Language.EN)
    paper = compose_statement(statement.document, provider=provider, sha256=statement.sha256, language=language)
    printed = print_paper(paper, issued_at=statement.made_at, logo=provider.logo)
    name = f"statement-{statement.number}.pdf"
    return Papers((Made(DocumentFormat.PDF, name, "application/pdf", printed.body, printed.made_with),))
