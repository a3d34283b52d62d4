"""The product's settings, with what a test run changes: plain static files and a fast password hash."""

from pathlib import Path as _Path

from forecourt.settings import *  # noqa: F403  settings are a namespace
from forecourt.settings import STATIC_ROOT as _STATIC_ROOT
from forecourt.settings import STORAGES as _STORAGES

# The live server finds files by their plain names.
STORAGES = {**_STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# Nothing is collected; WhiteNoise warns of every page where the folder is missing.
_Path(_STATIC_ROOT).mkdir(parents=True, exist_ok=True)
# All tests call from one address; the tests of the limit set one.
API_CALLS_PER_MINUTE = 0
