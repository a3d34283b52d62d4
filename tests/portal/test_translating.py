"""What a template says word for word is what Django says of it, in each language and however often."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.template import Context, Engine, engines
from django.template.backends.django import DjangoTemplates
from django.templatetags import i18n
from django.utils import translation

from portal.translating import WordForWord

OURS = Engine(libraries={"i18n": "portal.translating"})
THEIRS = Engine(libraries={"i18n": "django.templatetags.i18n"})
SAID = (
    '{% translate "Usage" %}',
    "{% trans 'Usage' %}",
    '{% translate "Usage" as word %}<b>{{ word }}</b>',
    '{% translate "Day" context "span of time" %}',
    '{% translate "Day" context kind %}',
    '{% translate "100% of <it> & more" %}',
    '{% translate "nothing knows this" %}',
    "{% translate name %}",
    '{% translate "Usage"|upper %}',
    '{% translate "Usage" noop %}',
    "{% for each in many %}{% translate 'Usage' %}{{ each }}{% endfor %}",
    "{% autoescape off %}{% translate '<b>Usage</b>' as word %}{{ word }}{% endautoescape %}",
)


@pytest.mark.parametrize("source", SAID)
def test_it_says_what_django_says(source: str) -> None:
    ours, theirs = (engine.from_string("{% load i18n %}" + source) for engine in (OURS, THEIRS))
    given = {"name": "Usage", "many": [1, 2], "kind": "span of time"}
    for language in ("en", "zh-hans", "en", "zh-hans"):
        with translation.override(language):
            assert ours.render(Context(given)) == theirs.render(Context(given))
            # A name is looked up each time, and no other page's is said.
            other = {**given, "name": "Fleet", "kind": ""}
            assert ours.render(Context(other)) == theirs.render(Context(other))


def test_words_differ_by_language_and_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[i18n.TranslateNode] = []
    render = i18n.TranslateNode.render

    def noted(node: i18n.TranslateNode, context: Context) -> str:
        asked.append(node)
        return render(node, context)

    monkeypatch.setattr(i18n.TranslateNode, "render", noted)
    page = OURS.from_string("{% load i18n %}{% for each in many %}{% translate 'Usage' %}{% endfor %}")
    with translation.override("en"):
        assert page.render(Context({"many": range(3)})) == "UsageUsageUsage"
    with translation.override("zh-hans"):
        chinese = page.render(Context({"many": range(1)}))
        assert chinese not in ("", "Usage")
    assert len(asked) == 2


def test_what_is_said_stays_safe() -> None:
    source = "{% load i18n %}{% translate '<i>' as word %}{{ word }}"
    ours, theirs = (engine.from_string(source) for engine in (OURS, THEIRS))
    for _ in range(2):
        assert ours.render(Context()) == theirs.render(Context()) == "<i>"


def test_the_site_uses_it() -> None:
    site = engines["django"]
    assert isinstance(site, DjangoTemplates)
    page = site.engine.from_string("{% load i18n %}{% translate 'Usage' %}")
    assert any(isinstance(node, WordForWord) for node in page.nodelist)


def test_nothing_is_wrong_with_two_libraries_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", fail_level="WARNING")
    assert "templates." not in capsys.readouterr().err
