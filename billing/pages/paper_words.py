"""What papers say by words of ours, said to the reader of a page in the page's language.

A line, a posting and a heading are stored once, in English or in the language of their paper, and never change; what
in them is ours is said in each reader's language, and the rest as it is stored.
"""

from django.utils.translation import get_language

from billing.documents.account_words import line_words as memo_words
from billing.documents.inputs import Language
from billing.documents.parties import LANGUAGES
from billing.documents.rule_words import line_name, rule_name, title_words
from billing.documents.script import in_script
from billing.documents.words import TAX_REASONS, heading_words
from billing.models import InvoiceLine
from billing.queries.invoice_detail import LineRow


def reader_language() -> Language:
    """Return the language of papers that the reader of the page reads."""
    return LANGUAGES.get((get_language() or "en").lower(), Language.EN)


def line_said(line: LineRow | InvoiceLine) -> str:
    """Return what an invoice's line is called."""
    return line_name(line.description, rule=line.rule, share_percent=line.share_percent, language=reader_language())


def title_said(title: str) -> str:
    """Return what a term is called: that of a late fee in the reader's language, else as it was given."""
    return title_words(title, reader_language())


def rule_said(rule: str, share: str) -> str:
    """Return what a rule's line is called without its term; `share` is its percentage in words, or empty."""
    return rule_name(rule, share, reader_language()).strip()


def tax_reason_said(stored: str) -> str:
    """Return why no tax is charged: our own reasons in the reader's language, a provider's as it wrote it."""
    language = reader_language()
    own = TAX_REASONS[language].get(stored)
    return stored if own is None else in_script(own, language)


def heading_said(stored: str) -> str:
    """Return what lines stand under."""
    return heading_words(stored, reader_language())


def memo_said(memo: str) -> str:
    """Return what was booked."""
    return memo_words(memo, reader_language())
