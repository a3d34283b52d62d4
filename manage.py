#!/usr/bin/env python3
"""Django's command line for this project."""

import os
import sys

from forecourt.env import WrongSetting
from forecourt.loading import short_lived


def main() -> None:
    """Run a management command with the project's settings; a wrong setting is one line, not a traceback."""
    short_lived()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "forecourt.settings")
    from django.core.management import execute_from_command_line  # settings must be named first

    try:
        execute_from_command_line(sys.argv)
    except WrongSetting as wrong:
        sys.exit(f"manage.py: {wrong}")


if __name__ == "__main__":
    main()
