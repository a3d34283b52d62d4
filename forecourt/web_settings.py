"""The settings of the web's processes: in the database they own nothing, and they read for somebody only."""

import dj_database_url

from forecourt.settings import *  # noqa: F403  settings are a namespace
from forecourt.settings import ENVIRONMENT as _ENVIRONMENT

DATABASES = {
    "default": dj_database_url.parse(
        _ENVIRONMENT.database_web_url, engine="tenants.limits", conn_max_age=60, conn_health_checks=True
    )
}
READS_FOR_SOMEBODY = True
