"""How figures are written in the language that is active in this thread: that of a page, or of a letter."""

from django.utils.translation import get_language

from portal.figures import locale_for


def active_locale() -> str:
    """The locale that `portal.figures` writes in; English where no language is active."""
    return locale_for(get_language() or "en")
