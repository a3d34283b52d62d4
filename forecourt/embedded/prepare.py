"""What stands between a started database and a served page: texts, fonts, static files, migrations; repeatable."""

import json
import os
import sys
from io import StringIO
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command

from forecourt.loading import short_lived
from portal.fonts import FOLDER, are_cut

# Hashing and compressing these took more of the first start than all that is served.
NOT_SERVED = (
    "rest_framework",  # pages of a browsable API
    "django_htmx/ext/*",
    "htmax-*",
    "htmx-4*",
    # As people read them; pages name their short forms, and while FORECOURT_DEBUG is on nothing collected is served.
    "htmx-2.js",
    "jquery.js",
    "select2.full.js",
    "xregexp.js",
)


def prepare() -> None:
    """Compile the texts, build the fonts, collect the static files and migrate. Raises `CommandError`."""
    django.setup()
    call_command("compile_locales", verbosity=0, stdout=StringIO())
    if not are_cut(FOLDER):
        call_command("build_fonts", stdout=StringIO())
    if not static_files_are_current(Path(settings.STATIC_ROOT)):
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=[*NOT_SERVED])
    call_command("migrate", interactive=False, verbosity=0)


def static_files_are_current(root: Path) -> bool:
    """Whether every static file was collected to `root` since it last changed.

    Compressing them anew takes seconds, which a second start need not spend.
    """
    manifest = root / "staticfiles.json"
    try:
        collected = json.loads(manifest.read_text(encoding="utf-8"))["paths"]
        collected_at_s = manifest.stat().st_mtime
    except (OSError, ValueError, KeyError):
        return False
    found = [(path, storage.path(path)) for finder in get_finders() for path, storage in finder.list([*NOT_SERVED])]
    return all(path in collected and Path(file).stat().st_mtime < collected_at_s for path, file in found)


def main() -> int:
    """`prepare` as a process of the supervisor."""
    short_lived()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "forecourt.settings")
    try:
        prepare()
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
