"""The commands that prepare the look on a fresh machine."""

import io
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

import portal
from portal.fonts import FOLDER
from portal.management.commands.compile_locales import own_catalogues

CATALOGUE = Path(portal.__file__).parent / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def test_build_fonts_writes_the_static_files() -> None:
    output = io.StringIO()
    call_command("build_fonts", stdout=output)
    assert output.getvalue().count("KB") == 6
    assert (FOLDER / "sans-400.woff2").exists()


def test_compile_locales_writes_the_look_and_leaves_what_packages_brought() -> None:
    output = io.StringIO()
    call_command("compile_locales", stdout=output)
    assert "zh_Hans" in output.getvalue()
    assert CATALOGUE.with_suffix(".mo").stat().st_mtime >= CATALOGUE.stat().st_mtime
    assert CATALOGUE in list(own_catalogues())
    assert not any("site-packages" in file.parts for file in own_catalogues())


def test_a_package_without_compiled_words_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "elsewhere"
    folder = package / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_bytes(CATALOGUE.read_bytes())
    monkeypatch.setattr(apps.get_app_config("portal"), "path", str(package))
    assert folder / "django.po" in list(own_catalogues())
    (folder / "django.mo").write_bytes(b"")
    assert folder / "django.po" not in list(own_catalogues())
