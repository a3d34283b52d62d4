"""Django's settings. Everything that comes from outside is read and checked by `forecourt.env`."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dj_database_url
from csp.constants import NONE, SELF

from forecourt.env import LOOPBACK_HOSTS, read_environment

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = read_environment(os.environ)

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
PUBLIC_URL = ENVIRONMENT.public_url
OPERATOR_SLUG = ENVIRONMENT.operator_slug
ARCHIVE_DIR = ENVIRONMENT.archive_dir
METRICS_TOKEN = ENVIRONMENT.metrics_token
# Private networks that webhooks may be sent to; everywhere else only public addresses are called.
WEBHOOK_NETWORKS = ENVIRONMENT.webhook_networks
# Calls of the API that one key may make in a minute; 0 is no limit.
API_CALLS_PER_MINUTE = ENVIRONMENT.api_calls_per_minute
# A server of letters on loopback (a relay on this very machine) is talked to in the clear, any other one by TLS.
MAIL = urlsplit(ENVIRONMENT.mail_url)
MAIL_READY = bool(ENVIRONMENT.mail_url)
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = MAIL.hostname or "localhost"
EMAIL_USE_SSL = MAIL.scheme == "smtps"
EMAIL_USE_TLS = MAIL.scheme == "smtp" and EMAIL_HOST not in LOOPBACK_HOSTS
EMAIL_PORT = MAIL.port or (465 if EMAIL_USE_SSL else 587)
EMAIL_HOST_USER = unquote(MAIL.username or "")
EMAIL_HOST_PASSWORD = unquote(MAIL.password or "")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail_from
STRIPE_SECRET_KEY = ENVIRONMENT.stripe_secret_key
STRIPE_WEBHOOK_SECRET = ENVIRONMENT.stripe_webhook_secret
STRIPE_API_BASE = ENVIRONMENT.stripe_api_base

INSTALLED_APPS = [
    "portal",  # before the admin, whose templates it re-skins
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "tenants",
    "clusters",
    "metering",
    "billing",
    # After our rooms: their templates are ours, and so are the words that both have;
    # before the last, which takes their tables out of the back office.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "forecourt",
]

MIDDLEWARE = [
    "forecourt.frames.RoomForFrames",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Outside of all that asks the database: the page that says it is away has them too.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    # Outside of whatever reads an answer, such as for its ETag.
    "forecourt.compressing.Compression",
    "tenants.conditional.ConditionalReads",
    "tenants.rate_limits.RateLimits",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.limiting.LimitedRows",
    "allauth.account.middleware.AccountMiddleware",
    "tenants.accounts.seen.LastSeen",
    "tenants.accounts.private_pages.PrivatePages",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.accounts.staff.StaffDoor",
    "forecourt.errors.SignInLimit",
    "forecourt.errors.NoPage",
]

ROOT_URLCONF = "forecourt.urls"
WSGI_APPLICATION = "forecourt.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "forecourt.shell.shell",
            ],
            "libraries": {"i18n": "portal.translating"},
        },
    }
]

# That "i18n" names our library in place of Django's is meant.
SILENCED_SYSTEM_CHECKS = ["templates.W003"]

# What jobs and commands sign in with, as the owner of the tables; the web's processes are told for whom they read.
DATABASES = {
    "default": dj_database_url.parse(
        ENVIRONMENT.database_url, engine="tenants.limits", conn_max_age=60, conn_health_checks=True
    )
}
# The web's processes read nothing that nobody asked for: see forecourt.web_settings.
READS_FOR_SOMEBODY = False
# A pooler that shares sessions may not know a statement that was prepared in another one.
PREPARED_STATEMENTS = ENVIRONMENT.prepared_statements
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["tenants.password_backend.LimitedPasswords"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"

# People come by invitation and sign in by e-mail address; guesses are counted by `tenants.sign_in` for every process.
ACCOUNT_ADAPTER = "tenants.accounts.adapters.Accounts"
ACCOUNT_FORMS = {
    "login": "tenants.accounts.forms.SignInForm",
    "reset_password": "tenants.accounts.forms.ForgottenForm",
    "reset_password_from_key": "tenants.accounts.forms.NewPasswordForm",
    "change_password": "tenants.accounts.forms.ChangePasswordForm",
    "set_password": "tenants.accounts.forms.FirstPasswordForm",
    "reauthenticate": "tenants.accounts.forms.ConfirmForm",
    "add_email": "tenants.accounts.forms.ChangeEmailForm",
}
PASSWORD_RESET_TIMEOUT = 86_400
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # of the first address: see tenants.accounts.addresses; a new one is confirmed
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False
MFA_RATE_LIMITS = False
MFA_ADAPTER = "tenants.accounts.adapters.SecondSteps"
MFA_FORMS = {
    "authenticate": "tenants.accounts.forms.CodeForm",
    "reauthenticate": "tenants.accounts.forms.ConfirmCodeForm",
    "activate_totp": "tenants.accounts.forms.ActivateForm",
    "add_webauthn": "tenants.accounts.forms.AddPasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Forecourt"
MFA_TOTP_TOLERANCE = 1
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
SOCIALACCOUNT_ADAPTER = "tenants.accounts.sign_on_adapter.SignOn"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a page of ours leads there; a form may not be answered by another site's page
SOCIALACCOUNT_STORE_TOKENS = False
USERSESSIONS_TRACK_ACTIVITY = False

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
# Our words before those of libraries, whose "Tokens" are something else.
LOCALE_PATHS = [
    BASE_DIR / app / "locale" for app in ("portal", "tenants", "clusters", "metering", "billing", "forecourt")
]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.data_dir / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "forecourt.static_storage.GzipManifestStorage"},
}

SECURE_SSL_REDIRECT = ENVIRONMENT.secure
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 31_536_000 if ENVIRONMENT.secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENVIRONMENT.secure
SECURE_HSTS_PRELOAD = ENVIRONMENT.secure
SECURE_REFERRER_POLICY = "same-origin"
SESSION_ENGINE = "tenants.accounts.sessions"
SESSION_COOKIE_SECURE = ENVIRONMENT.secure
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = ENVIRONMENT.secure
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.public_url]
X_FRAME_OPTIONS = "DENY"
FILE_UPLOAD_HANDLERS = [
    "forecourt.uploads.BoundedForms",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# No unsafe-inline and no unsafe-eval, not even for styles.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.authentication.HasScope", "tenants.conditional.Unchanged"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tenants.problem_response.handle",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
    # What form an answer has is asked for by Accept alone.
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Forecourt API",
    "DESCRIPTION": "Usage, events, batches and invoices of GPU compute. Numbers of money and tokens are strings.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "SliceKindEnum": "clusters.models.SliceKind",
        "SessionKindEnum": ["on_demand", "spot"],
        "InvoiceDraftStateEnum": ["running", "closing", "awaiting_approval", "approved"],
        "BankLineStateEnum": ["new", "suggested", "unmatched", "matched", "outgoing"],
        "InvitationStateEnum": ["open", "expired", "accepted", "revoked"],
        "ApiKeyStateEnum": ["in_use", "ending", "expired", "revoked"],
        "SideEnum": ["provider", "tenant"],
        "RefundMethodEnum": ["card", "bank_transfer"],
        "PayoutMethodEnum": "billing.models.PayoutMethod",
        "DeliveryStateEnum": "tenants.hook_models.DeliveryState",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "forecourt.api_schema.complete"],
}

BROKER_URL = ENVIRONMENT.broker_url

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"refusals": {"()": "forecourt.refusal_log.Refusals"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["refusals"]}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
