"""The product's settings, with what a test run changes: plain static files and a fast password hash."""

from forecourt.settings import *  # noqa: F403  settings are a namespace
from forecourt.settings import STORAGES as _STORAGES

# The live server finds files by their plain names.
STORAGES = {**_STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
