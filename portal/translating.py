"""`{% translate %}` that asks the catalogue once a language for what a template says word for word.

Django asks it for each place each time, by way of an object that stands for the translation: ten microseconds. A table
of a thousand rows that names its cells has thousands of them. Stands for Django's own library `i18n` in every template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django import template
from django.templatetags import i18n
from django.utils.translation import get_language

if TYPE_CHECKING:
    from django.template.base import FilterExpression, Parser, Token
    from django.template.context import Context
    from django.utils.safestring import SafeString

TAGS: Final = ("translate", "trans")

register = template.Library()
register.tags.update(i18n.register.tags)
register.filters.update(i18n.register.filters)


class WordForWord(i18n.TranslateNode):
    """A message that stands in the template, with what it is in each language that was asked for."""

    def __init__(self, like: i18n.TranslateNode) -> None:
        super().__init__(like.filter_expression, like.noop, like.asvar, like.message_context)
        self._said: dict[tuple[str | None, bool], str | SafeString] = {}

    def render(self, context: Context) -> str:
        """Say it in the language in force; to `asvar` where it has one."""
        key = (get_language(), context.autoescape)
        said = self._said.get(key)
        if said is None:
            told = super().render(context)
            said = self._said[key] = context[self.asvar] if self.asvar else told
        if self.asvar:
            context[self.asvar] = said
            return ""
        return said


@register.tag("translate")
@register.tag("trans")
def translate(parser: Parser, token: Token) -> i18n.TranslateNode:
    """Read Django's tag, of whatever it is; what is word for word is remembered."""
    node = i18n.do_translate(parser, token)
    is_literal = _is_literal(node.filter_expression) and _is_literal(node.message_context)
    return WordForWord(node) if is_literal and not node.noop else node


def _is_literal(said: FilterExpression | None) -> bool:
    """Whether nothing of it is looked up or changed as a page is made."""
    if said is None:
        return True
    return not said.filters and getattr(said.var, "literal", said.var) is not None
