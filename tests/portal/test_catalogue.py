"""The Chinese catalogue says everything that the look says, and compiles without gettext."""

import gettext
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import portal
from portal.catalogue import (
    catalogue_messages,
    compile_catalogue,
    folder_messages,
    python_messages,
    template_messages,
)

PORTAL = Path(portal.__file__).parent
CATALOGUE = PORTAL / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def test_every_message_of_the_look_is_in_the_chinese_catalogue_and_no_other() -> None:
    assert set(catalogue_messages(CATALOGUE)) == folder_messages(PORTAL)


def test_every_message_of_the_chinese_catalogue_is_translated() -> None:
    assert [key for key, done in catalogue_messages(CATALOGUE).items() if not done] == []


def test_placeholders_survive_translation(tmp_path: Path) -> None:
    copy = tmp_path / "django.po"
    copy.write_bytes(CATALOGUE.read_bytes())
    with compile_catalogue(copy).open("rb") as stream:
        chinese = gettext.GNUTranslations(stream)
    for _context, singular in catalogue_messages(CATALOGUE):
        said = chinese.gettext(singular)
        assert said.count("%(") == singular.count("%("), singular
        assert "%%" not in said, singular


def test_nobody_is_addressed_with_the_formal_you() -> None:
    formal = "\N{CJK UNIFIED IDEOGRAPH-60A8}"
    assert formal not in CATALOGUE.read_text(encoding="utf-8")


def test_a_template_gives_its_messages_with_context_and_plural() -> None:
    source = (
        "{% load i18n %}{% translate 'Plain' %}{% translate \"Open\" context 'lease' %}"
        "{% blocktranslate count n=n %}{{ n }} GPU{% plural %}{{ n }} GPUs{% endblocktranslate %}"
        "{# translate 'not this' #}<p>'quoted' {{ value }}</p>"
    )
    assert template_messages(source) == {("", "Plain"), ("lease", "Open"), ("", "%(n)s GPU")}


def test_a_module_gives_its_messages() -> None:
    source = 'a = _("One")\nb = ngettext("lease", "leases", 2)\nc = pgettext_lazy("key", "API")\nd = other("no")\n'
    assert python_messages(source) == {("", "One"), ("", "lease"), ("key", "API")}


def test_an_untranslated_and_a_fuzzy_message_count_as_not_translated(tmp_path: Path) -> None:
    po_file = tmp_path / "django.po"
    po_file.write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: zh_Hans\\n"\n\n'
        'msgid "Empty"\nmsgstr ""\n\n#, fuzzy\nmsgid "Guessed"\nmsgstr "x"\n\nmsgid "Done"\nmsgstr "y"\n\n'
        'msgid "lease"\nmsgid_plural "leases"\nmsgstr[0] "z"\n',
        encoding="utf-8",
    )
    assert catalogue_messages(po_file) == {
        ("", "Empty"): False,
        ("", "Guessed"): False,
        ("", "Done"): True,
        ("", "lease"): True,
    }


def test_compiling_leaves_no_half_written_file(tmp_path: Path) -> None:
    po_file = tmp_path / "django.po"
    po_file.write_bytes(CATALOGUE.read_bytes())
    with ThreadPoolExecutor(8) as at_once:
        (compiled,) = set(at_once.map(compile_catalogue, [po_file] * 8))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["django.mo", "django.po"]
    with compiled.open("rb") as stream:
        assert gettext.GNUTranslations(stream).gettext("Sign in") != "Sign in"
