"""The settings that come from outside: environment variables and `.env`, read once and checked.

Free of Django, so that the command line can read the same settings before Django starts. Secrets never appear
in an error or in `repr`.
"""

import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from forecourt.embedded.places import DATABASE_NAME, WEB_ROLE, Places, places_of

SECRET_KEY_CHARACTERS_MIN = 50
METRICS_TOKEN_CHARACTERS_MIN = 24
SECRET_KEY_EXPECTED = f"at least {SECRET_KEY_CHARACTERS_MIN} random characters"
STRIPE_API_BASE = "https://api.stripe.com"
API_CALLS_PER_MINUTE = 1_200
CALLS_MAX = 1_000_000
PUBLIC_URL = "http://127.0.0.1:8080"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
BROKER_SCHEMES = ("amqp", "amqps", "redis", "rediss", "redis+socket")
NAMES = (
    "DATABASE_URL",
    "DATABASE_WEB_URL",
    "BROKER_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
    "FORECOURT_SECRET_KEY",
    "FORECOURT_DATA_DIR",
    "FORECOURT_DEBUG",
    "FORECOURT_ALLOWED_HOSTS",
    "FORECOURT_PUBLIC_URL",
    "FORECOURT_SECURE",
    "FORECOURT_OPERATOR_SLUG",
    "FORECOURT_ARCHIVE_DIR",
    "FORECOURT_PREPARED_STATEMENTS",
    "FORECOURT_METRICS_TOKEN",
    "FORECOURT_MAIL_URL",
    "FORECOURT_MAIL_FROM",
    "FORECOURT_WEBHOOK_NETWORKS",
    "FORECOURT_API_CALLS_PER_MINUTE",
)
# The node agent has its own settings; on a machine that runs both they are none of the platform's business.
AGENT_PREFIX = "FORECOURT_AGENT_"
T = TypeVar("T")


class WrongSetting(Exception):
    """A setting is missing, malformed or unknown: names it, shows what was found and what is expected."""

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(f"{name}: found {found}; expected {expected}.")
        self.name = name
        self.found = found
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Environment:
    """Every outside setting, checked and complete."""

    database_url: str = field(repr=False)
    database_web_url: str = field(repr=False)
    """What the web's processes sign in with; where none is given, the same as jobs."""
    database_embedded: bool
    broker_url: str = field(repr=False)
    broker_embedded: bool
    stripe_secret_key: str = field(repr=False)
    """Empty: no Stripe."""
    stripe_webhook_secret: str = field(repr=False)
    stripe_api_base: str
    secret_key: str = field(repr=False)
    data_dir: Path
    debug: bool
    allowed_hosts: tuple[str, ...]
    public_url: str
    """Without a trailing slash."""
    secure: bool
    """Cookies over https only, HSTS, redirect to https."""
    operator_slug: str
    archive_dir: Path
    """Where old facts are written before they leave the database."""
    prepared_statements: bool
    """Whether a database session is one client's own for as long as it is connected."""
    metrics_token: str = field(repr=False)
    """Empty: figures are told on loopback alone."""
    mail_url: str = field(repr=False)
    """Empty: no letters are sent, they wait."""
    mail_from: str
    webhook_networks: tuple[str, ...]
    """Private networks that webhooks may be sent to."""
    api_calls_per_minute: int
    """Of one key; 0 is no limit."""


def read_environment(environ: Mapping[str, str], directory: Path | None = None) -> Environment:
    """Read and check every setting in `environ`, then in `.env` of `directory` (default: the current one).

    An empty value counts as unset. In an embedded installation without `FORECOURT_SECRET_KEY` a key is made
    and kept in the data folder; that is the only thing ever written. Raises `WrongSetting`.
    """
    directory = directory or Path.cwd()
    values = {**_read_dotenv(directory / ".env"), **{k: v for k, v in environ.items() if v.strip()}}
    _refuse_unknown(values)

    def read(name: str, default: T, check: Callable[[str, str], T]) -> T:
        value = values.get(name, "").strip()
        return check(name, value) if value else default

    data_dir = (directory / read("FORECOURT_DATA_DIR", Path(".forecourt"), _folder)).resolve()
    places = places_of(data_dir)
    database_url = read("DATABASE_URL", "", _database_url)
    broker_url = read("BROKER_URL", "", _broker_url)
    public_url = read("FORECOURT_PUBLIC_URL", PUBLIC_URL, _web_url)
    debug = read("FORECOURT_DEBUG", False, _yes_or_no)
    on_loopback = _is_loopback(urlsplit(public_url).hostname or "")
    if debug and not on_loopback:
        raise WrongSetting(
            "FORECOURT_DEBUG",
            f"on with FORECOURT_PUBLIC_URL {public_url}",
            "off wherever others can reach the pages",
        )
    production = not on_loopback or bool(database_url and not debug)
    return Environment(
        database_url=database_url or places.database_url,
        database_web_url=_web_database_url(read("DATABASE_WEB_URL", "", _database_url), database_url, places),
        database_embedded=not database_url,
        broker_url=broker_url or places.broker_url,
        broker_embedded=not broker_url,
        stripe_secret_key=read("STRIPE_SECRET_KEY", "", _stripe_secret_key),
        stripe_webhook_secret=read("STRIPE_WEBHOOK_SECRET", "", _stripe_webhook_secret),
        stripe_api_base=read("STRIPE_API_BASE", STRIPE_API_BASE, _https_url),
        secret_key=read("FORECOURT_SECRET_KEY", "", _secret_key)
        or _kept_secret_key(places.secret_key, production=production),
        data_dir=data_dir,
        debug=debug,
        allowed_hosts=read("FORECOURT_ALLOWED_HOSTS", _default_hosts(public_url), _hosts),
        public_url=public_url,
        secure=read("FORECOURT_SECURE", not (on_loopback and public_url.startswith("http:")), _yes_or_no),
        operator_slug=read("FORECOURT_OPERATOR_SLUG", "operator", _slug),
        archive_dir=(directory / read("FORECOURT_ARCHIVE_DIR", data_dir / "archive", _folder)).resolve(),
        prepared_statements=read("FORECOURT_PREPARED_STATEMENTS", not database_url, _yes_or_no),
        metrics_token=read("FORECOURT_METRICS_TOKEN", "", _metrics_token),
        mail_url=read("FORECOURT_MAIL_URL", "", _mail_url),
        mail_from=read("FORECOURT_MAIL_FROM", f"forecourt@{urlsplit(public_url).hostname}", _mail_address),
        webhook_networks=read("FORECOURT_WEBHOOK_NETWORKS", (), _networks),
        api_calls_per_minute=read("FORECOURT_API_CALLS_PER_MINUTE", API_CALLS_PER_MINUTE, _count),
    )


def _read_dotenv(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `#` starts a comment line, `export` is allowed, one pair of quotes is taken off."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(".env", f"an unreadable file ({error})", "a readable UTF-8 file") from error
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", stripped)
        if match is None:
            raise WrongSetting(f".env line {number}", "no setting", "NAME=value, a comment or nothing")
        value = match[2]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if value.strip():
            values[match[1]] = value
    return values


def _refuse_unknown(values: Mapping[str, str]) -> None:
    for name in sorted(values):
        if not name.startswith(("FORECOURT_", "STRIPE_")) or name in NAMES or name.startswith(AGENT_PREFIX):
            continue
        closest = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
        raise WrongSetting(name, "a setting that does not exist", f"perhaps {closest}")


def _database_url(name: str, value: str) -> str:
    parts = _split(name, value)
    database = parts.path.strip("/")
    if parts.scheme not in ("postgres", "postgresql") or not database:
        raise WrongSetting(name, _without_password(parts), "postgresql://user:password@host:5432/database")
    return value


def _web_database_url(given: str, database_url: str, places: Places) -> str:
    """The web's way in: its own role in an embedded database; another one where it is given, or else the owner's."""
    if not database_url:
        if given:
            raise WrongSetting("DATABASE_WEB_URL", "a URL without DATABASE_URL", "both, or neither")
        return places.url_of_database(DATABASE_NAME, role=WEB_ROLE)
    if not given:
        return database_url
    if urlsplit(given).path != urlsplit(database_url).path:
        raise WrongSetting("DATABASE_WEB_URL", "another database than DATABASE_URL's", "the same one, as another user")
    return given


def _broker_url(name: str, value: str) -> str:
    for url in value.split(";"):
        parts = _split(name, url.strip())
        reachable = parts.path if parts.scheme == "redis+socket" else parts.hostname
        if parts.scheme not in BROKER_SCHEMES or not reachable:
            expected = f"{', '.join(scheme + '://…' for scheme in BROKER_SCHEMES)} (several joined by ';')"
            raise WrongSetting(name, _without_password(parts), expected)
    return value


def _web_url(name: str, value: str) -> str:
    parts = _split(name, value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise WrongSetting(name, _without_password(parts), "https://host or http://host:port, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _https_url(name: str, value: str) -> str:
    url = _web_url(name, value)
    if url.startswith("http:") and not _is_loopback(urlsplit(url).hostname or ""):
        raise WrongSetting(name, url, "https, since keys travel there (http only on loopback)")
    return url


def _yes_or_no(name: str, value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise WrongSetting(name, repr(value), "one of 1, true, yes, on, 0, false, no, off")


def _hosts(name: str, value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in value.split(",") if host.strip())
    for host in hosts:
        if not re.fullmatch(r"\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", host):
            raise WrongSetting(name, repr(host), "hosts joined by ',', without scheme or port")
    return hosts


def _default_hosts(public_url: str) -> tuple[str, ...]:
    host = urlsplit(public_url).hostname or ""
    named = f"[{host}]" if ":" in host else host
    return (*(() if named in LOOPBACK_HOSTS else (named,)), *LOOPBACK_HOSTS)


def _folder(name: str, value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise WrongSetting(name, repr(value), "a path whose ~ stands for a known user's home") from error


def _slug(name: str, value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise WrongSetting(name, repr(value), "lower-case letters, digits and single hyphens")
    return value


def _metrics_token(name: str, value: str) -> str:
    if len(value) < METRICS_TOKEN_CHARACTERS_MIN or not value.isascii():
        raise WrongSetting(name, _hidden(value), f"at least {METRICS_TOKEN_CHARACTERS_MIN} random characters")
    return value


def _count(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(CALLS_MAX)) and int(value) <= CALLS_MAX):
        raise WrongSetting(name, repr(value), f"a whole number from 0 to {CALLS_MAX}")
    return int(value)


def _networks(name: str, value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(each.strip())) for each in value.split(","))
    except ValueError as error:
        raise WrongSetting(name, value, "networks with commas between, such as 10.20.0.0/16,127.0.0.1/32") from error


def _mail_url(name: str, value: str) -> str:
    expected = "smtp://user:password@host:587 (STARTTLS), or smtps://user:password@host:465"
    try:
        url = urlsplit(value)
        known = url.scheme in ("smtp", "smtps") and bool(url.hostname) and url.port != 0
    except ValueError:
        known = False
    if not known or url.path not in ("", "/") or url.query or url.fragment:
        raise WrongSetting(name, _hidden(value), expected)
    return value


def _mail_address(name: str, value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value):
        raise WrongSetting(name, value, "one e-mail address: billing@example.com")
    return value


def _stripe_secret_key(name: str, value: str) -> str:
    if not re.fullmatch(r"(sk|rk)_(test|live)_\w+", value):
        raise WrongSetting(name, _hidden(value), "a secret or restricted key: (sk|rk)_(test|live)_…")
    return value


def _stripe_webhook_secret(name: str, value: str) -> str:
    if not re.fullmatch(r"whsec_[^\s,]+(, ?whsec_[^\s,]+)*", value):
        raise WrongSetting(name, _hidden(value), "an endpoint's signing secret, whsec_…, or several with commas")
    return value


def _secret_key(name: str, value: str) -> str:
    guessable = value.startswith("django-insecure-") or len(set(value)) < 5
    if len(value) < SECRET_KEY_CHARACTERS_MIN or guessable:
        found = "a key that can be guessed" if guessable else _hidden(value)
        raise WrongSetting(name, found, SECRET_KEY_EXPECTED)
    return value


def _kept_secret_key(path: Path, *, production: bool) -> str:
    """The key kept at `path`, made now if there is none; two processes that start at once get the same."""
    if production:
        raise WrongSetting(
            "FORECOURT_SECRET_KEY",
            "nothing",
            f"at least {SECRET_KEY_CHARACTERS_MIN} random characters, kept secret",
        )
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(SECRET_KEY_CHARACTERS_MIN))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was first: its key counts
            finally:
                draft.unlink()
        return _secret_key(f"the file {path}", path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting("FORECOURT_DATA_DIR", f"{path.parent} ({error})", "a folder that can be written") from error


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises on a port that is no number
    except ValueError:
        # The reason would quote what may be a password.
        raise WrongSetting(name, "what is no URL", "a URL; special characters percent-encoded") from None
    return parts


def _without_password(parts: SplitResult) -> str:
    shown = f"{parts.scheme}://" if parts.scheme else ""
    return repr(f"{shown}{parts.netloc.rpartition('@')[2]}{parts.path if parts.scheme else ''}")


def _hidden(value: str) -> str:
    return f"a value of {len(value)} characters"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
