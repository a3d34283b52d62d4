from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from billing.documents.inputs import Language
from billing.documents.making import due_documents, make_documents
from billing.documents.parties import party_of
from billing.documents.press import CannotPrint, chinese_face, print_paper
from billing.documents.statement_paper import compose_statement
from billing.documents.stating import print_statement
from tenants.models import Role
from tenants.profiles import fields_of, keep_profile, profile_of
from tests.billing.statements.stated import STATED_AT, make_month, stated_march
from tests.factories import make_organization, make_user
from tests.filled import api_key

pytestmark = pytest.mark.django_db


def test_a_statements_paper_is_begun_with_it_made_once_and_its_providers_alone() -> None:
    statement = stated_march(make_month())
    assert statement.pk in due_documents(now=STATED_AT, limit=10)
    assert make_documents(subject_id=statement.pk, public_url="https://bills.example", now=STATED_AT)
    [made] = print_statement(statement.pk).files
    assert made.name == f"statement-{statement.number}.pdf"
    path = reverse("api-statement-pdf", args=[statement.pk])

    def ask(organization: object) -> object:
        headers = {"Authorization": f"Bearer {api_key(organization)}"}  # type: ignore[arg-type]  # of a test
        return Client(headers=headers).get(path)

    assert ask(statement.provider).content == made.body  # type: ignore[attr-defined]  # an answer
    page = Client()
    page.force_login(make_user("pia@example.com", statement.provider, Role.OWNER))
    file = reverse("provider-statement-pdf", args=[statement.number])
    assert f'href="{file}"' in page.get(reverse("provider-statement", args=[statement.number])).content.decode()
    assert page.get(file).content == made.body
    assert ask(make_organization("elsewhere")).status_code == 404  # type: ignore[attr-defined]  # an answer


def test_it_is_in_the_language_that_its_provider_reads_bills_in() -> None:
    statement = stated_march(make_month())
    [english] = print_statement(statement.pk).files
    given = replace(fields_of(profile_of(statement.provider)), language="zh-hans")
    profile, _ = keep_profile(organization=statement.provider, given=given, by="petra", now=STATED_AT)
    if not chinese_face():
        with pytest.raises(CannotPrint, match='the text `"结"` could not be displayed'):
            print_statement(statement.pk)
        return
    [chinese] = print_statement(statement.pk).files
    said = {"provider": party_of(profile), "sha256": statement.sha256, "language": Language.ZH}
    paper = compose_statement(statement.document, **said)  # type: ignore[arg-type]  # one of each kind
    assert chinese.body == print_paper(paper, issued_at=statement.made_at).body != english.body
    assert chinese.name == english.name
